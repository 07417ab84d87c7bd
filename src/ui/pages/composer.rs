//! The form for a new croak or reply, on any page.

use super::super::form::FormRequest;
use super::super::length::TextLength;
use ribbit_state::{Audience, LogIndex};

/// The form for a croak. Its only markup is `composer.html`.
#[derive(Debug, Default)]
pub struct Composer {
    pub request: Option<FormRequest>,
    /// The croak that is answered.
    pub reply_to: Option<LogIndex>,
    pub for_followers: bool,
    /// Text that could not be posted.
    pub post: String,
    /// Length of `post`, if over the limit.
    pub too_long: Option<TextLength>,
}

impl Composer {
    /// Creates an empty form for a croak, with the user's usual audience.
    pub fn empty(request: FormRequest, audience: Audience) -> Composer {
        let for_followers = audience == Audience::Followers;
        Composer { request: Some(request), for_followers, ..Composer::default() }
    }
}

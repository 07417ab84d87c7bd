//! Announcements on every page: which ones there are, kept for a moment, and `/dismiss`.
//!
//! Most of the time there are none, and then a page costs no read for them: a process asks at most every
//! `ANNOUNCEMENTS_AGE_MAX` whether there are any. Only while there are some, a person's page asks which of them they have
//! dismissed.

use crate::web::error_pages::{NO_SESSION, error_page};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{ANNOUNCEMENTS_AGE_MAX, AROUND_DEADLINE};
use crate::web::request_context::{PageError, RequestContext};
use ribbit_state::query::AnnouncementItem;
use ribbit_state::sync::MutexExt;
use ribbit_state::{AccountCommand, Code, Denied, Page, Query};
use ribbit_ui::form::Form;
use ribbit_ui::pages::NavEntry;
use std::sync::Mutex;
use std::time::Instant;

/// The announcements that a process knows.
#[derive(Default)]
pub(in crate::web) struct KnownAnnouncements(Mutex<Option<(Instant, Vec<AnnouncementItem>)>>);

impl KnownAnnouncements {
    /// Returns the announcements for this page; none if they cannot be read in time.
    pub(in crate::web) async fn of_page(&self, context: &mut RequestContext) -> Vec<AnnouncementItem> {
        let all = match self.fresh() {
            Some(all) => all,
            None => {
                let all = context.announcements().await.unwrap_or_default();
                *self.0.locked() = Some((Instant::now(), all.clone()));
                all
            }
        };
        match context.session() {
            Some(session) if !all.is_empty() => {
                match context.read(Query::MyAnnouncements { session }, AROUND_DEADLINE).await {
                    Ok(read) => match read.page {
                        Page::Announcements(mine) => mine,
                        _ => Vec::new(),
                    },
                    Err(_) => Vec::new(),
                }
            }
            _ => all,
        }
    }

    fn fresh(&self) -> Option<Vec<AnnouncementItem>> {
        let known = self.0.locked();
        let (at, all) = known.as_ref()?;
        (at.elapsed() < ANNOUNCEMENTS_AGE_MAX).then(|| all.clone())
    }
}

/// Hides an announcement from the person, and leads back to the page that showed it.
pub(in crate::web) async fn dismiss(context: &mut RequestContext, form: &Form) -> WebResponse {
    let here = NavEntry::Nowhere;
    let Some(session) = context.session() else { return error_page(context, here, NO_SESSION) };
    let Some(announcement) = form.get("announcement").and_then(|id| id.parse().ok()) else {
        return error_page(context, here, Denied::new(Code::NoSuchAnnouncement).into());
    };
    // Doing it twice changes nothing, so the form needs no request id of its own.
    let written = match context.new_request().await {
        Ok(request) => {
            context.command(request, AccountCommand::Dismiss { session, announcement }.into()).await.map(drop)
        }
        Err(error) => Err(error),
    };
    match written {
        Ok(()) => response::see_other(back(form)),
        // It was withdrawn meanwhile.
        Err(PageError::Denied(denied)) if denied.code == Code::NoSuchAnnouncement => {
            response::see_other(back(form))
        }
        Err(error) => error_page(context, here, error),
    }
}

/// Returns the page to go back to. Only a plain path of this site is accepted.
fn back(form: &Form) -> &str {
    let asked = form.text("back");
    let plain = |c: char| c.is_ascii_alphanumeric() || "/@_-?=&~.".contains(c);
    let is_path = asked.starts_with('/') && !asked.starts_with("//") && asked.chars().all(plain);
    if is_path { asked } else { "/main" }
}

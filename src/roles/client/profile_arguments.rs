//! Arguments of `ribbit client profile`.

use crate::client::shared_arguments::{OutputArgs, audience};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use ribbit_state::{AccountChanges, Audience, Avatar, AvatarColour, Frog};

/// Arguments of `client profile`.
#[derive(Debug, Args)]
#[group(id = "changes", multiple = true, args = ["full_name", "email", "bio", "link", "no_links", "avatar", "audience"])]
pub struct ProfileArgs {
    /// User whose profile to show [default: yours]
    #[arg(value_name = "NAME", conflicts_with = "changes")]
    pub username: Option<String>,
    /// New display name
    #[arg(long, value_name = "NAME")]
    pub full_name: Option<String>,
    /// New email address
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    /// New text about you, up to 200 characters; empty for none
    #[arg(long, value_name = "TEXT")]
    pub bio: Option<String>,
    /// New link, in place of all others; up to four
    #[arg(long, value_name = "URL")]
    pub link: Vec<String>,
    /// Remove all links
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new(), conflicts_with = "link")]
    pub no_links: bool,
    /// New picture: drawn (from your name), or a colour and a frog such as teal-winking
    #[arg(long, value_name = "PICTURE", value_parser = avatar)]
    pub avatar: Option<Avatar>,
    /// Readers of your croaks where you name none: everyone or followers
    #[arg(long, value_name = "WHO", value_parser = audience())]
    pub audience: Option<Audience>,
    #[command(flatten)]
    pub output: OutputArgs,
}

impl ProfileArgs {
    /// Returns the changes to the user's own account.
    pub(crate) fn changes(&self) -> AccountChanges {
        AccountChanges {
            name: self.full_name.clone(),
            bio: self.bio.clone(),
            links: (self.no_links || !self.link.is_empty()).then(|| self.link.clone()),
            avatar: self.avatar,
            email: self.email.clone(),
            audience: self.audience,
        }
    }
}

/// Parses a picture.
fn avatar(text: &str) -> Result<Avatar, String> {
    let names = |names: Vec<&str>| names.join(", ");
    text.parse().map_err(|()| {
        let colours = names(AvatarColour::ALL.iter().map(|colour| colour.name()).collect());
        let frogs = names(Frog::ALL.iter().map(|frog| frog.name()).collect());
        format!("use drawn, or COLOUR-FROG; colours: {colours}; frogs: {frogs}")
    })
}

/// Text below the flags in `--help`.
pub(crate) const PROFILE_HELP: &str = "\
Examples:
  ribbit client profile                  Your profile
  ribbit client profile bob --json
  ribbit client profile --full-name 'Ada Lovelace' --email ada@pond
  ribbit client profile --bio 'Frogs and engines' --link https://pond.example
  ribbit client profile --avatar teal-winking --audience followers

With --json, a profile is {\"account\":N,\"username\":\"…\",\"name\":\"…\",\"bio\":\"…\",
\"links\":[…],\"avatar\":\"drawn\",\"created\":\"…\",\"croaks\":N,\"following\":N,
\"followers\":N,\"followed\":false,\"follows\":false,\"muted\":false,
\"blocked\":false,\"pinned\":N or null}; yours also has email and audience.";

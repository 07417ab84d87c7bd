//! `notifications`, `mute`, `block`, `report` and their relatives.

use super::{VerbContext, VerbError, say};
use crate::client::keep_away_arguments::{KeepAwayVerb, NotificationsArgs, ReportArgs};
use crate::client::session::request_error::RequestError;
use ribbit_state::command::ReportSubject;
use ribbit_state::limits::NOTICES_PAGE_MAX;
use ribbit_state::text::{fold_room_name, fold_username};
use ribbit_state::{Code, Denied, NoticeCommand, RelationCommand};
use ribbit_ui::{lines, notice_words, person_json};
use serde_json::json;
use std::io::IsTerminal;

/// Performs a verb.
pub(crate) async fn perform(context: &mut VerbContext, verb: &KeepAwayVerb) -> Result<(), VerbError> {
    context.require_session()?;
    match verb {
        KeepAwayVerb::Notifications(arguments) => notifications(context, arguments).await,
        KeepAwayVerb::Announcements(it) => announcements(context, it.dismiss).await,
        KeepAwayVerb::Mute(named) => mute(context, &named.username, true).await,
        KeepAwayVerb::Unmute(named) => mute(context, &named.username, false).await,
        KeepAwayVerb::Muted(_) => list(context, false).await,
        KeepAwayVerb::Block(named) => block(context, &named.username, true).await,
        KeepAwayVerb::Unblock(named) => block(context, &named.username, false).await,
        KeepAwayVerb::Blocked(_) => list(context, true).await,
        KeepAwayVerb::Report(arguments) => report(context, arguments).await,
    }
}

/// Shows the newest notices, newest last, and marks them as read.
async fn notifications(context: &VerbContext, arguments: &NotificationsArgs) -> Result<(), VerbError> {
    let (mut notices, mut before) = (Vec::new(), None);
    let wanted = arguments.limit as usize;
    while notices.len() < wanted {
        let limit = NOTICES_PAGE_MAX.min(wanted - notices.len());
        let (page, older) = context.user.notices(before, limit).await?;
        let all_read = page.last().is_none_or(|last| !last.unread);
        notices.extend(page.into_iter().filter(|notice| notice.unread || !arguments.unread));
        before = older;
        if before.is_none() || (arguments.unread && all_read) {
            break;
        }
    }
    for notice in notices.iter().rev() {
        say(&match context.json {
            true => notice_words::json(notice),
            false => notice_words::line(notice, context.style),
        })?;
    }
    if notices.is_empty() && std::io::stderr().is_terminal() {
        eprintln!("no notifications");
    }
    if let Some(newest) = notices.first().filter(|newest| newest.unread && !arguments.keep) {
        let session = context.user.session().map_err(RequestError::from)?;
        context.user.write(NoticeCommand::Read { session, through: newest.id }.into()).await?;
    }
    Ok(())
}

/// Shows the announcements that the user has not dismissed, oldest first.
async fn announcements(context: &VerbContext, dismiss: bool) -> Result<(), VerbError> {
    for item in context.user.announcements().await?.iter().rev() {
        say(&match context.json {
            true => ribbit_ui::announcements::json(item),
            false => ribbit_ui::announcements::line(item),
        })?;
        if dismiss {
            context.user.dismiss(item.id).await?;
        }
    }
    Ok(())
}

async fn mute(context: &VerbContext, username: &str, muted: bool) -> Result<(), VerbError> {
    let name = context.user.mute(username, muted).await?;
    let words = if muted { "muted" } else { "unmuted" };
    context.print(&format!("{words} @{name}"), &json!({ "username": name, "muted": muted }))
}

async fn block(context: &VerbContext, username: &str, blocked: bool) -> Result<(), VerbError> {
    let name = context.user.block(username, blocked).await?;
    let words = if blocked { "blocked" } else { "unblocked" };
    context.print(&format!("{words} @{name}"), &json!({ "username": name, "blocked": blocked }))
}

/// Lists the muted or the blocked people.
async fn list(context: &VerbContext, blocked: bool) -> Result<(), VerbError> {
    for person in context.user.kept_away(blocked).await? {
        say(&match context.json {
            true => person_json::acquaintance(&person),
            false => lines::acquaintance(&person, context.style),
        })?;
    }
    Ok(())
}

async fn report(context: &VerbContext, arguments: &ReportArgs) -> Result<(), VerbError> {
    let session = context.user.session().map_err(RequestError::from)?;
    let subject = match (arguments.message, arguments.what.as_deref().unwrap_or_default()) {
        (Some(message), _) => match &arguments.room {
            Some(room) => {
                let room = fold_room_name(room).map_err(RequestError::from)?;
                ReportSubject::RoomMessage { room, message }
            }
            None => ReportSubject::Message { message },
        },
        (None, what) => match (what.strip_prefix('@'), what.parse()) {
            (Some(name), _) => {
                ReportSubject::Person { username: fold_username(name).map_err(RequestError::from)? }
            }
            (None, Ok(croak)) => ReportSubject::Croak { croak },
            (None, Err(_)) => {
                return Err(RequestError::from(Denied::new(Code::InvalidEntry)).into());
            }
        },
    };
    let words = arguments.words.clone();
    context.user.write(RelationCommand::Report { session, subject, words }.into()).await?;
    context.print("reported; the people who run the servers will tell you", &json!({ "reported": true }))
}

//! `/main`: the feed, and croaking.

use super::answer::{self, Answer};
use super::limits::{AROUND_DEADLINE, READ_DEADLINE};
use super::visit::{Stop, Visit};
use hyper::StatusCode;
use ribbit_state::limits::{CROAK_CHARS_MAX, FEED_PAGE_MAX};
use ribbit_state::text::{check_croak, croak_chars};
use ribbit_state::{Code, Command, Denied, Field, LogIndex, Page, Query};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::{Feed, MainPage, MessagePage, Place, Shell, ShownCroak, lacks_session};
use ribbit_ui::words::{Note, Refusals, Trouble};
use std::time::Duration;

pub async fn show(visit: &mut Visit, query: &Form) -> Answer {
    let before = query.get("before").and_then(|before| before.parse().ok());
    let mut shell = visit.shell("Feed", Place::Main);
    shell.note = query.get("note").and_then(Note::from_name).map(|note| note.words().to_string());
    let mut feed = match read(visit, &mut shell, before, READ_DEADLINE).await {
        Ok(feed) => feed,
        Err(stop) => return stopped(visit, Place::Main, stop),
    };
    if let Some(unread) = visit.unread().await {
        shell.unread = Some(unread.messages);
        feed.note_unread(unread);
    }
    shell.old |= visit.is_old();
    let page = MainPage {
        shell,
        request: Some(visit.request_here()),
        post: String::new(),
        refusals: Refusals::default(),
        too_long: None,
        log_in: false,
        feed: Some(feed),
    };
    answer::page(StatusCode::OK, &page)
}

/// One page of the feed; who reads it, and whether it may be old, go into the shell.
async fn read(
    visit: &mut Visit,
    shell: &mut Shell,
    before: Option<LogIndex>,
    limit: Duration,
) -> Result<Feed, Stop> {
    let session = visit.session().ok_or(NO_SESSION)?;
    let page_len = u16::try_from(FEED_PAGE_MAX).expect("a page is short");
    let got = visit.read(Query::Feed { session, before, limit: page_len }, limit).await?;
    let Page::Feed { me, croaks, older } = got.page else { return Err(WRONG_PAGE) };
    shell.me = Some(me.username);
    shell.old = got.old;
    let now_ms = visit.now_ms();
    let croaks = croaks.into_iter().map(|croak| ShownCroak::new(croak, now_ms)).collect();
    let newest = before.is_none();
    Ok(Feed { croaks, older, newest, cursor: visit.answered().filter(|_| newest), new: None, receipt: None })
}

pub async fn croak(visit: &mut Visit, form: &Form) -> Answer {
    let text = form.text(Field::Post.name());
    let Some(session) = visit.session() else { return again(visit, form, None, NO_SESSION).await };
    if let Err(denied) = check_croak(text) {
        return again(visit, form, None, denied.into()).await;
    }
    let request = match visit.request_of(form).await {
        Ok(request) => request,
        Err(stop) => return again(visit, form, None, stop).await,
    };
    match visit.command(request, Command::Croak { session, text: text.to_string() }).await {
        Ok(_) => answer::see_other("/main"),
        Err(stop) => again(visit, form, Some(request), stop).await,
    }
}

/// The page comes back with what was typed.
async fn again(visit: &mut Visit, form: &Form, tried: Option<FormRequest>, stop: Stop) -> Answer {
    let text = form.text(Field::Post.name());
    let request = visit.request_again(form, tried, &stop).await;
    let mut shell = visit.shell("Feed", Place::Main);
    shell.trouble = stop.trouble();
    let feed = match stop {
        // Nobody to ask, or nothing to ask with: the feed would only cost more of the time that is left.
        Stop::Trouble(_) => None,
        Stop::Denied(_) => read(visit, &mut shell, None, AROUND_DEADLINE).await.ok(),
    };
    let chars = croak_chars(text);
    let page = MainPage {
        shell,
        request,
        post: text.to_string(),
        refusals: Refusals::on(&[Field::Post.name()], stop.denied()),
        too_long: (chars > CROAK_CHARS_MAX).then_some(chars),
        log_in: lacks_session(stop.denied()),
        feed,
    };
    answer::page(status(&stop), &page)
}

pub const NO_SESSION: Stop = Stop::Denied(Denied::new(Code::NotLoggedIn));
/// A server answered with another page than was asked for: a bug there, and nothing to show here.
pub const WRONG_PAGE: Stop = Stop::Trouble(Trouble::Disagree);

/// The status of a form that comes back.
pub fn status(stop: &Stop) -> StatusCode {
    match stop {
        Stop::Denied(denied) if denied.code.is_rate_limit() => StatusCode::TOO_MANY_REQUESTS,
        Stop::Denied(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Stop::Trouble(Trouble::TooMany { .. }) => StatusCode::TOO_MANY_REQUESTS,
        Stop::Trouble(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What a page that was only asked for becomes when it cannot be read: the way to log in, or words.
pub fn stopped(visit: &Visit, here: Place, stop: Stop) -> Answer {
    match stop {
        stop if stop.lacks_session() => answer::see_other("/login"),
        Stop::Trouble(trouble) => {
            let page = MessagePage::trouble(here, visit.has_session(), trouble);
            answer::page(status(&stop), &page)
        }
        Stop::Denied(denied) => {
            let shell = visit.shell("That was refused", here);
            let page = MessagePage { shell, words: denied.to_string() };
            answer::page(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

//! `/main`: the feed, and posting a croak.

use super::answer::{self, Answer};
use super::limits::{AROUND_DEADLINE, READ_DEADLINE};
use super::visit::{Stop, Visit};
use hyper::StatusCode;
use ribbit_state::limits::{CROAK_CHARS_MAX, FEED_PAGE_MAX};
use ribbit_state::text::{check_croak, croak_chars};
use ribbit_state::{Code, Command, Denied, Field, LogIndex, Page, Query};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::{Feed, MainPage, MessagePage, Place, Shell, ShownCroak, lacks_session};
use ribbit_ui::words::{Note, Refusals, Trouble, refusal};
use std::time::Duration;

/// Shows a page of the feed.
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

/// Reads one page of the feed. Sets the username and the out-of-date mark of the shell.
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

/// Posts a croak.
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

/// Shows the page again with the text and the reason.
async fn again(visit: &mut Visit, form: &Form, tried: Option<FormRequest>, stop: Stop) -> Answer {
    let text = form.text(Field::Post.name());
    let request = visit.request_again(form, tried, &stop).await;
    let mut shell = visit.shell("Feed", Place::Main);
    shell.trouble = stop.trouble();
    let feed = match stop {
        // The servers did not answer; another read would only use up the time that is left.
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

/// Refusal of a request without a session.
pub const NO_SESSION: Stop = Stop::Denied(Denied::new(Code::NotLoggedIn));
/// Error for a server that answered another query than it was sent, which is a bug there.
pub const WRONG_PAGE: Stop = Stop::Trouble(Trouble::Disagree);

/// Returns the HTTP status of a form that is shown again.
pub fn status(stop: &Stop) -> StatusCode {
    match stop {
        Stop::Denied(denied) if denied.code.is_rate_limit() => StatusCode::TOO_MANY_REQUESTS,
        Stop::Denied(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Stop::Trouble(Trouble::TooMany { .. }) => StatusCode::TOO_MANY_REQUESTS,
        Stop::Trouble(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Answers a GET whose page cannot be read: leads to the log-in page without a session, else shows the reason.
pub fn stopped(visit: &Visit, here: Place, stop: Stop) -> Answer {
    match stop {
        stop if stop.lacks_session() => answer::see_other("/login"),
        Stop::Trouble(trouble) => {
            let page = MessagePage::trouble(here, visit.has_session(), trouble);
            answer::page(status(&stop), &page)
        }
        Stop::Denied(denied) => {
            let shell = visit.shell("That didn't work", here);
            let page = MessagePage { shell, words: refusal(denied) };
            answer::page(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

//! `/notifications`: what the user is notified of. The read receipt of the page marks it as read.

use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{READ_DEADLINE, page_len};
use crate::web::request_context::RequestContext;
use hyper::StatusCode;
use ribbit_state::limits::NOTICES_PAGE_MAX;
use ribbit_state::query::Unread;
use ribbit_state::{Page, Query};
use ribbit_ui::form::Form;
use ribbit_ui::pages::NavEntry;
use ribbit_ui::pages::notices::{NoticeView, NotificationsPage};

/// Shows a page of the notices, the newest first.
pub(in crate::web) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    let here = NavEntry::Notifications;
    let Some(session) = context.session() else { return error_page(context, here, NO_SESSION) };
    let before = query.get("before").and_then(|before| before.parse().ok());
    let limit = page_len(NOTICES_PAGE_MAX);
    let got = match context.read(Query::Notices { session, before, limit }, READ_DEADLINE).await {
        Ok(got) => got,
        Err(error) => return error_page(context, here, error),
    };
    let Page::Notices { me, notices, older, .. } = got.page else {
        return error_page(context, here, WRONG_PAGE);
    };
    let mut frame = context.frame("Notifications", here);
    frame.old = got.old;
    frame.me = Some(me.username);
    let newest = before.is_none();
    let receipt = notices.first().filter(|first| newest && first.unread).map(|first| first.id);
    context.count_unread(&mut frame).await;
    if receipt.is_some() {
        // The receipt of this page marks them as read.
        frame.unread = frame.unread.map(|unread| Unread { notices: 0, ..unread });
    }
    let now_ms = frame.now_ms;
    let notices = notices.into_iter().map(|notice| NoticeView::new(notice, now_ms)).collect();
    response::page(StatusCode::OK, &NotificationsPage { frame, notices, older, newest, receipt })
}

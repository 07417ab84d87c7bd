//! `/admin/backups`: the age of the newest backup, and how to make and check one.
//!
//! A backup is read from a member with the cluster key, which the web role does not have, so none is made here.

use super::{read, unreadable};
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::{self, WebResponse};
use crate::web::request_context::RequestContext;
use hyper::StatusCode;
use ribbit_state::Page;
use ribbit_state::query::OperatorQuery;
use ribbit_ui::form::Form;
use ribbit_ui::overview_page::backup_line;
use ribbit_ui::pages::admin::{AdminTab, BackupsPage};

/// Shows the page.
pub(in crate::web) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    match read(context, OperatorQuery::Figures, ("Backups", AdminTab::Backups), query).await {
        Ok(got) => {
            let Page::Figures(figures) = got.page else { return unreadable(context, WRONG_PAGE) };
            let page = BackupsPage { frame: got.frame, head: got.head, newest: backup_line(&figures) };
            response::page(StatusCode::OK, &page)
        }
        Err(error) => unreadable(context, error),
    }
}

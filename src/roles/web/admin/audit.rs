//! `/admin/audit`: the audit log.

use super::{read, unreadable};
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::{self, WebResponse};
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::Page;
use ribbit_state::query::OperatorQuery;
use ribbit_ui::form::Form;
use ribbit_ui::pages::admin::{AdminTab, AuditLine, AuditPage};

/// Number of acts on a page.
const ACTS: u16 = 50;

/// Shows the acts, newest first.
pub(in crate::web) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    match page(context, query).await {
        Ok(page) => response::page(StatusCode::OK, &page),
        Err(error) => unreadable(context, error),
    }
}

async fn page(context: &mut RequestContext, query: &Form) -> Result<AuditPage, PageError> {
    let before = query.get("before").and_then(|before| before.parse().ok());
    let asked = OperatorQuery::Audit { after: None, before, limit: ACTS };
    let got = read(context, asked, ("Audit log", AdminTab::Audit), query).await?;
    let Page::Audit { rows, more } = got.page else { return Err(WRONG_PAGE) };
    let now_ms = got.frame.now_ms;
    let older = rows.first().filter(|_| more).map(|(oldest, _)| format!("/admin/audit?before={oldest}"));
    Ok(AuditPage {
        acts: rows.iter().rev().map(|(_, row)| AuditLine::new(row, now_ms)).collect(),
        older,
        frame: got.frame,
        head: got.head,
    })
}

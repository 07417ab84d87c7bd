//! `/admin/reports`: reports, and the decisions about them.

use super::{answered, govern, read, unknown_form, unreadable};
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::{self, WebResponse};
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::command::{OperatorCommand, Verdict};
use ribbit_state::query::OperatorQuery;
use ribbit_state::{LogIndex, Page};
use ribbit_ui::form::Form;
use ribbit_ui::pages::admin::{AdminTab, ReportRow, ReportsPage};
use ribbit_ui::words::Note;

/// Shows the reports that wait for a decision.
pub(in crate::web) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    match page(context, query).await {
        Ok(page) => response::page(StatusCode::OK, &page),
        Err(error) => unreadable(context, error),
    }
}

async fn page(context: &mut RequestContext, query: &Form) -> Result<ReportsPage, PageError> {
    let after = query.get("after").and_then(|after| after.parse().ok());
    let got = read(context, OperatorQuery::Reports { after }, ("Reports", AdminTab::Reports), query).await?;
    let Page::Reports { reports, more } = got.page else { return Err(WRONG_PAGE) };
    let now_ms = got.frame.now_ms;
    let row = |report| ReportRow::new(report, now_ms, context.request_here());
    Ok(ReportsPage {
        reports: reports.into_iter().map(row).collect(),
        more: more.map(|more: LogIndex| format!("/admin/reports?after={more}")),
        frame: got.frame,
        head: got.head,
    })
}

/// Decides about a report.
pub(in crate::web) async fn decide(context: &mut RequestContext, form: &Form) -> WebResponse {
    let verdict = Verdict::ALL.into_iter().find(|verdict| form.get("choice") == Some(verdict.name()));
    let (Some(verdict), Ok(report)) = (verdict, form.text("report").parse()) else {
        return unknown_form(context);
    };
    let done = govern(context, form, OperatorCommand::DecideReport { report, verdict }).await;
    answered(context, form, "/admin/reports", ("/admin/reports", Note::Decided), done).await
}

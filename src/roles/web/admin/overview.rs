//! `/admin`: the state of the cluster, with what to do about each problem.
//!
//! Members answer the survey to everyone on the status plane, so the page needs no cluster key. The read of the reports checks the
//! viewer's role.

use super::{around, unreadable};
use crate::web::error_pages::{NO_SESSION, WRONG_PAGE};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{NEWEST_DEADLINE, READ_DEADLINE};
use crate::web::monitoring::cluster::ClusterMonitor;
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::query::OperatorQuery;
use ribbit_state::{Page, Query};
use ribbit_ui::form::Form;
use ribbit_ui::overview_page::OverviewPage;
use ribbit_ui::pages::admin::AdminTab;

/// Shows the overview.
pub(in crate::web) async fn show(
    context: &mut RequestContext,
    cluster: &ClusterMonitor,
    query: &Form,
) -> WebResponse {
    match page(context, cluster, query).await {
        Ok(page) => response::page(StatusCode::OK, &page),
        Err(error) => unreadable(context, error),
    }
}

async fn page(
    context: &mut RequestContext,
    cluster: &ClusterMonitor,
    query: &Form,
) -> Result<OverviewPage, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let reports = || Query::Govern { session, query: OperatorQuery::Reports { after: None } };
    let got = match context.read_newest(reports(), NEWEST_DEADLINE).await {
        // Without a majority it says what is wrong, above what this backend knows.
        Err(PageError::Service(_)) => context.read(reports(), READ_DEADLINE).await?,
        got => got?,
    };
    let got = around(context, got, ("Overview", AdminTab::Overview), query).await?;
    let Page::Reports { reports, more } = got.page else { return Err(WRONG_PAGE) };
    let asked = Query::Govern { session, query: OperatorQuery::Figures };
    let figures = match got.head.admin && !got.frame.old {
        true => context.read_newest(asked, NEWEST_DEADLINE).await.ok().map(|got| got.page),
        false => None,
    };
    let figures = if let Some(Page::Figures(figures)) = &figures { Some(&**figures) } else { None };
    let survey = &cluster.look().await.survey;
    Ok(OverviewPage::new(got.frame, got.head, survey, (reports.len(), more.is_some()), figures))
}

//! `/admin`: the state of the cluster, with what to do about each problem.
//!
//! Members answer the survey to everyone on the status plane, so the page needs no cluster key. The read of the reports checks the
//! viewer's role.

use super::{read, unreadable};
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::{self, WebResponse};
use crate::web::monitoring::cluster::ClusterMonitor;
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::Page;
use ribbit_state::query::OperatorQuery;
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
    let asked = OperatorQuery::Reports { after: None };
    let got = read(context, asked, ("Overview", AdminTab::Overview), query).await?;
    let Page::Reports { reports, more } = got.page else { return Err(WRONG_PAGE) };
    let survey = &cluster.look().await.survey;
    Ok(OverviewPage::new(got.frame, got.head, survey, (reports.len(), more.is_some())))
}

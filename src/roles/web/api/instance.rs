//! `/api/v1/instance` and `/api/v2/instance`: this installation.

use super::error::{ApiError, json};
use super::request::ApiRequest;
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::WebResponse;
use crate::web::limits::READ_DEADLINE;
use ribbit_state::{Page, Query};
use ribbit_ui::api::instance::{self, InstanceFacts};
use serde_json::Value;

pub(super) async fn version_1(request: ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    answer(request, instance::version_1).await
}

pub(super) async fn version_2(request: ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    answer(request, instance::version_2).await
}

async fn answer(
    request: ApiRequest<'_>,
    words: fn(&InstanceFacts<'_>) -> Value,
) -> Result<WebResponse, ApiError> {
    let read = request.context.read(Query::Settings, READ_DEADLINE).await?;
    let Page::Settings(settings) = read.page else { return Err(WRONG_PAGE.into()) };
    let base = request.context.site_address();
    Ok(json(&words(&InstanceFacts { settings: &settings, host: request.context.host(), base: &base })))
}

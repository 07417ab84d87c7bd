//! Refusals and errors of the API as JSON: `{"error": "…"}` with the words of the pages.

use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{HASTE_SECONDS, RETRY_AFTER_SECONDS};
use crate::web::request_context::PageError;
use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use ribbit_state::{Code, Denied};
use ribbit_ui::api::params::ParamsError;
use ribbit_ui::words::{ServiceError, refusal};
use serde::Serialize;
use serde_json::Value;

/// Reason why a call has no other answer.
#[derive(Debug)]
pub(in crate::web) struct ApiError {
    status: StatusCode,
    words: String,
    /// Name of the error in OAuth 2, where the call has one. The words then describe it.
    oauth: Option<&'static str>,
    /// Refusals of single fields.
    details: Option<Box<Value>>,
    /// A header that goes with the status.
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

#[derive(Serialize)]
struct ErrorJson<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Value>,
}

impl ApiError {
    pub(in crate::web) fn new(status: StatusCode, words: impl Into<String>) -> ApiError {
        let header = match status {
            StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, "Bearer")),
            StatusCode::TOO_MANY_REQUESTS => Some((RETRY_AFTER, HASTE_SECONDS)),
            StatusCode::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, RETRY_AFTER_SECONDS)),
            _ => None,
        };
        let header = header.map(|(name, value)| Box::new((name, HeaderValue::from_static(value))));
        ApiError { status, words: words.into(), oauth: None, details: None, header }
    }

    /// Makes an error with a name that OAuth 2 has for it.
    pub(super) fn oauth(status: StatusCode, name: &'static str, words: impl Into<String>) -> ApiError {
        ApiError { oauth: Some(name), ..ApiError::new(status, words) }
    }

    /// Refuses a token that is missing, unknown or has ended.
    pub(super) fn no_token() -> ApiError {
        ApiError::new(StatusCode::UNAUTHORIZED, "The access token is missing or not valid any more.")
    }

    /// Refuses a call that the token's scopes do not cover.
    pub(super) fn no_scope() -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, "This action is outside the authorized scopes.")
    }

    /// Refuses what no field of the request can mean.
    pub(super) fn unprocessable(words: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, words)
    }

    /// Answers that there is nothing with this id.
    pub(super) fn not_found(words: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, words)
    }

    /// Adds refusals of single fields.
    pub(super) fn with_details(self, details: Value) -> ApiError {
        ApiError { details: Some(Box::new(details)), ..self }
    }

    pub(super) fn wrong_method(methods: String) -> ApiError {
        let allow = HeaderValue::from_str(&methods).expect("methods are ASCII");
        let error = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "This call does not support that method.");
        ApiError { header: Some(Box::new((ALLOW, allow))), ..error }
    }

    /// Returns true if the token's session has ended.
    pub(super) fn lacks_session(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    pub(in crate::web) fn into_response(self) -> WebResponse {
        let error = self.oauth.unwrap_or(&self.words);
        let error_description = self.oauth.is_some().then_some(self.words.as_str());
        let json =
            serde_json::to_string(&ErrorJson { error, error_description, details: self.details.as_deref() })
                .expect("texts always serialise");
        let mut answer = response::text(self.status, JSON, json);
        if let Some((name, value)) = self.header.map(|header| *header) {
            answer.headers_mut().insert(name, value);
        }
        answer
    }
}

/// Content type of all answers.
const JSON: &str = "application/json; charset=utf-8";

/// Answers with JSON.
pub(super) fn json(value: &impl Serialize) -> WebResponse {
    let text = serde_json::to_string(value).expect("the names of members are texts");
    response::text(StatusCode::OK, JSON, text)
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> ApiError {
        let status = match denied.code {
            Code::NotLoggedIn => return ApiError::no_token(),
            Code::OutsideScopes => return ApiError::no_scope(),
            code if code.is_rate_limit() => StatusCode::TOO_MANY_REQUESTS,
            Code::Unavailable | Code::Busy | Code::DisksFull => StatusCode::SERVICE_UNAVAILABLE,
            Code::NoSuchUser
            | Code::NoSuchCroak
            | Code::NoSuchMessage
            | Code::NoSuchRoom
            | Code::NoSuchAnnouncement => StatusCode::NOT_FOUND,
            Code::NotYours
            | Code::YouBlocked
            | Code::BlockedByThem
            | Code::AccountSuspended
            | Code::RegistrationClosed
            | Code::InvitationNeeded
            | Code::AwaitingApproval
            | Code::NotAllowed
            | Code::ConfirmPassword
            | Code::NotInRoom
            | Code::RemovedFromRoom
            | Code::NotRoomModerator
            | Code::NotRoomOwner => StatusCode::FORBIDDEN,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        ApiError::new(status, refusal(denied))
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> ApiError {
        match error {
            ServiceError::RateLimited { wait_s } => {
                let limited = ApiError::new(StatusCode::TOO_MANY_REQUESTS, error.words());
                ApiError { header: Some(Box::new((RETRY_AFTER, HeaderValue::from(wait_s)))), ..limited }
            }
            error => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.words()),
        }
    }
}

impl From<PageError> for ApiError {
    fn from(error: PageError) -> ApiError {
        match error {
            PageError::Denied(denied) => denied.into(),
            PageError::Service(service) => service.into(),
        }
    }
}

impl From<ParamsError> for ApiError {
    fn from(error: ParamsError) -> ApiError {
        let status = match error {
            ParamsError::TooMany | ParamsError::File => StatusCode::UNPROCESSABLE_ENTITY,
            ParamsError::NotJson | ParamsError::NotAnObject | ParamsError::NotMultipart => {
                StatusCode::BAD_REQUEST
            }
        };
        ApiError::new(status, error.to_string())
    }
}

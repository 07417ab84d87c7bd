//! Admission of calls: the token that a call needs, and its owner.

use super::error::ApiError;
use crate::web::error_pages::WRONG_PAGE;
use crate::web::limits::READ_DEADLINE;
use crate::web::request_context::{PageError, RequestContext};
use crate::web::services::SiteServices;
use hyper::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use hyper::{HeaderMap, StatusCode};
use ribbit_net::secret::{TOKEN_BYTES, app_key, bearer_hash, from_hex};
use ribbit_state::query::AppInfo;
use ribbit_state::{AppId, Page, Query, Scope, Scopes, TokenHash};
use ribbit_ui::api::oauth::app_id;
use ribbit_ui::api::params::Params;

/// Token that a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiAccess {
    /// None.
    Anyone,
    /// An app's own, or a person's.
    App,
    /// A person's.
    Person,
}

/// The facts of a call, without its handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiRow {
    pub method: &'static str,
    /// Path, with its parameter in braces: `/api/v1/statuses/{id}`.
    pub path: &'static str,
    pub access: ApiAccess,
    /// Scope that the token must have.
    pub scope: Option<Scope>,
    /// Description, in one line.
    pub words: &'static str,
}

/// Bearer of a call, proven by its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// No token was needed, and none was looked at.
    Anyone,
    /// An app for itself, with its key.
    App { app: AppId, key: TokenHash },
    /// A person through an app. The session is in the context.
    Person { scopes: Scopes },
}

/// A token as it was sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bearer {
    /// Of an app for itself: `ID.KEY`.
    App { app: AppId, token: [u8; TOKEN_BYTES] },
    /// Of a session.
    Session([u8; TOKEN_BYTES]),
}

impl Bearer {
    fn parse(text: &str) -> Option<Bearer> {
        match text.split_once('.') {
            Some((id, token)) => Some(Bearer::App { app: app_id(id)?, token: from_hex(token)? }),
            None => from_hex(text).map(Bearer::Session),
        }
    }
}

/// Returns what the header `Authorization` has behind this scheme.
pub(super) fn credentials<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    let (scheme, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then(|| rest.trim())
}

/// Returns the token of a call: of the header `Authorization`, else of the parameter `access_token`, else the protocol that a
/// WebSocket proposes, since the script of a browser can set no other header. `None` if it has none.
///
/// # Errors
/// 401 if it cannot be a token of this site.
pub(super) fn bearer(headers: &HeaderMap, params: &Params) -> Result<Option<Bearer>, ApiError> {
    let token =
        credentials(headers, "bearer").or_else(|| params.get("access_token")).or_else(|| protocol(headers));
    token.map(|token| Bearer::parse(token).ok_or_else(ApiError::no_token)).transpose()
}

fn protocol(headers: &HeaderMap) -> Option<&str> {
    headers.get(SEC_WEBSOCKET_PROTOCOL).filter(|_| is_upgrade(headers))?.to_str().ok()
}

/// Returns true if the client proposes to speak WebSocket.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    let value = headers.get(UPGRADE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.split(',').any(|name| name.trim().eq_ignore_ascii_case("websocket")))
}

impl ApiRow {
    /// Admits the bearer of a token, and lets the context act for them.
    ///
    /// # Errors
    /// 401 without a valid token, 403 if it does not permit this call, or the reason why the token could not be looked up.
    pub(super) async fn admit(
        &self,
        services: &SiteServices,
        context: &mut RequestContext,
        bearer: Option<Bearer>,
    ) -> Result<Caller, ApiError> {
        let allows = |scopes: Scopes| self.scope.is_none_or(|scope| scopes.allows(scope));
        match (self.access, bearer) {
            (ApiAccess::Anyone, _) => Ok(Caller::Anyone),
            (ApiAccess::App, Some(Bearer::App { app, token })) => {
                let key = app_key(&token);
                let scopes = own_app(context, app, key).await?.ok_or_else(ApiError::no_token)?.scopes;
                if allows(scopes) { Ok(Caller::App { app, key }) } else { Err(ApiError::no_scope()) }
            }
            (ApiAccess::App | ApiAccess::Person, Some(Bearer::Session(token))) => {
                let scopes = session_scopes(services, context, bearer_hash(&token)).await?;
                if allows(scopes) { Ok(Caller::Person { scopes }) } else { Err(ApiError::no_scope()) }
            }
            (ApiAccess::Person, Some(Bearer::App { .. })) => Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "This call needs a person's access token, not an app's.",
            )),
            (ApiAccess::App | ApiAccess::Person, None) => Err(ApiError::no_token()),
        }
    }
}

/// Returns the app with this id, or `None` if the key is not its own.
///
/// # Errors
/// The reason why it could not be read.
pub(super) async fn own_app(
    context: &mut RequestContext,
    app: AppId,
    key: TokenHash,
) -> Result<Option<AppInfo>, ApiError> {
    match context.read(Query::OwnApp { app, key }, READ_DEADLINE).await {
        Ok(read) => match read.page {
            Page::App(app) => Ok(Some(app)),
            _ => Err(WRONG_PAGE.into()),
        },
        Err(PageError::Denied(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Lets the context act for a session, and returns its scopes. Of a token that was used here lately they are known: the servers check
/// the session with whatever the handler asks.
async fn session_scopes(
    services: &SiteServices,
    context: &mut RequestContext,
    session: TokenHash,
) -> Result<Scopes, ApiError> {
    if let Some(known) = services.tokens.get(session) {
        context.act_for(session, known.seen);
        return Ok(known.scopes);
    }
    context.act_for(session, None);
    match context.read(Query::Caller { session }, READ_DEADLINE).await?.page {
        Page::Caller { access: Some(access), .. } => Ok(access.scopes),
        _ => Err(ApiError::no_token()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn sent(header: &'static str, query: &str) -> Result<Option<Bearer>, ApiError> {
        let mut headers = HeaderMap::new();
        if !header.is_empty() {
            headers.insert(AUTHORIZATION, HeaderValue::from_static(header));
        }
        let mut params = Params::default();
        params.add_form(query.as_bytes()).unwrap();
        bearer(&headers, &params)
    }

    #[test]
    fn tokens_are_of_a_session_or_of_an_app() {
        let hex = "ab".repeat(32);
        let line = |text: String| -> &'static str { text.leak() };
        let session = sent(line(format!("bearer  {hex}")), "");
        assert!(matches!(session, Ok(Some(Bearer::Session(token))) if token == [0xab; 32]));
        let app = sent(line(format!("Bearer 12.{hex}")), "access_token=zz");
        assert!(matches!(app, Ok(Some(Bearer::App { app: AppId(12), .. }))));
        assert!(matches!(sent("", &format!("access_token={hex}")), Ok(Some(Bearer::Session(_)))));
        assert!(matches!(sent("Basic YTpi", ""), Ok(None)));
        for wrong in ["Bearer ", "Bearer zz", "Bearer 012.ab", "Bearer +1.ab"] {
            assert!(sent(wrong, "").is_err(), "{wrong}");
        }
        assert!(sent(line(format!("Bearer 012.{hex}")), "").is_err(), "another spelling of 12");
    }
}

//! Apps and their tokens: OAuth 2.
//!
//! ```text
//!   app: POST /api/v1/apps ──▶ id and secret
//!   person: /oauth/authorize ──▶ code ── app: POST /oauth/token ──▶ token ── POST /oauth/revoke ──▶ ended
//! ```
//!
//! - The token and the secret are made here and returned once. The servers get their hashes alone.
//! - The token of an app for itself follows from its secret (`secret::app_token`), so `client_credentials` writes nothing.
//!
//! The page on which a person consents is `crate::web::accounts::authorize`.

use super::admission::{Caller, credentials, own_app};
use super::error::{ApiError, json};
use super::request::ApiRequest;
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::WebResponse;
use crate::web::limits::READ_DEADLINE;
use crate::web::request_context::{PageError, RequestContext};
use base64ct::{Base64, Encoding};
use hyper::StatusCode;
use ribbit_net::protocol::{Ask, Password};
use ribbit_net::secret::{
    TOKEN_BYTES, app_code_hash, app_key, app_token, bearer_hash, from_hex, new_token, to_hex,
};
use ribbit_state::query::AppInfo;
use ribbit_state::redirect::REDIRECT_BY_HAND;
use ribbit_state::{AppCommand, AppId, AppLogIn, Code, Denied, Page, Query, Reply, Scopes, TokenHash};
use ribbit_ui::api::oauth::{self, AppJson, TokenJson, USUAL_SCOPES, app_id, client_id};
use ribbit_ui::api::pkce;
use ribbit_ui::form::FormRequest;
use ribbit_ui::words::refusal;

/// Registers an app.
pub(super) async fn register(mut request: ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let made = request.request(0).await?;
    let ApiRequest { context, params, .. } = request;
    let scopes: Scopes = params.get("scopes").or(params.get("scope")).unwrap_or(USUAL_SCOPES).parse()?;
    let redirects: Vec<String> =
        params.all("redirect_uris").flat_map(str::split_whitespace).map(str::to_string).collect();
    let redirects = if redirects.is_empty() { vec![REDIRECT_BY_HAND.to_string()] } else { redirects };
    let (name, website) = (params.text("client_name").trim(), params.text("website").trim());
    let secret = new_token();
    let app = AppInfo { app: AppId(0), name: name.into(), website: website.into(), redirects, scopes };
    let AppInfo { name, website, redirects, .. } = app.clone();
    let key = app_key(&app_token(&secret));
    let command = AppCommand::Register { name, website, redirects, scopes, key };
    match context.command(made, command.into()).await {
        Ok(Reply::Registered { app: id }) => {
            Ok(json(&AppJson::registered(&AppInfo { app: id, ..app }, &to_hex(&secret))))
        }
        Ok(_) => Err(WRONG_PAGE.into()),
        Err(PageError::Denied(Denied { code: Code::InvalidEntry, .. })) => Err(ApiError::unprocessable(
            "An app needs a client_name of 1 to 64 characters and up to 8 redirect_uris: http, https or a scheme of the app, \
             without a fragment. The website has to be an http or https address.",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Describes the app of a token.
pub(super) async fn verify_app(request: ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let app = match request.caller {
        Caller::App { app, key } => {
            own_app(request.context, app, key).await?.ok_or_else(ApiError::no_token)?
        }
        Caller::Person { .. } | Caller::Anyone => {
            let session = request.session()?;
            let context = request.context;
            let caller = context.read(Query::Caller { session }, READ_DEADLINE).await?.page;
            let Page::Caller { access: Some(access), device, .. } = caller else {
                return Err(ApiError::no_token());
            };
            match context.read(Query::App { app: access.app }, READ_DEADLINE).await {
                Ok(read) => match read.page {
                    Page::App(app) => app,
                    _ => return Err(WRONG_PAGE.into()),
                },
                // Other apps have taken its place. Its sessions go on.
                Err(PageError::Denied(_)) => AppInfo {
                    app: access.app,
                    name: device,
                    website: String::new(),
                    redirects: Vec::new(),
                    scopes: access.scopes,
                },
                Err(error) => return Err(error.into()),
            }
        }
    };
    Ok(json(&AppJson::new(&app)))
}

/// Describes where OAuth 2 is served.
pub(super) fn metadata(request: &ApiRequest<'_>) -> WebResponse {
    json(&oauth::metadata(&request.context.site_address()))
}

/// Gives a token for a code, for a password, or for an app itself.
pub(super) async fn token(request: ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let (app, secret) = client(&request)?;
    match request.params.get("grant_type") {
        Some("authorization_code") => exchange(request, app, secret).await,
        Some("password") => log_in(request, app, secret).await,
        Some("client_credentials") => for_itself(request, app, secret).await,
        Some(_) => {
            let words = "The grant_type has to be authorization_code, password or client_credentials.";
            Err(ApiError::oauth(StatusCode::BAD_REQUEST, "unsupported_grant_type", words))
        }
        None => {
            Err(ApiError::oauth(StatusCode::BAD_REQUEST, "invalid_request", "The grant_type is missing."))
        }
    }
}

/// Returns the id and the secret of the app that calls: of the header `Authorization: Basic`, else of parameters.
///
/// # Errors
/// `invalid_client` if they are missing, or cannot be those of an app.
fn client(request: &ApiRequest<'_>) -> Result<(AppId, [u8; TOKEN_BYTES]), ApiError> {
    let (id, secret) = match credentials(request.headers, "basic") {
        Some(pair) => {
            let pair = Base64::decode_vec(pair).ok().and_then(|pair| String::from_utf8(pair).ok());
            let pair = pair.as_deref().and_then(|pair| pair.split_once(':'));
            pair.map(|(id, secret)| (id.to_string(), secret.to_string())).unwrap_or_default()
        }
        None => {
            let text = |name| request.params.text(name).to_string();
            (text("client_id"), text("client_secret"))
        }
    };
    app_id(&id).zip(from_hex(&secret)).ok_or_else(|| denied(Denied::new(Code::WrongAppKey)))
}

/// Returns the error that OAuth 2 has for a refusal.
fn denied(denied: Denied) -> ApiError {
    let (status, name) = match denied.code {
        Code::WrongAppKey => (StatusCode::UNAUTHORIZED, "invalid_client"),
        Code::ScopeNotAllowed => (StatusCode::BAD_REQUEST, "invalid_scope"),
        Code::CodeNotValid
        | Code::NoSuchUser
        | Code::WrongPassword
        | Code::NoPassword
        | Code::CredentialsChanged
        | Code::AccountSuspended => (StatusCode::BAD_REQUEST, "invalid_grant"),
        Code::NotYours => (StatusCode::FORBIDDEN, "unauthorized_client"),
        _ => return denied.into(),
    };
    ApiError::oauth(status, name, refusal(denied))
}

fn failed(error: PageError) -> ApiError {
    match error {
        PageError::Denied(refused) => denied(refused),
        PageError::Service(_) => error.into(),
    }
}

fn scopes(request: &ApiRequest<'_>) -> Result<Scopes, ApiError> {
    request.params.get("scope").unwrap_or(USUAL_SCOPES).parse().map_err(denied)
}

/// Exchanges a code. Its request is repeated under one id until it is decided, so a leader that is killed in between gives one token.
async fn exchange(
    request: ApiRequest<'_>,
    app: AppId,
    secret: [u8; TOKEN_BYTES],
) -> Result<WebResponse, ApiError> {
    let ApiRequest { context, params, .. } = request;
    let not_valid = || denied(Denied::new(Code::CodeNotValid));
    let code = from_hex(params.text("code")).ok_or_else(not_valid)?;
    let verifier = params
        .get("code_verifier")
        .map(|text| pkce::proof(text).map(Box::new).ok_or_else(not_valid))
        .transpose()?;
    let token = new_token();
    let (key, code, session) = (app_key(&app_token(&secret)), app_code_hash(&code), bearer_hash(&token));
    let redirect = params.text("redirect_uri").to_string();
    let made = context.new_request().await?;
    let command = AppCommand::Exchange { app, key, code, redirect, verifier, session };
    match context.command(made, command.into()).await {
        Ok(Reply::LoggedIn { .. }) => {
            // At least as new as the exchange, on whichever server.
            let seen = context.seen();
            context.act_for(session, seen);
            let caller = context.read(Query::Caller { session }, READ_DEADLINE).await?.page;
            let Page::Caller { access: Some(access), .. } = caller else { return Err(WRONG_PAGE.into()) };
            Ok(json(&TokenJson::new(&to_hex(&token), access.scopes, context.now_ms())))
        }
        Ok(_) => Err(not_valid()),
        Err(error) => Err(failed(error)),
    }
}

/// Logs a person in with their password.
async fn log_in(
    request: ApiRequest<'_>,
    app: AppId,
    secret: [u8; TOKEN_BYTES],
) -> Result<WebResponse, ApiError> {
    let scopes = scopes(&request)?;
    let ApiRequest { context, params, .. } = request;
    let (username, password) =
        (params.text("username").to_string(), Password(params.text("password").to_string()));
    let token = open(context, app_key(&app_token(&secret)), (app, scopes), username, password).await;
    let token = token.map_err(failed)?;
    Ok(json(&TokenJson::new(&token, scopes, context.now_ms())))
}

/// Opens a session of an app with a password, and returns its token.
///
/// # Errors
/// `Denied` if the app or the password is wrong or the account may not log in, `Service` if it is not decided in time.
pub(super) async fn open(
    context: &mut RequestContext,
    key: TokenHash,
    (app, scopes): (AppId, Scopes),
    username: String,
    password: Password,
) -> Result<String, PageError> {
    let FormRequest { id, submitted_at } = context.new_request().await?;
    let token = new_token();
    let ask = Ask::LogIn {
        id,
        submitted_at,
        username,
        password,
        token: bearer_hash(&token),
        device: String::new(),
        app: Some(Box::new(AppLogIn { app, key, scopes })),
    };
    context.write(ask).await?;
    Ok(to_hex(&token))
}

/// Gives an app the token with which it acts for itself. It permits whatever the app has registered for.
async fn for_itself(
    request: ApiRequest<'_>,
    app: AppId,
    secret: [u8; TOKEN_BYTES],
) -> Result<WebResponse, ApiError> {
    let asked = scopes(&request)?;
    let token = app_token(&secret);
    let known = own_app(request.context, app, app_key(&token)).await?;
    let known = known.ok_or_else(|| denied(Denied::new(Code::WrongAppKey)))?;
    if !asked.is_within(known.scopes) {
        return Err(denied(Denied::new(Code::ScopeNotAllowed)));
    }
    let token = format!("{}.{}", client_id(app), to_hex(&token));
    Ok(json(&TokenJson::new(&token, known.scopes, request.context.now_ms())))
}

/// Ends the session of a token. A token that is unknown, or has ended, needs no more.
pub(super) async fn revoke(request: ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let (app, secret) = client(&request)?;
    let ApiRequest { context, params, .. } = request;
    let key = app_key(&app_token(&secret));
    let Some(token) = from_hex(params.text("token")) else {
        own_app(context, app, key).await?.ok_or_else(|| denied(Denied::new(Code::WrongAppKey)))?;
        if params.text("token").contains('.') {
            let words = "The token of an app for itself cannot be revoked.";
            return Err(ApiError::oauth(StatusCode::BAD_REQUEST, "unsupported_token_type", words));
        }
        return Ok(super::others::done());
    };
    let made = context.new_request().await?;
    let command = AppCommand::Revoke { app, key, session: bearer_hash(&token) };
    context.command(made, command.into()).await.map_err(failed)?;
    Ok(super::others::done())
}

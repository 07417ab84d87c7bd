//! Apps and tokens as JSON.

use ribbit_state::query::AppInfo;
use ribbit_state::{AppId, Scope, Scopes};
use serde::Serialize;
use serde_json::{Value, json};

/// An app, as it is told about itself.
#[derive(Debug, Serialize)]
pub struct AppJson<'a> {
    id: String,
    name: &'a str,
    website: Option<&'a str>,
    scopes: Vec<&'static str>,
    /// All addresses, one a line, as older clients read them.
    redirect_uri: String,
    redirect_uris: &'a [String],
    /// Key of push messages, which this site does not send.
    vapid_key: &'static str,
    #[serde(flatten)]
    registration: Option<Registration<'a>>,
}

/// What an app gets to know once, when it registers.
#[derive(Debug, Serialize)]
struct Registration<'a> {
    client_id: String,
    client_secret: &'a str,
    /// Never.
    client_secret_expires_at: u32,
}

impl<'a> AppJson<'a> {
    /// Describes an app without its secret.
    pub fn new(app: &'a AppInfo) -> AppJson<'a> {
        AppJson {
            id: app.app.0.to_string(),
            name: &app.name,
            website: Some(app.website.as_str()).filter(|website| !website.is_empty()),
            scopes: app.scopes.iter().map(Scope::name).collect(),
            redirect_uri: app.redirects.join("\n"),
            redirect_uris: &app.redirects,
            vapid_key: "",
            registration: None,
        }
    }

    /// Describes an app that has just registered.
    pub fn registered(app: &'a AppInfo, secret: &'a str) -> AppJson<'a> {
        let client_id = client_id(app.app);
        let registration = Registration { client_id, client_secret: secret, client_secret_expires_at: 0 };
        AppJson { registration: Some(registration), ..AppJson::new(app) }
    }
}

/// Scopes of an app or a token that names none.
pub const USUAL_SCOPES: &str = "read";

/// Returns the id of an app from its text form, the `client_id`. Other spellings of the number are no ids.
pub fn app_id(text: &str) -> Option<AppId> {
    let id = AppId(text.parse().ok()?);
    (client_id(id) == text).then_some(id)
}

/// Returns the id by which an app names itself.
pub fn client_id(app: AppId) -> String {
    app.0.to_string()
}

/// An access token. It says nothing of its end, which is when the person ends its session, or after a year.
#[derive(Debug, Serialize)]
pub struct TokenJson<'a> {
    pub access_token: &'a str,
    token_type: &'static str,
    scope: String,
    /// Seconds since 1970.
    created_at: u64,
}

impl TokenJson<'_> {
    pub fn new(access_token: &str, scopes: Scopes, now_ms: u64) -> TokenJson<'_> {
        let (scope, created_at) = (scopes.to_string(), now_ms / 1000);
        TokenJson { access_token, token_type: "Bearer", scope, created_at }
    }
}

/// Describes the addresses of OAuth 2 below `base`, for clients that look for them (RFC 8414).
pub fn metadata(base: &str) -> Value {
    let at = |path: &str| format!("{base}{path}");
    json!({
        "issuer": at("/"),
        "authorization_endpoint": at("/oauth/authorize"),
        "token_endpoint": at("/oauth/token"),
        "revocation_endpoint": at("/oauth/revoke"),
        "app_registration_endpoint": at("/api/v1/apps"),
        "service_documentation": at("/about"),
        "scopes_supported": Scope::ALL.iter().map(|scope| scope.name()).collect::<Vec<_>>(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "client_credentials", "password"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256", "plain"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_gets_its_secret_once() {
        let app = AppInfo {
            app: AppId(7),
            name: "Toot".into(),
            website: String::new(),
            redirects: vec!["a:b".into(), "c:d".into()],
            scopes: "read write".parse().unwrap(),
        };
        let json = |app: AppJson<'_>| serde_json::to_string(&app).unwrap();
        assert_eq!(
            json(AppJson::registered(&app, "5ec4e7")),
            r#"{"id":"7","name":"Toot","website":null,"scopes":["read","write"],"redirect_uri":"a:b\nc:d","redirect_uris":["a:b","c:d"],"vapid_key":"","client_id":"7","client_secret":"5ec4e7","client_secret_expires_at":0}"#
        );
        assert!(!json(AppJson::new(&app)).contains("client_"));
    }

    #[test]
    fn a_token_says_what_it_permits_and_when_it_was_made() {
        let token = TokenJson::new("ab", "read follow".parse().unwrap(), 1_700_000_000_999);
        assert_eq!(
            serde_json::to_string(&token).unwrap(),
            r#"{"access_token":"ab","token_type":"Bearer","scope":"read follow","created_at":1700000000}"#
        );
    }
}

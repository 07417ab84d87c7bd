//! Minimal client of the API: an app that has registered, with the token of a person.

use crate::http::{Reply, exchange};
use serde_json::{Value, json};

/// Redirect address of the app.
pub const REDIRECT: &str = "toot:back";

/// An app.
#[derive(Debug, Clone)]
pub struct ApiApp {
    pub address: String,
    pub id: String,
    pub secret: String,
}

/// A token of an app, or none.
#[derive(Debug, Clone)]
pub struct ApiToken {
    address: String,
    pub token: String,
}

/// Sends one call with a body of JSON, and returns the answer with its body as JSON (null if it has none).
pub fn call(address: &str, method: &str, path: &str, token: &str, body: Option<&Value>) -> (Reply, Value) {
    let token = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let body = body.map(Value::to_string).unwrap_or_default();
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let length = if method == "GET" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    send(address, &format!("{method} {path}"), &format!("{token}{kind}{length}"), &body)
}

/// Sends one call with these header lines.
pub fn send(address: &str, line: &str, headers: &str, body: &str) -> (Reply, Value) {
    let head = format!("{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    let reply = exchange(address, format!("{head}{body}").as_bytes());
    let json = serde_json::from_str(&reply.body).unwrap_or_default();
    (reply, json)
}

impl ApiApp {
    /// Registers an app that may ask for all usual scopes.
    pub fn register(address: &str) -> ApiApp {
        let app = json!({
            "client_name": "Toot",
            "redirect_uris": [REDIRECT, "urn:ietf:wg:oauth:2.0:oob", "https://app.example/back?from=ribbit"],
            "scopes": "read write follow push",
        });
        let (reply, json) = call(address, "POST", "/api/v1/apps", "", Some(&app));
        assert_eq!(reply.status, 200, "{}", reply.body);
        let text = |name: &str| json[name].as_str().expect("a text").to_string();
        ApiApp { address: address.to_string(), id: text("client_id"), secret: text("client_secret") }
    }

    /// Asks for a token with these parameters beside the app's id and secret.
    pub fn token(&self, mut parameters: Value) -> (Reply, Value) {
        parameters["client_id"] = json!(self.id);
        parameters["client_secret"] = json!(self.secret);
        call(&self.address, "POST", "/oauth/token", "", Some(&parameters))
    }

    /// Logs a person in with the password that [`crate::http::Browser::join`] sets.
    pub fn log_in(&self, username: &str, scopes: &str) -> ApiToken {
        let parameters =
            json!({"grant_type": "password", "username": username, "password": "password", "scope": scopes});
        let (reply, json) = self.token(parameters);
        assert_eq!(reply.status, 200, "{}", reply.body);
        let token = json["access_token"].as_str().expect("a text").to_string();
        ApiToken { address: self.address.clone(), token }
    }
}

impl ApiToken {
    pub fn get(&self, path: &str) -> (Reply, Value) {
        call(&self.address, "GET", path, &self.token, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> (Reply, Value) {
        call(&self.address, "POST", path, &self.token, Some(body))
    }
}

//! The Mastodon client API over HTTP: its calls, who may see what through them, and hostile requests.

mod accounts;
mod authorize;
mod hostile;
mod lists;
mod sign_up;
mod statuses;
mod streaming;
mod table;
mod tokens;
mod visibility;

use serde_json::Value;
use testkit::api::ApiApp;
use testkit::http::{Browser, Reply};
use testkit::site::Site;

/// A client of the API with the token of one person.
pub(crate) struct ApiClient {
    http: Browser,
    token: String,
    /// Id of its account.
    pub(crate) id: String,
}

impl ApiClient {
    /// Creates a person and logs in.
    pub(crate) fn join(site: &Site, username: &str) -> ApiClient {
        Browser::new(&site.address).join(username);
        let token = ApiApp::register(&site.address).log_in(username, "read write follow").token;
        let http = Browser::new(&site.address);
        let mut client = ApiClient { http, token, id: String::new() };
        client.id = text(&client.get("accounts/verify_credentials")["id"]);
        client
    }

    /// Sends a request below `/api/`, with a form as its body.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        fields: &[(&str, &str)],
    ) -> Reply {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let bearer = format!("Bearer {}", self.token);
        let length = body.len().to_string();
        let mut all = vec![("Authorization", bearer.as_str())];
        if !["GET", "POST"].contains(&method) && !body.is_empty() {
            all.push(("Content-Length", &length));
        }
        if !body.is_empty() {
            all.push(("Content-Type", "application/x-www-form-urlencoded"));
        }
        all.extend(headers);
        self.http.send(method, &format!("/api/{path}"), &all, &body)
    }

    /// Reads a path below `/api/v1/`.
    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Value {
        self.got(path).0
    }

    /// Reads a path below `/api/v1/`, and the `Link` header of the answer.
    #[track_caller]
    pub(crate) fn got(&mut self, path: &str) -> (Value, String) {
        let reply = self.send("GET", &versioned(path), &[], &[]);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        (json(&reply), reply.header("link").unwrap_or_default().to_string())
    }

    /// Posts to a path below `/api/v1/`.
    #[track_caller]
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Value {
        let reply = self.send("POST", &versioned(path), &[], fields);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        json(&reply)
    }

    /// Posts a status.
    #[track_caller]
    pub(crate) fn say(&mut self, text: &str) -> String {
        text_of_id(&self.post("statuses", &[("status", text)]))
    }

    /// Asserts that a request is refused with this status and sentence.
    #[track_caller]
    pub(crate) fn refused(
        &mut self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        status: u16,
        words: &str,
    ) {
        let reply = self.send(method, &versioned(path), &[], fields);
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        let error = text(&json(&reply)["error"]);
        assert!(error.contains(words), "{words:?} is not in {error:?}");
    }
}

fn versioned(path: &str) -> String {
    if path.starts_with("v2/") { path.to_string() } else { format!("v1/{path}") }
}

#[track_caller]
pub(crate) fn json(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap_or_else(|_| panic!("no JSON: {} {}", reply.status, reply.body))
}

#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_string()
}

#[track_caller]
fn text_of_id(value: &Value) -> String {
    text(&value["id"])
}

/// Returns the ids of a list.
#[track_caller]
pub(crate) fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap_or_else(|| panic!("no list: {list}")).iter().map(text_of_id).collect()
}

/// Returns the id of the only item of a list.
#[track_caller]
pub(crate) fn only(list: &Value) -> String {
    let mut ids = ids(list);
    assert_eq!(ids.len(), 1, "{list}");
    ids.remove(0)
}

/// Returns the query of the address that a `Link` header has for a page beside this one.
pub(crate) fn link(header: &str, rel: &str) -> Option<String> {
    let part = header.split(", ").find(|part| part.ends_with(&format!("rel=\"{rel}\"")))?;
    let address = part.split('<').nth(1)?.split('>').next()?;
    Some(address.split_once('?')?.1.to_string())
}

/// Starts a site with ada, bob and carl.
pub(crate) fn three() -> (Site, [ApiClient; 3]) {
    let site = Site::start();
    let clients = ["ada", "bob", "carl"].map(|name| ApiClient::join(&site, name));
    (site, clients)
}

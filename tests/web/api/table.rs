//! Every call of the table against the running site: methods, tokens, scopes, and what pages of others may do.

use ribbit_roles::web::api::openapi::document;
use ribbit_roles::web::api::routes::{ApiAccess, ROWS};
use serde_json::json;
use testkit::api::{ApiApp, call, send};
use testkit::http::Browser;
use testkit::site::Site;

/// The file is made anew with UPDATE_GOLDENFILES=1.
#[test]
fn the_openapi_file_says_what_the_table_says() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let made = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        std::fs::write(&file, &made).unwrap();
    }
    assert!(std::fs::read_to_string(file).unwrap() == made, "make it again with UPDATE_GOLDENFILES=1");
}

fn path(path: &str) -> String {
    path.replace("{id}", "7").replace("{name}", "rain")
}

#[test]
fn every_call_needs_the_token_and_the_scope_of_its_row() {
    let site = Site::start();
    Browser::new(&site.address).join("ada");
    let app = ApiApp::register(&site.address);
    let push = app.log_in("ada", "push");
    for row in ROWS {
        let at = path(row.path);
        let ask = |token: &str| call(&site.address, row.method, &at, token, None);
        let (anonymous, json) = ask("");
        assert_eq!(
            anonymous.status == 401
                && json["error"] == json!("The access token is missing or not valid any more."),
            row.access != ApiAccess::Anyone,
            "{} {at}: {}",
            row.method,
            anonymous.body
        );
        assert_eq!(anonymous.header("access-control-allow-origin"), Some("*"), "{at}");
        assert_eq!(anonymous.header("set-cookie"), None, "{at}");
        if row.access != ApiAccess::Anyone {
            assert_eq!(ask(&"ab".repeat(32)).0.status, 401, "{at}: an unknown token");
            assert_eq!(ask("no-token").0.status, 401, "{at}");
        }
        if row.scope.is_some() {
            let (reply, json) = ask(&push.token);
            assert_eq!(reply.status, 403, "{} {at}: {}", row.method, reply.body);
            assert_eq!(json["error"], "This action is outside the authorized scopes.");
        }
        let (wrong, _) = call(&site.address, "TRACE", &at, "", None);
        assert!(
            wrong.status == 405 && wrong.header("allow").is_some_and(|allow| allow.contains(row.method)),
            "{at}"
        );
    }
}

#[test]
fn pages_of_others_may_call_with_a_token_and_never_with_cookies() {
    let site = Site::start();
    let asked = "Origin: https://elk.example\r\nAccess-Control-Request-Method: POST\r\n\
                 Access-Control-Request-Headers: authorization,idempotency-key\r\n";
    for path in ["/api/v1/apps", "/oauth/token"] {
        let (reply, _) = send(&site.address, &format!("OPTIONS {path}"), asked, "");
        assert_eq!((reply.status, reply.body.as_str()), (204, ""), "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert_eq!(reply.header("access-control-allow-credentials"), None);
        let allowed = reply.header("access-control-allow-headers").unwrap();
        assert!(allowed.contains("authorization") && allowed.contains("idempotency-key"), "{allowed}");
        assert!(reply.header("access-control-expose-headers").unwrap().contains("link"));
        assert_eq!(
            (reply.header("allow"), reply.header("access-control-allow-methods")),
            (Some("POST"), Some("POST"))
        );
    }
    assert_eq!(send(&site.address, "OPTIONS /oauth/authorize", asked, "").0.status, 405, "a page of ours");
}

#[test]
fn hostile_requests_are_refused_in_json() {
    let site = Site::start();
    let json = "Content-Type: application/json\r\n";
    let length = |body: &str| format!("Content-Length: {}\r\n", body.len());
    let deep = "[".repeat(60_000);
    let long = format!("{{\"client_name\": \"{}\"}}", "a".repeat(70_000));
    let many = format!("{{\"a\": [{}1]}}", "1,".repeat(1_000));
    let parts = "Content-Type: multipart/form-data; boundary=b\r\n";
    let file = "--b\r\nContent-Disposition: form-data; name=file; filename=a.png\r\n\r\nPNG\r\n--b--\r\n";
    let picture = file.replace("PNG", &"P".repeat(100_000));
    let cases: [(&str, &str, &str, u16); 12] = [
        ("POST /api/v1/apps", json, "{", 400),
        ("POST /api/v1/apps", json, "[1]", 400),
        ("POST /api/v1/apps", json, &deep, 400),
        ("POST /api/v1/apps", json, &long, 413),
        ("POST /api/v1/apps", json, &many, 422),
        ("POST /api/v1/apps", parts, "--b\r\n", 400),
        ("POST /api/v2/media", parts, file, 422),
        ("POST /api/v2/media", parts, &picture, 413),
        ("POST /api/v1/apps", "Content-Type: text/xml\r\n", "<a/>", 415),
        ("POST /api/v1/apps", json, "{\"client_name\": {\"a\": 1}, \"redirect_uris\": 7}", 422),
        ("POST /oauth/token", json, "{\"client_id\": [], \"client_secret\": true}", 401),
        ("GET /api/v9/nothing", "", "", 404),
    ];
    for (line, kind, body, status) in cases {
        let (reply, json) = send(&site.address, line, &format!("{kind}{}", length(body)), body);
        assert_eq!(reply.status, status, "{line} {}: {}", &body[..body.len().min(40)], reply.body);
        assert!(
            json["error"].as_str().is_some_and(|words| !words.contains("form can hold")),
            "{}",
            reply.body
        );
    }
    let (reply, json) =
        send(&site.address, "POST /api/v1/apps", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n");
    assert!(reply.status == 411 && json["error"].is_string(), "{}", reply.body);
}

#[test]
fn a_form_in_parts_is_a_form() {
    let site = Site::start();
    let part = |name: &str, text: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
    };
    let body = part("client_name", "Toot 🐸") + &part("redirect_uris[]", "https://a.example/b") + "--b--\r\n";
    let head = format!("Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {}\r\n", body.len());
    let (reply, json) = send(&site.address, "POST /api/v1/apps", &head, &body);
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!((&json["name"], &json["redirect_uri"]), (&"Toot 🐸".into(), &"https://a.example/b".into()));
}

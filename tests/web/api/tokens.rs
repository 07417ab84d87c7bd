//! Apps and tokens: who gets one, what it opens, and what ends it.

use serde_json::{Value, json};
use testkit::api::{ApiApp, call, send};
use testkit::http::Browser;
use testkit::site::Site;

fn ada(site: &Site) -> Browser {
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    ada
}

#[test]
fn an_app_registers_and_a_person_logs_in_with_it() {
    let site = Site::start();
    let mut ada = ada(&site);
    let app = ApiApp::register(&site.address);
    let token = app.log_in("ada", "read write");
    let (reply, json) = token.get("/api/v1/apps/verify_credentials");
    assert_eq!((reply.status, &json["name"]), (200, &json!("Toot")), "{}", reply.body);
    // The person sees it, and ends it.
    let page = ada.get("/settings");
    page.says(200, "<bdi>Toot</bdi>");
    page.says(200, "App, may use: read, write");
    let opened = page.body.split("name=\"opened\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    ada.post("/settings", &[("choice", "end"), ("opened", opened)]).leads_to("/settings?note=ended");
    let (reply, json) = token.get("/api/v1/apps/verify_credentials");
    assert_eq!(reply.status, 401, "{}", reply.body);
    assert!(json["error"].is_string());
}

#[test]
fn an_apps_token_is_no_cookie_and_a_cookie_is_no_token() {
    let site = Site::start();
    let mut ada = ada(&site);
    let token = ApiApp::register(&site.address).log_in("ada", "read write follow push");
    let (cookies, _) = send(&site.address, "GET /main", &format!("Cookie: session={}\r\n", token.token), "");
    cookies.leads_to("/login");
    let (reply, _) = send(
        &site.address,
        "GET /api/v1/apps/verify_credentials",
        &format!("Cookie: session={}\r\n", token.token),
        "",
    );
    assert_eq!(reply.status, 401, "the API knows no cookies");
    let session = ada.cookies["session"].clone();
    let (reply, _) = call(&site.address, "GET", "/api/v1/apps/verify_credentials", &session, None);
    assert_eq!(reply.status, 401);
    ada.get("/main").says(200, "Home");
}

#[test]
fn a_token_is_refused_for_a_reason_with_a_name() {
    let site = Site::start();
    ada(&site);
    let app = ApiApp::register(&site.address);
    let other = ApiApp { secret: "ab".repeat(32), ..app.clone() };
    let log_in = |password: &str, scope: &str| json!({"grant_type": "password", "username": "ada", "password": password, "scope": scope});
    let cases: [(&ApiApp, Value, u16, &str); 8] = [
        (&app, log_in("wrong password", "read"), 400, "invalid_grant"),
        (&app, log_in("password", "admin:read"), 400, "invalid_scope"),
        (&app, json!({"grant_type": "authorization_code", "code": "zz"}), 400, "invalid_grant"),
        (&app, json!({"grant_type": "authorization_code", "code": "ab".repeat(32)}), 400, "invalid_grant"),
        (&app, json!({"grant_type": "refresh_token"}), 400, "unsupported_grant_type"),
        (&app, json!({}), 400, "invalid_request"),
        (&other, log_in("password", "read"), 401, "invalid_client"),
        (&other, json!({"grant_type": "client_credentials"}), 401, "invalid_client"),
    ];
    for (app, parameters, status, error) in cases {
        let (reply, json) = app.token(parameters.clone());
        assert_eq!((reply.status, &json["error"]), (status, &json!(error)), "{parameters}: {}", reply.body);
        assert!(json["error_description"].is_string(), "{}", reply.body);
    }
}

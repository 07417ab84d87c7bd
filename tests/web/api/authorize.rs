//! The page on which a person lets an app act for them, and the codes it gives.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use testkit::api::{ApiApp, REDIRECT, call};
use testkit::http::{Browser, Reply};
use testkit::site::Site;

const SITE_REDIRECT: &str = "https://app.example/back?from=ribbit";
const BY_HAND: &str = "urn:ietf:wg:oauth:2.0:oob";

fn ada(site: &Site) -> Browser {
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    ada
}

fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Returns the parameters of the address to which an answer leads.
#[track_caller]
fn led_back(reply: &Reply, to: &str) -> BTreeMap<String, String> {
    assert_eq!(reply.status, 303, "{}", reply.body);
    let rest = reply.header("location").unwrap().strip_prefix(to).expect("the app's own address");
    form_urlencoded::parse(&rest.as_bytes()[1..]).into_owned().collect()
}

fn exchange(app: &ApiApp, code: &str, more: Value) -> (Reply, Value) {
    let mut parameters = json!({"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT});
    parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.token(parameters)
}

#[test]
fn a_person_allows_an_app_which_gets_one_token() {
    let site = Site::start();
    let mut ada = ada(&site);
    let app = ApiApp::register(&site.address);
    let asked = [
        ("client_id", app.id.as_str()),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", "read write"),
        ("state", "a b&<c>\"é"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    let page = ada.get(&format!("/oauth/authorize/?{}", encoded(&asked)));
    page.says(200, "<bdi>Toot</bdi>");
    page.says(200, "@ada");
    page.says(200, "<bdi>toot:</bdi>");
    page.says(200, "value=\"a b&#38;&#60;c&#62;&#34;é\"");
    assert!(!page.body.contains("type=\"password\"") && !page.body.contains("<script>"), "{}", page.body);
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("form-action 'self' toot:;") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    let mut form = asked.to_vec();
    form.push(("choice", "allow"));
    let foreign = ada.send(
        "POST",
        "/oauth/authorize",
        &[("Content-Type", "application/x-www-form-urlencoded"), ("Origin", "http://evil.example")],
        &encoded(&form),
    );
    assert_eq!(foreign.status, 403, "another site cannot consent");
    let back = led_back(&ada.post("/oauth/authorize", &form), REDIRECT);
    assert_eq!(back["state"], "a b&<c>\"é");
    let verifier = json!({"code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"});
    for wrong in [json!({}), json!({"code_verifier": "x".repeat(43)}), json!({"redirect_uri": SITE_REDIRECT})]
    {
        let (reply, json) = exchange(&app, &back["code"], wrong);
        assert_eq!((reply.status, &json["error"]), (400, &json!("invalid_grant")), "{}", reply.body);
    }
    let (reply, token) = exchange(&app, &back["code"], verifier.clone());
    assert_eq!((reply.status, &token["scope"]), (200, &json!("read write")), "{}", reply.body);
    assert!(token["created_at"].as_u64().is_some() && token.get("expires_in").is_none(), "{token}");
    let token = token["access_token"].as_str().unwrap();
    assert_eq!(call(&site.address, "GET", "/api/v1/apps/verify_credentials", token, None).0.status, 200);
    // One of two clients with the same code has stolen it: the token ends.
    let (reply, json) = exchange(&app, &back["code"], verifier);
    assert_eq!((reply.status, &json["error"]), (400, &json!("invalid_grant")), "{}", reply.body);
    assert_eq!(call(&site.address, "GET", "/api/v1/apps/verify_credentials", token, None).0.status, 401);
}

#[test]
fn a_stranger_logs_in_on_the_same_page_and_may_copy_the_code() {
    let site = Site::start();
    ada(&site);
    let app = ApiApp::register(&site.address);
    let asked = [("client_id", app.id.as_str()), ("redirect_uri", BY_HAND), ("response_type", "code")];
    let mut stranger = Browser::new(&site.address);
    let page = stranger.get(&format!("/oauth/authorize?{}", encoded(&asked)));
    page.says(200, "type=\"password\"");
    page.says(200, "You will get a code");
    let with = |username, password, choice| {
        let mut form = asked.to_vec();
        form.extend([("username", username), ("password", password), ("choice", choice)]);
        form
    };
    let wrong = stranger.post("/oauth/authorize", &with("ada", "open sesame", "allow"));
    wrong.says(422, "The password is wrong.");
    wrong.says(422, "value=\"ada\"");
    assert!(!wrong.body.contains("open sesame"));
    stranger.post("/oauth/authorize", &with("ada", "", "deny")).says(400, "You did not let the app");
    let page = stranger.post("/oauth/authorize", &with("ada", "password", "allow"));
    page.says(200, "Copy this code");
    let code = page.body.split("type=\"text\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let (reply, _) = exchange(&app, code, json!({"redirect_uri": BY_HAND}));
    assert_eq!(reply.status, 200, "{}", reply.body);
    // A person who is logged in is asked again only if the app wants it.
    let page = stranger.get(&format!("/oauth/authorize?{}", encoded(&asked)));
    assert!(!page.body.contains("type=\"password\""));
    stranger
        .get(&format!("/oauth/authorize?{}&force_login=true", encoded(&asked)))
        .says(200, "type=\"password\"");
}

#[test]
fn nobody_is_sent_to_an_address_that_no_app_has_registered() {
    let site = Site::start();
    let mut ada = ada(&site);
    let app = ApiApp::register(&site.address);
    let fine = [("client_id", app.id.as_str()), ("redirect_uri", SITE_REDIRECT), ("response_type", "code")];
    let with = |name: &'static str, value: &'static str| {
        let mut fields: Vec<(&str, &str)> =
            fine.iter().copied().filter(|(known, _)| *known != name).collect();
        fields.push((name, value));
        fields.push(("state", "7"));
        encoded(&fields)
    };
    for (name, value) in [
        ("client_id", "99"),
        ("client_id", "x"),
        ("redirect_uri", "https://evil.example/"),
        ("redirect_uri", "https://app.example/back?from=ribbit&more"),
        ("redirect_uri", "https://app.example/back"),
        ("redirect_uri", "//evil.example"),
        ("redirect_uri", ""),
        ("redirect_uri", "toot:back#a"),
    ] {
        for reply in [
            ada.get(&format!("/oauth/authorize?{}", with(name, value))),
            ada.post(
                "/oauth/authorize",
                &form_urlencoded::parse(with(name, value).as_bytes())
                    .collect::<Vec<_>>()
                    .iter()
                    .map(|(name, value)| (name.as_ref(), value.as_ref()))
                    .collect::<Vec<_>>(),
            ),
        ] {
            assert_eq!(
                (reply.status, reply.header("location")),
                (400, None),
                "{name}={value}: {}",
                reply.body
            );
        }
    }
    // Without an address the app's only one would be meant, but this app has three.
    let without = encoded(&[("client_id", app.id.as_str()), ("response_type", "code")]);
    assert_eq!(ada.get(&format!("/oauth/authorize?{without}")).status, 400);
    // What else is wrong is for the app to know, but only a person's decision leads there.
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "read admin:read", "invalid_scope"),
        ("scope", "profile:everything", "invalid_scope"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "S256", "invalid_request"),
    ] {
        let asked = with(name, value);
        let shown = ada.get(&format!("/oauth/authorize?{asked}"));
        assert_eq!((shown.status, shown.header("location")), (400, None), "{name}={value}: {}", shown.body);
        let fields: Vec<_> = form_urlencoded::parse(asked.as_bytes()).collect();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        let back = led_back(&ada.post("/oauth/authorize", &fields), SITE_REDIRECT);
        assert_eq!((back["error"].as_str(), back["state"].as_str()), (error, "7"));
    }
    let mut denied = fine.to_vec();
    denied.push(("choice", "deny"));
    let back = led_back(&ada.post("/oauth/authorize", &denied), SITE_REDIRECT);
    assert_eq!(back["error"], "access_denied");
}

#[test]
fn without_the_api_its_addresses_are_not_there() {
    let site = Site::start_with(|options| options.api = false);
    let mut ada = ada(&site);
    for path in
        ["/api/v1/instance", "/oauth/authorize?client_id=1", "/.well-known/oauth-authorization-server"]
    {
        assert_eq!(ada.get(path).status, 404, "{path}");
    }
}

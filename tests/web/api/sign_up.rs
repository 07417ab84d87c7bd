//! Accounts that apps create, and the rate limits of calls.

use ribbit_net::secret::token_hash;
use ribbit_roles::common::network::Network;
use ribbit_roles::web::limits::CREATIONS;
use ribbit_state::command::InvitationTerms;
use ribbit_state::query::OperatorQuery;
use ribbit_state::{Code, Denied, OperatorCommand, Page, Registration};
use ribbit_ui::words::refusal;
use serde_json::{Value, json};
use testkit::api::{ApiApp, call, send};
use testkit::http::{Browser, Reply};
use testkit::site::Site;

fn own_token(app: &ApiApp) -> String {
    let (reply, json) = app.token(json!({"grant_type": "client_credentials", "scope": "read write"}));
    assert_eq!(reply.status, 200, "{}", reply.body);
    json["access_token"].as_str().unwrap().to_string()
}

fn form(username: &str, password: &str) -> Value {
    json!({"username": username, "email": "a@b", "password": password, "agreement": true, "locale": "en"})
}

#[test]
fn an_app_creates_an_account_and_may_act_for_it() {
    let site = Site::start();
    let app = ApiApp::register(&site.address);
    let own = own_token(&app);
    let sign_up =
        |token: &str, form: Value| call(&site.address, "POST", "/api/v1/accounts", token, Some(&form));
    let (reply, json) = call(&site.address, "GET", "/api/v1/apps/verify_credentials", &own, None);
    assert_eq!((reply.status, &json["name"]), (200, &json!("Toot")), "{}", reply.body);
    let (reply, json) = sign_up(&own, form("ada", "password"));
    assert_eq!(reply.status, 200, "{}", reply.body);
    let token = json["access_token"].as_str().unwrap().to_string();
    assert_eq!(call(&site.address, "GET", "/api/v1/apps/verify_credentials", &token, None).0.status, 200);
    let mut ada = Browser::new(&site.address);
    ada.post("/login", &[("username", "ada"), ("password", "password")]).leads_to("/main");
    // Each wrong field with its reason.
    let (reply, json) =
        sign_up(&own, json!({"username": "a b", "email": "a", "password": "x", "agreement": true}));
    assert_eq!(reply.status, 422);
    for field in ["username", "email", "password"] {
        assert!(json["details"][field][0]["description"].is_string(), "{}", reply.body);
    }
    let (_, json) = sign_up(&own, form("ada", "password"));
    assert!(json["details"]["username"].is_array(), "{json}");
    let (reply, json) = sign_up(&own, json!({"username": "bob", "email": "a@b", "password": "password"}));
    assert_eq!(
        (reply.status, json["details"]["agreement"][0]["error"].as_str()),
        (422, Some("ERR_ACCEPTED"))
    );
    // A person's token creates no accounts, nor does an app without the scope.
    assert_eq!(sign_up(&token, form("bob", "password")).0.status, 403);
    let (_, reader) =
        call(&site.address, "POST", "/api/v1/apps", "", Some(&json!({"client_name": "Reader"})));
    let reader = ApiApp {
        id: reader["client_id"].as_str().unwrap().to_string(),
        secret: reader["client_secret"].as_str().unwrap().to_string(),
        ..app.clone()
    };
    let (_, json) = reader.token(json!({"grant_type": "client_credentials"}));
    assert_eq!(sign_up(json["access_token"].as_str().unwrap(), form("bob", "password")).0.status, 403);
    // The token of an app for itself is none of a person.
    let revoke = json!({"client_id": app.id, "client_secret": app.secret, "token": own});
    let (reply, json) = call(&site.address, "POST", "/oauth/revoke", "", Some(&revoke));
    assert_eq!((reply.status, &json["error"]), (400, &json!("unsupported_token_type")));
}

/// Each registration mode, without an invitation, with one, and with a wrong code.
#[test]
fn an_app_creates_an_account_as_the_registration_mode_lets_it() {
    let site = Site::start();
    let own = own_token(&ApiApp::register(&site.address));
    let sign_up = |username: &str, code: Option<&str>| {
        let mut form = form(username, "password");
        if let Some(code) = code {
            form["invite_code"] = json!(code);
        }
        call(&site.address, "POST", "/api/v1/accounts", &own, Some(&form))
    };
    let invite = |byte: u8| {
        let terms = InvitationTerms { uses: 1, for_ms: 86_400_000, room: None };
        site.group.operate(OperatorCommand::Invite { code: token_hash(&[byte; 16]), terms });
        format!("{byte:02x}").repeat(16)
    };
    let refuses = |(reply, json): (Reply, Value), code: Code| {
        let status = if code == Code::InvitationNotValid { 422 } else { 403 };
        assert_eq!(reply.status, status, "{}", reply.body);
        assert_eq!(json["error"], json!(refusal(Denied::new(code))), "{}", reply.body);
    };
    let modes = [
        (Registration::Open, None),
        (Registration::Invitation, Some(Code::InvitationNeeded)),
        (Registration::Request, Some(Code::AwaitingApproval)),
        (Registration::Closed, Some(Code::RegistrationClosed)),
    ];
    for (number, (registration, without)) in modes.into_iter().enumerate() {
        site.group.operate(OperatorCommand::SetRegistration { registration });
        match without {
            None => assert_eq!(sign_up("ada", None).0.status, 200),
            Some(code) => refuses(sign_up(&format!("bob{number}"), None), code),
        }
        // An invitation of the operators works in every mode, once.
        let code = invite(number as u8 + 1);
        let (reply, json) = sign_up(&format!("carl{number}"), Some(&code));
        assert!(reply.status == 200 && json["access_token"].is_string(), "{registration:?}: {}", reply.body);
        for wrong in [code.as_str(), "no code", &"07".repeat(16)] {
            refuses(sign_up(&format!("dora{number}"), Some(wrong)), Code::InvitationNotValid);
        }
    }
    let Page::JoinRequests { requests, .. } =
        site.group.read(&OperatorQuery::JoinRequests { after: None }.into())
    else {
        panic!()
    };
    assert_eq!(requests.iter().map(|asked| asked.username.as_str()).collect::<Vec<_>>(), ["bob2"]);
}

#[test]
fn an_app_ends_its_own_tokens_alone() {
    let site = Site::start();
    Browser::new(&site.address).join("ada");
    let (app, other) = (ApiApp::register(&site.address), ApiApp::register(&site.address));
    let token = app.log_in("ada", "read");
    let revoke = |app: &ApiApp, token: &str| {
        let form = json!({"client_id": app.id, "client_secret": app.secret, "token": token});
        call(&site.address, "POST", "/oauth/revoke", "", Some(&form))
    };
    let (reply, json) = revoke(&other, &token.token);
    assert_eq!((reply.status, &json["error"]), (403, &json!("unauthorized_client")), "{}", reply.body);
    let wrong = ApiApp { secret: "ab".repeat(32), ..app.clone() };
    assert_eq!(revoke(&wrong, &token.token).0.status, 401);
    assert_eq!(token.get("/api/v1/apps/verify_credentials").0.status, 200);
    assert_eq!(revoke(&app, &token.token).0.status, 200);
    assert_eq!(token.get("/api/v1/apps/verify_credentials").0.status, 401);
    for ended in [token.token.as_str(), "nonsense", ""] {
        assert_eq!(revoke(&app, ended).0.status, 200, "{ended}");
    }
}

#[test]
fn calls_say_what_is_left_of_their_rate_limit() {
    let site =
        Site::start_with(|options| options.trusted_proxies = vec![Network::parse("127.0.0.1").unwrap()]);
    let body = r#"{"client_name": "Toot"}"#;
    let register = || {
        let headers = format!(
            "X-Forwarded-For: 10.0.0.9\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        send(&site.address, "POST /api/v1/apps", &headers, body).0
    };
    for left in (0..CREATIONS.burst).rev() {
        let reply = register();
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.header("x-ratelimit-limit"), Some(CREATIONS.burst.to_string().as_str()));
        assert_eq!(reply.header("x-ratelimit-remaining"), Some(left.to_string().as_str()));
        assert!(reply.header("x-ratelimit-reset").is_some_and(|reset| reset.ends_with('Z')));
    }
    let reply = register();
    assert_eq!((reply.status, reply.header("x-ratelimit-remaining")), (429, Some("0")), "{}", reply.body);
    assert!(reply.header("retry-after").is_some() && reply.header("x-ratelimit-reset").is_some());
}

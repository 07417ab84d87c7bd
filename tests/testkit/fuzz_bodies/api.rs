//! Calls of the API: bodies as JSON, as forms and in parts, and the parameters of OAuth 2.

use ribbit_state::redirect::{check_redirects, origin};
use ribbit_state::{Scope, Scopes};
use ribbit_ui::api::params::{PARAMS_MAX, Params};
use ribbit_ui::api::pkce;

pub fn run(data: &[u8]) {
    let Some((kind, body)) = data.split_first() else { return };
    let mut params = Params::default();
    let read = match kind % 3 {
        0 => params.add_json(body),
        1 => params.add_form(body),
        _ => params.add_multipart("multipart/form-data; boundary=b", body.to_vec().into()),
    };
    if read.is_ok() {
        bounded(&params, body);
    }
    if let Ok(text) = std::str::from_utf8(body) {
        oauth(text);
    }
}

/// No more parameters than the bound, and none that the body does not have.
fn bounded(params: &Params, body: &[u8]) {
    assert!(params.len() <= PARAMS_MAX);
    for name in ["scope", "redirect_uris", "status", "poll[options]", "", "a"] {
        assert_eq!(params.get(name), params.all(name).next());
        assert!(params.all(name).map(str::len).sum::<usize>() <= 3 * body.len());
        let _ = (params.flag(name), params.number(name));
    }
}

fn oauth(text: &str) {
    if let Ok(scopes) = text.parse::<Scopes>() {
        assert_eq!(scopes.to_string().parse(), Ok(scopes));
        assert!(scopes.is_within(Scopes::all()) && scopes.iter().all(|scope| scopes.allows(scope)));
        assert!(scopes.iter().count() <= Scope::ALL.len());
    }
    // What a person may be sent to fits a header and a policy.
    if check_redirects(&[text.to_string()]).is_ok() {
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
    }
    if let Some(origin) = origin(text) {
        assert!(!origin.contains([';', ',', '\'', '"', '@', '/']) || origin.contains("://"), "{origin}");
        assert!(origin.matches('/').count() <= 2 && !origin.contains([';', ',', '\'', '"', '@']), "{origin}");
    }
    if let Some(proof) = pkce::proof(text) {
        assert_eq!(pkce::expected(text, Some("plain")), Some(proof));
    }
    let _ = pkce::expected(text, Some("S256"));
}

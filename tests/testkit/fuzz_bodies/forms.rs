//! Input from browsers: forms, queries and cookies.

use ribbit_net::secret;
use ribbit_state::Token;
use ribbit_ui::form::{Form, FormRequest, REQUEST_FIELD};

pub fn run(data: &[u8]) {
    form(data);
    if let Ok(text) = std::str::from_utf8(data) {
        cookies(text);
    }
}

/// A form that is sent again as it was understood is understood as the same.
fn form(data: &[u8]) {
    let form = Form::parse(data);
    let fields: Vec<(String, String)> = form_urlencoded::parse(data).into_owned().collect();
    let sent = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    let again = Form::parse(sent.as_bytes());
    for (name, _) in &fields {
        assert_eq!(form.get(name), again.get(name));
        assert_eq!(form.text(name), form.get(name).unwrap_or_default());
    }
    // What the rules make of the texts, none of which may be long.
    for (_, value) in &fields {
        let _ =
            ribbit_state::text::fold_username(value).map(|name| assert!(!name.is_empty() && name.is_ascii()));
        let _ = ribbit_state::text::fold_pattern(value).map(|pattern| assert!(!pattern.is_empty()));
        let _ = ribbit_state::text::check_name(value).map(|name| assert_eq!(name.trim(), name));
        let _ = ribbit_state::text::check_email(value).map(|email| assert!(email.contains('@')));
        let _ = ribbit_state::text::check_password(value);
        let stored = ribbit_state::text::croak_text(value);
        assert!(!stored.contains('\r') && stored.chars().count() == ribbit_state::text::croak_chars(value));
    }
    if let Some(Ok(request)) = form.get(REQUEST_FIELD).map(str::parse::<FormRequest>) {
        assert_eq!(request.to_string().parse(), Ok(request));
    }
}

/// As `roles::web::request_context` takes them apart.
fn cookies(text: &str) {
    for cookie in cookie::Cookie::split_parse(text).flatten() {
        if let Some(token) = secret::from_hex(cookie.value()) {
            assert_eq!(secret::to_hex(&token), cookie.value().to_ascii_lowercase());
        }
        if let Ok(token) = cookie.value().parse::<Token>() {
            assert_eq!(token.to_string().parse(), Ok(token));
        }
    }
}

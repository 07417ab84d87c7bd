//! Security headers of every answer, and escaping of everything that users type.

use ribbit_roles::web::routes::ROUTES;
use std::fs;
use std::path::Path;
use testkit::http::{Browser, Reply};
use testkit::site::Site;

/// Returns the path of every route, with an example for its parameter.
fn routes() -> Vec<String> {
    let found: Vec<String> =
        ROUTES.iter().map(|row| row.path.replace("{name}", "ada").replace("{id}", "6")).collect();
    assert!(found.len() >= 28, "{found:?}");
    found
}

#[track_caller]
fn is_kept_safe(what: &str, reply: &Reply) {
    let header = |name: &str| reply.header(name).unwrap_or_else(|| panic!("{what}: no {name}"));
    let policy = header("content-security-policy");
    for words in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types ribbit",
    ] {
        assert!(policy.split("; ").any(|part| part == words), "{what}: no {words} in {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{what}: {policy}");
    assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
    // Tells other sites nothing; `response.rs` says why it is not `no-referrer`.
    assert_eq!(header("referrer-policy"), "same-origin", "{what}");
    // The picture of the site is shown by clients of the API in the browser.
    let loaded_by = if what == "GET /favicon.svg" { "cross-origin" } else { "same-origin" };
    assert_eq!(header("cross-origin-resource-policy"), loaded_by, "{what}");
    assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{what}");
    assert!(header("permissions-policy").contains("camera=()"), "{what}");
    assert!(reply.header("access-control-allow-origin").is_none(), "{what}");
    assert!(header("content-type").contains('/'), "{what}");
    let is_file = ["style.css", "script.js", "favicon.svg", "robots.txt"]
        .iter()
        .any(|file| what == format!("GET /{file}"));
    // A feed is kept by its reader, which asks each time whether it has changed.
    let is_feed = header("content-type").starts_with("application/atom+xml");
    let keep = if is_file {
        "max-age=300"
    } else if is_feed {
        "no-cache"
    } else {
        "no-store"
    };
    assert_eq!(header("cache-control"), keep, "{what}");
}

#[test]
fn every_answer_carries_the_headers_that_keep_it_safe() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    ada.croak("number six");
    for path in routes() {
        // A live stream does not end by itself.
        if path == "/live" {
            continue;
        }
        for browser in [&mut Browser::new(&site.address), &mut ada.clone()] {
            is_kept_safe(&format!("GET {path}"), &browser.get(&path));
            is_kept_safe(&format!("POST {path}"), &browser.post(&path, &[("post", "x")]));
            is_kept_safe(&format!("DELETE {path}"), &browser.send("DELETE", &path, &[], ""));
            let foreign = [("Sec-Fetch-Site", "cross-site")];
            is_kept_safe(&format!("foreign POST {path}"), &browser.send("POST", &path, &foreign, ""));
        }
    }
    let nobody = &mut Browser::new(&site.address);
    is_kept_safe("GET /live", &nobody.get("/live"));
    is_kept_safe("GET /nothing", &nobody.get("/nothing"));
    is_kept_safe("TE", &nobody.send("POST", "/login", &[("Transfer-Encoding", "chunked")], ""));
    is_kept_safe("Host", &nobody.send("GET", "/login", &[("Host", "second")], ""));
}

#[test]
fn a_file_that_a_browser_has_is_not_sent_again() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    let mut tags = std::collections::BTreeSet::new();
    for path in ["/style.css", "/script.js", "/favicon.svg", "/robots.txt"] {
        let whole = ada.get(path);
        let tag = whole.header("etag").unwrap().to_string();
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 10, "{tag}");
        for known in [tag.as_str(), "*", &format!("\"other\", W/{tag}")] {
            let same = ada.send("GET", path, &[("If-None-Match", known)], "");
            assert_eq!(
                (same.status, same.body.as_str(), same.header("etag")),
                (304, "", Some(&*tag)),
                "{path} {known}"
            );
            assert_eq!(same.header("cache-control"), Some("max-age=300"), "{path}");
            assert!(same.header("content-security-policy").is_some(), "{path}");
        }
        let other = ada.send("GET", path, &[("If-None-Match", "\"other\"")], "");
        assert_eq!((other.status, &other.body), (200, &whole.body), "{path}");
        tags.insert(tag);
    }
    assert_eq!(tags.len(), 4);
}

#[test]
fn well_known_files_are_where_programs_look_for_them() {
    let mut nobody = Browser::new(&Site::start().address);
    nobody.get("/robots.txt").says(200, "Disallow: /\n");
    let change = nobody.get("/.well-known/change-password");
    assert_eq!((change.status, change.header("location")), (302, Some("/settings#change-password")));
    // Programs use this to see that status codes are reliable (change-password-url, 2).
    let nothing = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200";
    assert_eq!(nobody.get(nothing).status, 404);
    assert_eq!(nobody.get("/.well-known/security.txt").status, 404, "nobody is named");
    let site = Site::start_with(|options| options.security_contact = Some("mailto:frog@example.org".into()));
    let mut ada = Browser::new(&site.address);
    let text = ada.get("/.well-known/security.txt");
    text.says(200, "Contact: mailto:frog@example.org\n");
    text.says(200, "\nExpires: 20");
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
    // The target has a form for a new password.
    ada.join("ada");
    ada.get("/settings").says(200, "<h2 id=\"change-password\">Password</h2>");
}

#[test]
fn no_template_lets_anything_through() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui/templates");
    assert!(!folder.with_file_name("askama.toml").exists(), "nothing changes how templates are escaped");
    let mut looked_at = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "html") {
            continue;
        }
        looked_at += 1;
        let shown = path.display();
        let text = fs::read_to_string(&path).unwrap();
        // The text between {{ }} and {% %}.
        for piece in text.split(['{', '}']).filter(|piece| !piece.contains('<')) {
            for word in piece.split(|c: char| !c.is_alphanumeric() && c != '_') {
                let lets_through = ["safe", "escape", "e", "autoescape", "raw"].contains(&word);
                assert!(!lets_through, "{shown}: {word} in {piece:?}");
            }
        }
        // Only files of this site may contain scripts and styles.
        let lower = text.to_lowercase();
        for inline in [" style=", "<style", "javascript:", "<script>", "<iframe", "<object", "<embed"] {
            assert!(!lower.contains(inline), "{shown}: {inline}");
        }
        for attribute in lower.split_whitespace() {
            let handler = attribute.strip_prefix("on").and_then(|rest| rest.split_once('='));
            let named = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
            assert!(!handler.is_some_and(|(name, _)| named(name)), "{shown}: {attribute}");
        }
        // A value without quotes could become several attributes.
        for value in ["={{", "={%"] {
            for (at, _) in text.match_indices(value) {
                let element = text[..at].rfind('<').unwrap_or(0);
                let quotes = text[element..at].matches('"').count();
                assert!(quotes % 2 == 1, "{shown}: an attribute without quotes: {}", &text[element..at]);
            }
        }
    }
    assert!(looked_at >= 20, "{looked_at}");
}

#[test]
fn nothing_in_the_sources_goes_around_the_templates() {
    fn look(folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                look(&path);
            } else {
                let text = fs::read_to_string(&path).unwrap_or_default();
                for around in
                    ["HtmlSafe", "MarkupDisplay", "filters::safe", "filters::Safe", "escape = \"none\""]
                {
                    // The one type that is written as it is can only be made by rendering a template.
                    let times = usize::from(around == "HtmlSafe" && path.ends_with("ui/pages/markup.rs"));
                    assert_eq!(text.matches(around).count(), times, "{}: {around}", path.display());
                }
            }
        }
    }
    look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
}

/// Closes an attribute, opens an element, begins an entity, closes elements, and reverses the text direction.
const HOSTILE: &str = "\"'><script>alert(1)</script></textarea>&lt;{{7*7}}\u{202e}";

#[track_caller]
fn shows_it_harmless(what: &str, reply: &Reply) {
    let body = &reply.body;
    assert!(body.contains("&#60;script&#62;alert(1)"), "{what} does not show it: {body}");
    assert!(body.contains("&#34;&#39;&#62;&#60;script"), "{what}: its quotes: {body}");
    assert!(body.contains("&#38;lt;"), "{what}: its entity: {body}");
    assert!(!body.contains("<script>") && !body.contains("alert(1)</script>"), "{what}: {body}");
    // A reversed text direction ends with its element and its line.
    for rest in body.split('\u{202e}').skip(1) {
        let ends =
            ["</bdi>", "</p>", "</h1>", "\"", "\n</textarea>", "</textarea>", "x", " · ribbit</title>"];
        assert!(ends.iter().any(|end| rest.starts_with(end)), "{what}: {}", &rest[..rest.len().min(80)]);
    }
}

#[test]
fn hostile_text_is_escaped_on_every_page() {
    let site = Site::start();
    let (mut ada, mut bob) = (Browser::new(&site.address), Browser::new(&site.address));
    for (browser, username) in [(&mut ada, "ada"), (&mut bob, "bob")] {
        let fields = [("name", HOSTILE), ("email", "a@b"), ("username", username), ("password", "password")];
        let created = browser.post("/create", &fields);
        if created.status != 303 {
            panic!("{}", created.body);
        }
        browser.post("/login", &[("username", username), ("password", "password")]).leads_to("/main");
    }
    ada.post("/settings", &[("choice", "profile"), ("bio", HOSTILE)]).leads_to("/settings?note=saved");
    ada.croak(HOSTILE);
    ada.post("/messages/bob", &[("message", HOSTILE)]).leads_to("/messages/bob");
    bob.post("/manage", &[("username", "ada"), ("choice", "add")]).leads_to("/manage?note=added");
    let main = bob.get("/main");
    let id = main.body.split("id=\"croak-").nth(1).unwrap().split('"').next().unwrap();
    for path in [
        "/main",
        "/manage",
        "/people",
        "/people?who=friends",
        "/@ada",
        &format!("/croak/{id}"),
        "/messages",
        "/messages/ada",
        "/settings",
    ] {
        shows_it_harmless(path, &bob.get(path));
    }
    // Forms that come back refused.
    let long = format!("{HOSTILE}{}", "x".repeat(1_000));
    for (path, fields) in [
        ("/create", &[("name", HOSTILE), ("username", HOSTILE), ("email", HOSTILE)][..]),
        ("/login", &[("username", HOSTILE), ("password", "x")]),
        ("/main", &[("post", &long)]),
        ("/manage", &[("username", HOSTILE), ("choice", "add")]),
        ("/messages/ada", &[("message", &long)]),
        ("/settings", &[("choice", "profile"), ("name", HOSTILE), ("email", HOSTILE), ("links", HOSTILE)]),
    ] {
        let page = bob.post(path, fields);
        assert_eq!(page.status, 422, "{path}: {}", page.body);
        shows_it_harmless(path, &page);
    }
    let encoded: String = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    shows_it_harmless("a search", &bob.get(&format!("/people?names={encoded}")));
    // In an address it is an unknown username, or nothing.
    for path in [format!("/@{encoded}"), format!("/messages/{encoded}"), format!("/croak/{encoded}")] {
        let page = bob.get(&path);
        assert!(page.status == 404 || page.status == 422, "{path}: {}", page.status);
        assert!(!page.body.contains("<script>"), "{path}: {}", page.body);
    }
}

//! The files that come with the binary, and what stands under `/.well-known/`.
//!
//! A file's tag is a hash of what it holds: a browser that has the file is told so (304) instead of being sent it again, and one
//! that has another version's never keeps it beyond `max-age`.

use super::limits::SECURITY_TEXT_DAYS;
use super::request_context::wall_ms;
use super::response::{self, HttpResponse};
use blake2::{Blake2s256, Digest};
use hyper::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use hyper::{HeaderMap, StatusCode};
use ribbit_ui::pages::{FAVICON, SCRIPT, STYLE};
use ribbit_ui::time;

/// Bytes of a file's hash that make its tag.
const TAG_BYTES: usize = 8;

#[derive(Debug)]
struct StaticFile {
    content_type: &'static str,
    text: &'static str,
    tag: HeaderValue,
}

impl StaticFile {
    fn new(content_type: &'static str, text: &'static str) -> StaticFile {
        let hash = Blake2s256::digest(text);
        let hex: String = hash.iter().take(TAG_BYTES).map(|byte| format!("{byte:02x}")).collect();
        let tag = HeaderValue::from_str(&format!("\"{hex}\"")).expect("hexadecimal digits are ASCII");
        StaticFile { content_type, text, tag }
    }

    fn answer(&self, headers: &HeaderMap) -> HttpResponse {
        let mut answer = response::file(self.content_type, self.text);
        if self.is_known(headers) {
            answer = response::unchanged(answer);
        }
        answer.headers_mut().insert(ETAG, self.tag.clone());
        answer
    }

    /// Whether the browser has this very file. Tags are compared weakly, as RFC 9110 has it for this header: what lies in between
    /// may have packed the file.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let lines = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|line| line.to_str().ok());
        let tag = self.tag.to_str().unwrap_or_default();
        lines.flat_map(|line| line.split(',')).map(str::trim).any(|known| {
            let strong = known.strip_prefix("W/").unwrap_or(known);
            known == "*" || strong == tag
        })
    }
}

/// Asset file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asset {
    Style,
    Script,
    Favicon,
    Robots,
}

#[derive(Debug)]
pub struct Files {
    style: StaticFile,
    script: StaticFile,
    favicon: StaticFile,
    robots: StaticFile,
}

impl Files {
    pub fn new() -> Files {
        Files {
            style: StaticFile::new("text/css; charset=utf-8", STYLE),
            script: StaticFile::new("text/javascript; charset=utf-8", SCRIPT),
            favicon: StaticFile::new("image/svg+xml", FAVICON),
            // What people write here is for those who are logged in; the rest is forms.
            robots: StaticFile::new("text/plain; charset=utf-8", "User-agent: *\nDisallow: /\n"),
        }
    }

    pub fn answer(&self, which: Asset, headers: &HeaderMap) -> HttpResponse {
        let file = match which {
            Asset::Style => &self.style,
            Asset::Script => &self.script,
            Asset::Favicon => &self.favicon,
            Asset::Robots => &self.robots,
        };
        file.answer(headers)
    }
}

/// `/.well-known/security.txt` (RFC 9116). Nothing where nobody is named.
pub fn security_text(contact: Option<&str>) -> Option<HttpResponse> {
    let ends_ms = wall_ms() + SECURITY_TEXT_DAYS * 24 * 3_600_000;
    // On a board whose clock was never set no date would be true.
    let expires = time::shown(ends_ms)?.machine;
    let text = format!("Contact: {}\nExpires: {expires}\nPreferred-Languages: en\n", contact?);
    Some(response::text(StatusCode::OK, "text/plain; charset=utf-8", text))
}

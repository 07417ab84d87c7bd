//! Static files of the binary, avatars, and `/.well-known/`.
//!
//! The tag of a file is a hash of its content. A browser that has the file gets a 304 instead, and no browser keeps the file of
//! another version beyond `max-age`.

use crate::common::machine::wall_ms;
use crate::web::http::compression;
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::SECURITY_TEXT_DAYS;
use blake2::{Blake2s256, Digest};
use hyper::body::Bytes;
use hyper::header::{ETAG, HeaderValue, IF_NONE_MATCH, VARY};
use hyper::{HeaderMap, StatusCode};
use ribbit_ui::pages::{FAVICON, SCRIPT, STYLE};
use ribbit_ui::{avatar, time};

/// Number of bytes of the hash in a tag.
const TAG_BYTES: usize = 8;

#[derive(Debug)]
struct StaticFile {
    content_type: &'static str,
    text: &'static str,
    tag: HeaderValue,
    /// The file compressed, with a weak tag: the strong one belongs to other bytes.
    packed: Option<(Bytes, HeaderValue)>,
}

impl StaticFile {
    fn new(content_type: &'static str, text: &'static str) -> StaticFile {
        let packed = compression::pack_file(text).map(|packed| (packed, tag("W/", text)));
        StaticFile { content_type, text, tag: tag("", text), packed }
    }

    fn answer(&self, headers: &HeaderMap) -> WebResponse {
        let packed = self.packed.as_ref().filter(|_| compression::accepts_gzip(headers));
        let (mut answer, tag) = match packed {
            Some((packed, tag)) => (response::packed_file(self.content_type, packed.clone()), tag),
            None => (response::file(self.content_type, self.text), &self.tag),
        };
        if is_known(&self.tag, headers) {
            answer = response::unchanged(answer);
        }
        answer.headers_mut().insert(ETAG, tag.clone());
        if self.packed.is_some() {
            answer.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        answer
    }
}

/// Returns the tag of a file with this content: a prefix and a hash.
fn tag(prefix: &str, text: &str) -> HeaderValue {
    let hash = Blake2s256::digest(text);
    let hex: String = hash.iter().take(TAG_BYTES).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("{prefix}\"{hex}\"")).expect("hexadecimal digits are ASCII")
}

/// Returns true if the browser has the file with this tag. Tags are compared weakly, as RFC 9110 requires for this header: a
/// proxy may have compressed the file.
fn is_known(tag: &HeaderValue, headers: &HeaderMap) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|line| line.to_str().ok());
    let tag = tag.to_str().unwrap_or_default();
    lines.flat_map(|line| line.split(',')).map(str::trim).any(|known| {
        let strong = known.strip_prefix("W/").unwrap_or(known);
        known == "*" || strong == tag
    })
}

/// Answers `/avatar/NAME.svg`. `None` if there is no such file.
pub(in crate::web) fn avatar(name: &str, headers: &HeaderMap) -> Option<WebResponse> {
    let drawing = avatar::file(name)?;
    Some(tagged(drawing, headers, response::drawing))
}

/// Sends a text with the tag of its content, or a 304 if the program that asks has it already.
pub(in crate::web) fn tagged(
    text: String,
    headers: &HeaderMap,
    answer: impl FnOnce(String) -> WebResponse,
) -> WebResponse {
    let tag = tag("", &text);
    let mut answer = answer(text);
    if is_known(&tag, headers) {
        answer = response::unchanged(answer);
    }
    answer.headers_mut().insert(ETAG, tag);
    answer
}

/// A static file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Asset {
    Style,
    Script,
    Favicon,
    Robots,
}

#[derive(Debug)]
pub(in crate::web) struct Files {
    style: StaticFile,
    script: StaticFile,
    favicon: StaticFile,
    robots: StaticFile,
}

impl Files {
    pub(in crate::web) fn new() -> Files {
        Files {
            style: StaticFile::new("text/css; charset=utf-8", STYLE),
            script: StaticFile::new("text/javascript; charset=utf-8", SCRIPT),
            favicon: StaticFile::new("image/svg+xml", FAVICON),
            // All content is for users who are logged in; the rest is forms.
            robots: StaticFile::new("text/plain; charset=utf-8", "User-agent: *\nDisallow: /\n"),
        }
    }

    pub(in crate::web) fn answer(&self, which: Asset, headers: &HeaderMap) -> WebResponse {
        match which {
            Asset::Style => self.style.answer(headers),
            Asset::Script => self.script.answer(headers),
            // Clients of the API show it as the picture of this site and above profiles.
            Asset::Favicon => response::for_other_sites(self.favicon.answer(headers)),
            Asset::Robots => self.robots.answer(headers),
        }
    }
}

/// Answers `/.well-known/security.txt` (RFC 9116). `None` if no contact is configured.
pub(in crate::web) fn security_text(contact: Option<&str>) -> Option<WebResponse> {
    let ends_ms = wall_ms() + SECURITY_TEXT_DAYS * 24 * 3_600_000;
    // Without a clock no expiry date would be right.
    let expires = time::shown(ends_ms)?.machine;
    let text = format!("Contact: {}\nExpires: {expires}\nPreferred-Languages: en\n", contact?);
    Some(response::text(StatusCode::OK, "text/plain; charset=utf-8", text))
}

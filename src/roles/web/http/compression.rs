//! Compressed answers: gzip, for browsers that accept it. A board's radio is slower than its core.
//!
//! The length of a compressed page tells how much of it repeats, so a page with a secret and with text that another person
//! chose can give the secret away to an observer of the network who has the page loaded again and again (BREACH). Therefore:
//!
//! - Only the feed is compressed, and files of the binary. Talks, forms, settings and downloads never are. No page contains
//!   a session token or a password; the request id of a form is new in each answer.
//! - A page that another site asked for is not compressed, nor one of a browser that does not name the asking site. So
//!   another site cannot have it loaded again and again.
//! - Each compressed page has a header field of random length.

use crate::web::http::cross_site;
use crate::web::http::response::{ResponseBody, WebResponse};
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue, VARY};
use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params,
};
use std::cell::RefCell;

/// Level for pages, which are compressed for each answer: the quickest.
const PAGE_LEVEL: i32 = 1;
/// Level for files, which are compressed once.
const FILE_LEVEL: i32 = 9;
/// Negative window bits: a stream without the header and the checksum of zlib.
const RAW_WINDOW_BITS: i32 = -15;
/// Maximum length of the random header field of a page, in bytes: as much as a few croaks differ by.
const PADDING_BYTES_MAX: usize = 256;
/// Flag of the gzip header: an extra field follows.
const EXTRA_FIELD: u8 = 4;
/// Size of the head of a subfield of the extra field: two letters and its length.
const SUBFIELD_HEAD_BYTES: u16 = 4;

thread_local! {
    /// The compressor of this thread, which has 300 KiB of tables.
    static COMPRESSOR: RefCell<CompressorOxide> = RefCell::new(compressor(PAGE_LEVEL));
}

fn compressor(level: i32) -> CompressorOxide {
    CompressorOxide::new(create_comp_flags_from_zip_params(level, RAW_WINDOW_BITS, 0))
}

/// Returns true if the browser takes gzip.
pub(in crate::web) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let quality = quality.trim().strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && quality.is_some_and(|quality| quality > 0.0)
    })
}

/// Compresses a page, if its browser takes gzip and was not sent here by another site.
pub(in crate::web) fn pack_page(mut answer: WebResponse, headers: &HeaderMap) -> WebResponse {
    answer.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding, sec-fetch-site"));
    if !accepts_gzip(headers) || !cross_site::is_own_navigation(headers) {
        return answer;
    }
    // Without a random length, and for a stream, the page is sent as it is.
    let (ResponseBody::Whole(Some(plain)), Ok(random)) = (answer.body(), getrandom::u32()) else {
        return answer;
    };
    let padding = random as usize % PADDING_BYTES_MAX;
    let packed = COMPRESSOR.with_borrow_mut(|compressor| gzip(compressor, plain, padding));
    *answer.body_mut() = ResponseBody::Whole(Some(packed));
    answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    answer
}

/// Compresses a file of the binary. Returns `None` if it does not become shorter.
pub(in crate::web) fn pack_file(text: &str) -> Option<Bytes> {
    let packed = gzip(&mut compressor(FILE_LEVEL), text.as_bytes(), 0);
    (packed.len() < text.len()).then_some(packed)
}

/// Returns a gzip stream with a header field of `padding` bytes.
fn gzip(compressor: &mut CompressorOxide, plain: &[u8], padding: usize) -> Bytes {
    let subfield = u16::try_from(padding).expect("a header field is short");
    let mut packed = Vec::with_capacity(padding + plain.len() / 2 + 64);
    // Magic, deflate, flags, no time, no further flags, unknown system.
    packed.extend([0x1f, 0x8b, 8, EXTRA_FIELD, 0, 0, 0, 0, 0, 255]);
    packed.extend((SUBFIELD_HEAD_BYTES + subfield).to_le_bytes());
    packed.extend(*b"rb");
    packed.extend(subfield.to_le_bytes());
    packed.resize(packed.len() + padding, 0);
    compressor.reset();
    let (mut taken, mut written) = (0, packed.len());
    loop {
        packed.resize(packed.capacity().max(written + plain.len() / 4 + 64), 0);
        let (status, read, made) =
            compress(compressor, &plain[taken..], &mut packed[written..], TDEFLFlush::Finish);
        (taken, written) = (taken + read, written + made);
        match status {
            TDEFLStatus::Okay => {}
            TDEFLStatus::Done => break,
            TDEFLStatus::BadParam | TDEFLStatus::PutBufFailed => unreachable!("the buffers are valid"),
        }
    }
    packed.truncate(written);
    packed.extend(crc32fast::hash(plain).to_le_bytes());
    // The length modulo 2^32, as the format has it.
    packed.extend((plain.len() as u32).to_le_bytes());
    packed.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::http::response;
    use hyper::StatusCode;
    use miniz_oxide::inflate::decompress_to_vec;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    fn page(text: &str) -> WebResponse {
        response::text(StatusCode::OK, "text/html; charset=utf-8", text.to_string())
    }

    fn body(answer: &WebResponse) -> Bytes {
        let ResponseBody::Whole(Some(bytes)) = answer.body() else { panic!("not whole") };
        bytes.clone()
    }

    /// Returns the length of the padding and the text of a gzip stream, whose checksum and length are right.
    fn unpacked(packed: &[u8]) -> (usize, String) {
        assert_eq!(packed[..4], [0x1f, 0x8b, 8, EXTRA_FIELD]);
        let extra = usize::from(u16::from_le_bytes([packed[10], packed[11]]));
        let (stream, trailer) = packed[12 + extra..].split_at(packed.len() - 12 - extra - 8);
        let plain = decompress_to_vec(stream).unwrap();
        assert_eq!(trailer[..4], crc32fast::hash(&plain).to_le_bytes());
        assert_eq!(trailer[4..], u32::try_from(plain.len()).unwrap().to_le_bytes());
        (extra - usize::from(SUBFIELD_HEAD_BYTES), String::from_utf8(plain).unwrap())
    }

    #[test]
    fn a_page_reads_back_and_its_length_is_random() {
        let own = headers(&[("accept-encoding", "br;q=1.0, gzip;q=0.8"), ("sec-fetch-site", "same-origin")]);
        let mut paddings = std::collections::BTreeSet::new();
        for length in [0, 1, 100, 30_000, 500_000] {
            let text: String = (0..length).map(|n: usize| char::from(b'a' + (n * n % 26) as u8)).collect();
            for _ in 0..8 {
                let packed = pack_page(page(&text), &own);
                assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip");
                let (padding, plain) = unpacked(&body(&packed));
                assert_eq!(plain, text);
                paddings.insert(padding);
            }
        }
        assert!(
            paddings.len() > 10 && paddings.iter().all(|padding| *padding < PADDING_BYTES_MAX),
            "{paddings:?}"
        );
    }

    #[test]
    fn a_page_that_another_site_asked_for_is_not_compressed() {
        let plain =
            |pairs: &[_]| !pack_page(page("quak"), &headers(pairs)).headers().contains_key(CONTENT_ENCODING);
        let gzip = ("accept-encoding", "gzip, deflate, br");
        assert!(!plain(&[gzip, ("sec-fetch-site", "none")]), "typed by the user");
        assert!(plain(&[gzip, ("sec-fetch-site", "cross-site")]));
        assert!(plain(&[gzip, ("sec-fetch-site", "same-site")]));
        assert!(plain(&[gzip]), "an unencrypted page, or an old browser");
        for none in ["", "br", "gzip;q=0", "gzip; q=0.0", "x-gzip", "gzip;q=much"] {
            assert!(plain(&[("accept-encoding", none), ("sec-fetch-site", "same-origin")]), "{none:?}");
        }
    }

    #[test]
    fn a_file_is_compressed_if_that_makes_it_shorter() {
        let text = "quak ".repeat(1_000);
        let (padding, plain) = unpacked(&pack_file(&text).unwrap());
        assert_eq!((padding, plain), (0, text));
        assert!(pack_file("quak").is_none());
    }
}

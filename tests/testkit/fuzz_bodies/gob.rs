//! Requests to Chirper's backends.

use ribbit_roles::gateway::chirper::gob::{REQUEST_BYTES_MAX, read_request};

pub fn run(data: &[u8]) {
    let read = read_request(data);
    if let Ok(Some(request)) = &read {
        let bytes: usize = request.texts.iter().map(|(key, text)| key.len() + text.len()).sum();
        // A byte that is no UTF-8 becomes a character of three bytes.
        assert!(bytes + request.session.len() <= 3 * REQUEST_BYTES_MAX);
    }
    // A beginning of a request is never refused for want of the rest, and never another request.
    for cut in [data.len() / 2, data.len().saturating_sub(1)] {
        let begun = read_request(&data[..cut]);
        if read.is_ok() {
            assert!(begun == Ok(None) || begun == read);
        }
    }
}

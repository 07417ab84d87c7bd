//! Requests of the wire-protocol chat, cut anywhere, and replies with any text.

use ribbit_roles::gateway::chat::codec::{Reply, requests, take_text};

pub fn run(data: &[u8]) {
    let mut received = Vec::new();
    let mut text = String::new();
    for piece in data.chunks(7) {
        received.extend_from_slice(piece);
        text.push_str(&take_text(&mut received));
        assert!(received.len() < 4);
    }
    assert!(requests(&text).count() <= text.len());
    let (sender, text) = text.split_at(text.floor_char_boundary(4));
    for reply in [
        Reply::done(text),
        Reply::done(format!("Logged in as {text}.")),
        Reply::Chat { sender: sender.into(), deleted: data.len().is_multiple_of(2), text: text.into() },
    ] {
        is_read(&reply.encode());
    }
}

/// The client asks for as many bytes as it misses characters and decodes each piece alone.
fn is_read(bytes: &[u8]) {
    let width =
        if bytes[0] < 0x80 { 1 } else { usize::try_from(bytes[0].leading_ones()).expect("at most 8") };
    let length = std::str::from_utf8(&bytes[..width]).expect("a character").chars().next().expect("one");
    let mut missing = length as usize;
    assert!(missing > 0);
    let mut rest = &bytes[width + 2..];
    while missing > 0 {
        let (piece, behind) = rest.split_at(missing);
        missing -= std::str::from_utf8(piece).expect("no piece ends inside a character").chars().count();
        rest = behind;
    }
    assert!(rest.is_empty());
}

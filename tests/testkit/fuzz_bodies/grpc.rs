//! Input from the clients of the two gRPC protocols: messages in the bytes of a call, and the fields in a message.

use super::Parts;
use ribbit_roles::gateway::grpc::framing::{Frames, frame};
use ribbit_roles::gateway::grpc::limits::REPLY_BYTES_MAX;
use ribbit_roles::gateway::grpc::message::Message;
use ribbit_roles::gateway::{grpc_chat, sns};

pub fn run(data: &[u8]) {
    let mut parts = Parts(data);
    match parts.byte() % 8 {
        0 => framing(parts),
        1 => decode::<sns::messages::ClientId>(parts.0),
        2 => decode::<sns::messages::Request>(parts.0),
        3 => decode::<sns::messages::Post>(parts.0),
        4 => decode::<sns::messages::ServerInfo>(parts.0),
        5 => decode::<grpc_chat::messages::SendRequest>(parts.0),
        6 => decode::<grpc_chat::messages::GetReply>(parts.0),
        _ => decode::<sns::messages::ListReply>(parts.0),
    }
}

/// Asserts that a message that was read is written, and is then read as the same.
fn decode<M: Message + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    let Ok(message) = M::decode(bytes) else { return };
    let written = message.encode();
    assert_eq!(M::decode(&written).as_ref(), Ok(&message));
    // What is invalid in a string becomes three bytes for each.
    assert!(written.len() <= 16 + 12 * bytes.len(), "{} bytes of {}", written.len(), bytes.len());
}

/// Bytes in parts of any length are the same messages as in one.
fn framing(mut parts: Parts<'_>) {
    let mut whole = Frames::default();
    let mut pieces = Frames::default();
    let mut in_pieces = Vec::new();
    while !parts.is_empty() {
        let piece = parts.part();
        whole.push(piece);
        pieces.push(piece);
        while let Ok(Some(message)) = pieces.take() {
            in_pieces.push(message);
        }
    }
    let mut at_once = Vec::new();
    while let Ok(Some(message)) = whole.take() {
        assert!(message.len() <= REPLY_BYTES_MAX);
        at_once.push(message);
    }
    assert_eq!(at_once, in_pieces);
    for message in at_once {
        let mut again = Frames::default();
        again.push(&frame(&message).expect("it is no longer than what is read"));
        assert_eq!(again.take(), Ok(Some(message)));
        assert!(again.is_empty());
    }
}

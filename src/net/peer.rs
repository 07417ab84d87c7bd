//! What members say to each other on a peer link.
//!
//! ```text
//!   dialler ── PeerHello ──▶ acceptor        a link carries frames one way: dialler to acceptor
//!           ◀── PeerWelcome ─                the other way is the acceptor's own link
//!           ── PeerFrame … ─▶
//! ```
//!
//! A member that is not of the same cluster and history is refused with both in the message. The hello carries
//! where its sender is reached, so that a member that came back under another address is found again.

use super::frame::{self, FrameError};
use super::limits::PEER_FRAME_BYTES_MAX;
use super::protocol::MemberInfo;
use bytes::Bytes;
use ribbit_state::{ClusterId, HistoryId, LogIndex, RaftId, Request};
use serde::{Deserialize, Serialize};
use smol::io::AsyncRead;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerHello {
    pub cluster: ClusterId,
    pub history: HistoryId,
    pub from: MemberInfo,
    pub to: RaftId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PeerWelcome {
    /// Who the acceptor is, whom it knows, and what the dialler had applied when it last said so: a dialler whose
    /// log ends before that has lost what was on its disk.
    Welcome { me: MemberInfo, others: Vec<MemberInfo>, you_applied: LogIndex },
    /// In words for a log.
    Refused(String),
    /// The group removed the dialler, under the Raft id that it says: it never belongs again.
    Removed,
}

/// What travels on a link.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerFrame {
    /// A message of the consensus engine, opaque here.
    Raft(Bytes),
    Talk(PeerTalk),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PeerTalk {
    /// Requests for the leader.
    Forward(Vec<Request>),
    /// How the sender is; once a second.
    Beat(MemberInfo),
    /// How the sender's store is: first on a link, and with a beat when it has changed.
    Store(StoreNews),
    /// This member is there, in this life of its process, and these clients have said so through it. To the leader,
    /// and to coordinators, who pass it on.
    Alive { serial: u64, from: RaftId, incarnation: u64, clients: Vec<LogIndex> },
    /// The leader has heard that beat of `to`; a lease is good for so long from when it was sent.
    Heard { serial: u64, to: RaftId, lease_ms: u32 },
}

/// What others should know of a member's store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreNews {
    /// Digests of its state at one to three indexes, for comparing.
    pub digests: Vec<(LogIndex, u64)>,
    /// Nothing that grows should be taken for its sake.
    pub full: bool,
}

const RAFT: u8 = 0;
const TALK: u8 = 1;

/// A frame as bytes: length, a kind, then the engine's bytes as they are or postcard.
pub fn encode(peer_frame: &PeerFrame) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    match peer_frame {
        PeerFrame::Raft(message) => {
            bytes.reserve_exact(1 + message.len());
            bytes.push(RAFT);
            bytes.extend_from_slice(message);
        }
        PeerFrame::Talk(talk) => {
            bytes.push(TALK);
            bytes = postcard::to_extend(talk, bytes).expect("protocol types always serialise");
        }
    }
    let length = u32::try_from(bytes.len() - 4).expect("frames are far below 4 GiB");
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// Reads one frame.
///
/// # Errors
/// Ends the link: it is closed, or what came is no frame.
pub async fn read<R: AsyncRead + Unpin>(reader: &mut R) -> Result<PeerFrame, FrameError> {
    let bytes = Bytes::from(frame::read_bytes(reader, PEER_FRAME_BYTES_MAX).await?);
    match bytes.first() {
        Some(&RAFT) => Ok(PeerFrame::Raft(bytes.slice(1..))),
        Some(&TALK) => frame::decode(&bytes[1..]).map(PeerFrame::Talk),
        _ => Err(FrameError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back() {
        for sent in [PeerFrame::Raft(vec![1, 2, 3].into()), PeerFrame::Talk(PeerTalk::Forward(Vec::new()))] {
            let bytes = encode(&sent);
            assert_eq!(smol::block_on(read(&mut &bytes[..])).unwrap(), sent);
        }
        let unknown = [1, 0, 0, 0, 9];
        assert!(matches!(smol::block_on(read(&mut &unknown[..])), Err(FrameError::Malformed)));
    }
}

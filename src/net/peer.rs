//! Messages between members on the peer plane.
//!
//! ```text
//!   dialler ── PeerHello ──▶ acceptor        a link carries frames one way: dialler to acceptor
//!           ◀── PeerWelcome ─                the other way is a link that the acceptor opens
//!           ── PeerFrame … ─▶
//! ```
//!
//! A member of another cluster or history is refused with a message that names both. The hello carries the address of its
//! sender, so that a member that came back under another address is found again.

use super::frame::{self, FrameError};
use super::limits::PEER_FRAME_BYTES_MAX;
use super::protocol::MemberInfo;
use bytes::Bytes;
use ribbit_state::{ClusterId, HistoryId, LogIndex, RaftId, Request};
use serde::{Deserialize, Serialize};
use smol::io::AsyncRead;

/// First message on a link, from the dialler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerHello {
    pub cluster: ClusterId,
    pub history: HistoryId,
    /// The dialler.
    pub from: MemberInfo,
    /// Member that the dialler expects at this address.
    pub to: RaftId,
}

/// Answer of the acceptor to a [`PeerHello`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PeerWelcome {
    /// The link may be used. `me` is the acceptor, `others` are the members that it knows, and `you_applied` is the index
    /// that the dialler last reported as applied. A dialler with a shorter log has lost synced data.
    Welcome { me: MemberInfo, others: Vec<MemberInfo>, you_applied: LogIndex },
    /// The link is refused, for this reason; text for a log.
    Refused(String),
    /// The cluster has removed the member with the dialler's Raft id, which is never used again.
    Removed,
}

/// Frame on a link.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerFrame {
    /// A message of the consensus engine, opaque to this layer.
    Raft(Bytes),
    /// A message of the nodes.
    Talk(PeerTalk),
}

/// Message between the nodes of two members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PeerTalk {
    /// Requests of clients, for the leader.
    Forward(Vec<Request>),
    /// Heartbeat with the status of the sender, once a second.
    Heartbeat(MemberInfo),
    /// Status of the sender's store: the first message on a link, and sent with a heartbeat after a change.
    Store(StoreReport),
    /// Lease renewal of the member `from`, for this incarnation of its process, and of clients that renewed their leases
    /// through it. Sent to the leader, and to coordinators, which relay it.
    RenewLease { serial: u64, from: RaftId, incarnation: u64, clients: Vec<LogIndex> },
    /// Acknowledgement of the leader for the `RenewLease` of `to` with this serial number. The lease lasts for `lease_ms`
    /// from when the `RenewLease` was sent.
    LeaseRenewed { serial: u64, to: RaftId, lease_ms: u32 },
}

/// Status of a member's store, for the other members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreReport {
    /// Digests of the state at one to three indexes, which the members compare.
    pub digests: Vec<(LogIndex, u64)>,
    /// True while its disk quota is exceeded, so that growing writes should be refused.
    pub full: bool,
}

/// Kind of a frame with a message of the engine.
const RAFT: u8 = 0;
/// Kind of a frame with a [`PeerTalk`].
const TALK: u8 = 1;

/// Encodes a frame: the length, a byte for the kind, then the message of the engine or postcard.
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
/// [`FrameError`], which ends the link: `Closed` at its end, `Malformed` when the bytes are not a frame, or as
/// [`frame::read_bytes`].
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
    fn encoded_frames_are_read_back() {
        for sent in [PeerFrame::Raft(vec![1, 2, 3].into()), PeerFrame::Talk(PeerTalk::Forward(Vec::new()))] {
            let bytes = encode(&sent);
            assert_eq!(smol::block_on(read(&mut &bytes[..])).unwrap(), sent);
        }
        let unknown = [1, 0, 0, 0, 9];
        assert!(matches!(smol::block_on(read(&mut &unknown[..])), Err(FrameError::Malformed)));
    }
}

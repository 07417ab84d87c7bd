//! The join plane: a new server proves that it knows a join code, and gets the cluster file.
//!
//! ```text
//!   joiner                                              member
//!   preface, slot of the code, its SPAKE2 element ──────▶ looks the code up
//!                      ◀─────────────────── preface, JoinAnswer: the member's SPAKE2 element
//!   first message of NNpsk0 under the common key ────────▶ does it decrypt? The cluster counts the try or the use, then:
//!                      ◀─────────────────── JoinAnswer: second message of NNpsk0
//!                      ◀─────────────────── record: JoinFiles
//! ```
//!
//! - The code is short, so it is no key. SPAKE2 makes a key of it that is common only if both sides have the same code. What goes over
//!   the network allows no guess to be tested: a side tests one code in each connection.
//! - The joiner proves first. It tells a false member whether one guess was right, once in each start of the joiner. It
//!   uses nothing of an answer before the member has proven the code, too.
//! - The member tells nothing about a proof before the cluster has counted the try, and gives the file once.
//! - Refusals are not authenticated: an attacker in between can also just cut the connection.
//!
//! Not here: the row of the code and what is in the files (the roles).

use super::channel::Channel;
use super::frame::{self, FrameError, Plane, closed};
use super::handshake::{self, Arrival, KNOCK_BYTES, PREFACE_BYTES, Preface, Side};
use super::join_code::JoinCode;
use super::keys::{KEY_BYTES, Keys};
use super::limits::{
    CONNECT_DEADLINE, FRAME_BYTES_MAX, JOIN_ANSWER_BYTES_MAX, JOIN_DEADLINE, PROOF_DEADLINE,
};
use super::protocol::UnavailableReason;
use super::{secret, socket, tasks};
use async_net::TcpStream;
use ribbit_state::Denied;
use serde::{Deserialize, Serialize};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use snow::HandshakeState;
use spake2::{Ed25519Group, Identity, Password, Spake2};
use std::fmt;
use std::net::IpAddr;

/// Size of each message of NNpsk0: an ephemeral key and a tag.
const PROOF_BYTES: usize = 32 + 16;
/// Name of the joiner's side in SPAKE2. Part of the wire format.
const JOINER: &[u8] = b"ribbit joiner 1";
/// Name of the member's side in SPAKE2. Part of the wire format.
const MEMBER: &[u8] = b"ribbit member 1";

/// Answer of a member. New variants go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinAnswer {
    /// Its next message of the exchange.
    Message(Vec<u8>),
    Refused(Denied),
    /// Nothing was decided.
    Unavailable(UnavailableReason),
}

/// Files that a new server gets. `Debug` leaves out the cluster file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinFiles {
    /// Text of the cluster file.
    pub cluster_file: String,
    /// Addresses of the members.
    pub members: Vec<String>,
}

impl fmt::Debug for JoinFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinFiles with {:?}", self.members)
    }
}

/// Reason why a server did not get the files.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error("{0}")]
    Refused(Denied),
    #[error("the member cannot decide now: {0}")]
    Unavailable(UnavailableReason),
    /// The other side has not proven the code.
    #[error(
        "the server there does not know the join code: it belongs to another cluster, or it is an impostor"
    )]
    Impostor,
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Random numbers of the kernel, for SPAKE2.
struct KernelRandom;

impl rand_core::RngCore for KernelRandom {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }
    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        secret::fill(bytes);
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl rand_core::CryptoRng for KernelRandom {}

/// Returns what the proofs cover beside the elements.
fn prologue(joiner: &[u8; PREFACE_BYTES], slot: u8, member: &[u8; PREFACE_BYTES]) -> Vec<u8> {
    [&joiner[..], &[slot], member].concat()
}

/// Begins the exchange, and returns its state and the element to send.
fn begin(side: Side, code: &JoinCode) -> (Spake2<Ed25519Group>, Vec<u8>) {
    let (password, joiner, member) =
        (Password::new(code.password()), Identity::new(JOINER), Identity::new(MEMBER));
    match side {
        Side::Dialler => Spake2::start_a_with_rng(&password, &joiner, &member, KernelRandom),
        Side::Acceptor => Spake2::start_b_with_rng(&password, &joiner, &member, KernelRandom),
    }
}

/// Ends the exchange, and returns the handshake under its key.
fn end(
    side: Side,
    exchange: Spake2<Ed25519Group>,
    element: &[u8],
    prologue: &[u8],
) -> Result<HandshakeState, FrameError> {
    let key = exchange.finish(element).map_err(|_| FrameError::Malformed)?;
    let key: [u8; KEY_BYTES] = key.try_into().map_err(|_| FrameError::Malformed)?;
    Ok(side.under_key(prologue, &key))
}

/// Gets the files from the member at HOST:PORT.
///
/// # Errors
/// [`JoinError`]. After a `Frame` error the code may have been used.
pub async fn fetch(address: &str, code: &JoinCode) -> Result<JoinFiles, JoinError> {
    let connecting = async { Ok(TcpStream::connect(address).await?) };
    let stream = frame::with_timeout(CONNECT_DEADLINE, connecting).await?;
    let fetching = async { Ok(fetch_on(stream, code).await) };
    frame::with_timeout(JOIN_DEADLINE, fetching).await?
}

async fn fetch_on(mut stream: TcpStream, code: &JoinCode) -> Result<JoinFiles, JoinError> {
    socket::tune(&stream).map_err(FrameError::from)?;
    let ours = Preface { plane: Plane::Join, cluster: None, key: 0 }.to_bytes();
    let (exchange, element) = begin(Side::Dialler, code);
    let knock = [&ours[..], &[code.slot()], &element].concat();
    stream.write_all(&knock).await.map_err(FrameError::from)?;
    let mut theirs = [0; PREFACE_BYTES];
    stream.read_exact(&mut theirs).await.map_err(closed)?;
    Preface::parse(&theirs)?;
    let element = message(&mut stream).await?;
    let prologue = prologue(&ours, code.slot(), &theirs);
    let mut state = end(Side::Dialler, exchange, &element, &prologue)?;
    stream.write_all(&handshake::written(&mut state, &[])?).await.map_err(FrameError::from)?;
    let proof = message(&mut stream).await?;
    state.read_message(&proof, &mut [0; PROOF_BYTES]).map_err(|_| JoinError::Impostor)?;
    let mut channel = handshake::channel(stream, state)?;
    Ok(frame::read(&mut channel.reader, FRAME_BYTES_MAX).await?)
}

/// Reads the member's next message.
async fn message(stream: &mut TcpStream) -> Result<Vec<u8>, JoinError> {
    match frame::read(stream, JOIN_ANSWER_BYTES_MAX).await? {
        JoinAnswer::Message(bytes) => Ok(bytes),
        JoinAnswer::Refused(denied) => Err(JoinError::Refused(denied)),
        JoinAnswer::Unavailable(reason) => Err(JoinError::Unavailable(reason)),
    }
}

/// A server that asks to join, at a member.
#[derive(Debug)]
pub struct Knock {
    stream: TcpStream,
    from: IpAddr,
    slot: u8,
    element: Vec<u8>,
    prologue: Vec<u8>,
}

impl Knock {
    /// Reads the first message of a connection on the join plane.
    ///
    /// # Errors
    /// As [`handshake::accept`].
    pub async fn read(mut stream: TcpStream, arrival: Arrival, keys: &Keys) -> Result<Knock, FrameError> {
        let mut first = [0; KNOCK_BYTES];
        stream.read_exact(&mut first).await.map_err(closed)?;
        let from = handshake::origin(&stream, arrival.proxy, &first, keys)?;
        let ours = Preface { plane: Plane::Join, cluster: keys.cluster(), key: 0 }.to_bytes();
        let [slot, element @ ..] = first;
        let prologue = prologue(&arrival.preface.to_bytes(), slot, &ours);
        stream.write_all(&ours).await?;
        Ok(Knock { stream, from, slot, element: element.to_vec(), prologue })
    }

    /// Returns the address of the server, not of a balancer in between.
    pub fn from(&self) -> IpAddr {
        self.from
    }

    /// Returns the slot of the code that the server says it has.
    pub fn slot(&self) -> u8 {
        self.slot
    }

    /// Ends the connection with a refusal.
    ///
    /// # Errors
    /// As [`frame::write`].
    pub async fn refuse(mut self, answer: JoinAnswer) -> Result<(), FrameError> {
        frame::write(&mut self.stream, &answer).await
    }

    /// Exchanges the proofs of this code, up to that of the server.
    ///
    /// # Errors
    /// `Malformed` for an invalid element, `TimedOut` without a proof in time, `Closed` or `Io` when the connection fails. The
    /// server has then not learned anything about the code.
    pub async fn meet(self, code: JoinCode) -> Result<Meeting, FrameError> {
        let Knock { mut stream, element, prologue, .. } = self;
        // Any client can cause this computation, so it does not run on the thread of the Raft core.
        let (element, mut state) = tasks::spawn_reader(async move {
            let (exchange, ours) = begin(Side::Acceptor, &code);
            Ok::<_, FrameError>((ours, end(Side::Acceptor, exchange, &element, &prologue)?))
        })
        .await?;
        frame::write(&mut stream, &JoinAnswer::Message(element)).await?;
        let mut proof = [0; PROOF_BYTES];
        let proving = async { stream.read_exact(&mut proof).await.map_err(closed) };
        frame::with_timeout(PROOF_DEADLINE, proving).await?;
        let is_proven = state.read_message(&proof, &mut [0; PROOF_BYTES]).is_ok();
        Ok(Meeting { stream, state, is_proven })
    }
}

/// A server that has sent its proof.
pub struct Meeting {
    stream: TcpStream,
    state: HandshakeState,
    is_proven: bool,
}

impl Meeting {
    /// Returns true if the server knows the code. It does not learn it before [`Meeting::give`] or [`Meeting::refuse`].
    pub fn is_proven(&self) -> bool {
        self.is_proven
    }

    /// Ends the connection with a refusal.
    ///
    /// # Errors
    /// As [`frame::write`].
    pub async fn refuse(mut self, answer: JoinAnswer) -> Result<(), FrameError> {
        frame::write(&mut self.stream, &answer).await
    }

    /// Proves the code to a server that has proven it, and sends the files.
    ///
    /// # Errors
    /// `Malformed` if the server has not proven the code, and those of [`frame::write`].
    pub async fn give(mut self, files: &JoinFiles) -> Result<(), FrameError> {
        if !self.is_proven {
            return Err(FrameError::Malformed);
        }
        let proof = handshake::written(&mut self.state, &[])?;
        frame::write(&mut self.stream, &JoinAnswer::Message(proof)).await?;
        let Channel { mut writer, .. } = handshake::channel(self.stream, self.state)?;
        frame::write(&mut writer, files).await
    }
}

#[cfg(test)]
mod tests;

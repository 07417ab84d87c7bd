//! How a connection begins: who each side is, and keys that nobody else has.
//!
//! ```text
//!   dialler                                         acceptor
//!   preface: "ribbit", version, plane, cluster ──┐
//!   first Noise message ─────────────────────────┴▶  preface: "ribbit", version, plane, cluster ─┐
//!                        ◀──────────────────────────  second Noise message: its cluster ─────────┘
//!   records ◀─────────────────────────────────────▶  records                     (super::channel)
//! ```
//!
//! - **Closed planes** (peer, control, snapshot): `NNpsk0`. Both sides have the members' key; without it not even the
//!   first message can be made or read, and nothing costly is done for who cannot.
//! - **Open planes** (client, status, directory): `NX`. The acceptor shows the cluster's public key and proves that it has
//!   the private one; whether that key is the right one is [`Keys`]' to judge. The dialler stays unknown: people show who
//!   they are by a session, inside.
//! - The dialler's preface is the handshake's prologue: version, plane and cluster are what both sides think, or nothing
//!   comes about. A dialler that does not know the cluster says zero, and is told it inside the second message, so that
//!   it is nobody else's word. What stands in the acceptor's preface, in the clear, serves better words alone.
//! - Each connection has keys of its own, which are gone with it: whoever takes the cluster file later does not read what
//!   was recorded before.
//!
//! A preface of another version is answered with ours and closed: both sides can say so.
//!
//! **Carried.** A balancer stands in between and is seen instead of whoever connected to it. So it says before the preface
//! where that one comes from, under a seal that only the cluster's own processes can make, over the dialler's first
//! message: that has a key in it that nobody else can go on with, so the seal is of no use for another connection.
//! What a stranger says of himself is never believed.

use super::channel::Channel;
use super::frame::{self, FrameError, Plane, WIRE_VERSION, closed};
use super::http::GET;
use super::keys::{Keys, PublicKey, SEAL_BYTES};
use super::limits::CONNECT_DEADLINE;
use super::{socket, tasks};
use async_net::TcpStream;
use ribbit_state::ClusterId;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver, RingResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState};
use std::net::{IpAddr, Ipv6Addr};

const MAGIC: &[u8; 6] = b"ribbit";
const CLUSTER_BYTES: usize = 16;
/// What every version of the protocol begins with: magic, version, plane.
pub const HEAD_BYTES: usize = 8;
/// Bytes of a preface.
pub const PREFACE_BYTES: usize = HEAD_BYTES + CLUSTER_BYTES;

const CLOSED: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";
const OPEN: &str = "Noise_NX_25519_ChaChaPoly_BLAKE2s";
/// Instead of the head of a preface, before what a balancer says.
const CARRIED_HEAD: [u8; HEAD_BYTES] = [b'r', b'i', b'b', b'b', b'i', b't', WIRE_VERSION, 0xff];
const ADDRESS_BYTES: usize = 16;
/// More than any message of a handshake has.
const MESSAGE_BYTES_MAX: usize = 128;

/// What a side says of itself before anything is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preface {
    pub plane: Plane,
    /// Nothing: it does not know yet.
    pub cluster: Option<ClusterId>,
}

impl Preface {
    pub fn to_bytes(self) -> [u8; PREFACE_BYTES] {
        let mut bytes = [0; PREFACE_BYTES];
        bytes[..6].copy_from_slice(MAGIC);
        bytes[6] = WIRE_VERSION;
        bytes[7] = self.plane as u8;
        bytes[HEAD_BYTES..].copy_from_slice(&self.cluster.map_or(0, |cluster| cluster.0).to_be_bytes());
        bytes
    }

    /// # Errors
    /// `NotRibbit`, `OtherVersion`, or `Malformed` for a plane that does not exist.
    pub fn parse(bytes: &[u8; PREFACE_BYTES]) -> Result<Preface, FrameError> {
        let (head, cluster) = bytes.split_at(HEAD_BYTES);
        let plane = plane_of(head.try_into().expect("the head is split off"))?;
        let cluster = u128::from_be_bytes(cluster.try_into().expect("the rest is the cluster"));
        Ok(Preface { plane, cluster: (cluster != 0).then_some(ClusterId(cluster)) })
    }
}

fn plane_of(head: &[u8; HEAD_BYTES]) -> Result<Plane, FrameError> {
    if &head[..6] != MAGIC {
        return Err(FrameError::NotRibbit);
    }
    if head[6] != WIRE_VERSION {
        return Err(FrameError::OtherVersion(head[6]));
    }
    Plane::of_number(head[7]).ok_or(FrameError::Malformed)
}

/// What a balancer says of a connection that it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    from: IpAddr,
    seal: [u8; SEAL_BYTES],
}

/// Who has connected, as far as its opening says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    pub preface: Preface,
    pub carried: Option<Carried>,
}

/// How a connection that was accepted begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    Ribbit(Arrival),
    /// `GET `: a program that watches, see [`super::http`].
    Http,
}

/// Reads what the other side says it is. Takes no byte more than that.
///
/// # Errors
/// As [`Preface::parse`]; `Closed` when it hangs up first.
pub async fn read_opening(stream: &mut TcpStream) -> Result<Opening, FrameError> {
    let mut bytes = [0; PREFACE_BYTES];
    stream.read_exact(&mut bytes[..GET.len()]).await.map_err(closed)?;
    if &bytes[..GET.len()] == GET {
        return Ok(Opening::Http);
    }
    stream.read_exact(&mut bytes[GET.len()..HEAD_BYTES]).await.map_err(closed)?;
    let carried = match bytes[..HEAD_BYTES] == CARRIED_HEAD {
        true => Some(read_carried(stream, &mut bytes).await?),
        false => None,
    };
    let head = bytes.first_chunk().expect("a preface begins with its head");
    if let Err(error) = plane_of(head) {
        if let FrameError::OtherVersion(_) = error {
            // So that it can say so, too. Whether it hears it is its own affair.
            let ours = Preface { plane: Plane::Client, cluster: None };
            let _ = stream.write_all(&ours.to_bytes()).await;
        }
        return Err(error);
    }
    stream.read_exact(&mut bytes[HEAD_BYTES..]).await.map_err(closed)?;
    Ok(Opening::Ribbit(Arrival { preface: Preface::parse(&bytes)?, carried }))
}

/// Reads what stands behind the head of a carried connection, and the head of the preface behind that.
async fn read_carried(
    stream: &mut TcpStream,
    bytes: &mut [u8; PREFACE_BYTES],
) -> Result<Carried, FrameError> {
    let (mut from, mut seal) = ([0; ADDRESS_BYTES], [0; SEAL_BYTES]);
    stream.read_exact(&mut from).await.map_err(closed)?;
    stream.read_exact(&mut seal).await.map_err(closed)?;
    stream.read_exact(&mut bytes[..HEAD_BYTES]).await.map_err(closed)?;
    Ok(Carried { from: Ipv6Addr::from(from).to_canonical(), seal })
}

/// What a balancer sends a backend of a connection that it carries: where that comes from, and what it has said so far.
/// Reads the dialler's first message for it.
///
/// # Errors
/// As reading.
pub async fn carry(stream: &mut TcpStream, arrival: Arrival, keys: &Keys) -> Result<Vec<u8>, FrameError> {
    let Arrival { preface, carried } = arrival;
    let mut message = [0; MESSAGE_BYTES_MAX];
    let first = &mut message[..first_bytes(preface.plane)];
    stream.read_exact(first).await.map_err(closed)?;
    let from = origin(stream, carried, first, keys)?;
    let seal = keys.seal(&carried_words(from, first)).ok_or(FrameError::NoKey)?;
    Ok([&CARRIED_HEAD[..], &address_bytes(from), &seal, &preface.to_bytes(), first].concat())
}

/// Where a connection comes from: whom a balancer carries, else who is at its other end.
fn origin(
    stream: &TcpStream,
    carried: Option<Carried>,
    first: &[u8],
    keys: &Keys,
) -> Result<IpAddr, FrameError> {
    match carried {
        None => Ok(stream.peer_addr()?.ip().to_canonical()),
        Some(Carried { from, seal }) if keys.have_sealed(&carried_words(from, first), &seal) => Ok(from),
        Some(_) => Err(FrameError::OtherKey),
    }
}

fn address_bytes(address: IpAddr) -> [u8; ADDRESS_BYTES] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
    .octets()
}

fn carried_words(from: IpAddr, first: &[u8]) -> Vec<u8> {
    [&address_bytes(from.to_canonical())[..], first].concat()
}

/// Opens a connection to HOST:PORT for `plane`.
///
/// # Errors
/// `Closed` when the other side hangs up instead of answering (a balancer without backends does), `TimedOut` after
/// `CONNECT_DEADLINE`, `NotRibbit` and its like for a foreign server, `OtherCluster`, `OtherKey` or `Mistrusted` for one
/// that is not of this cluster, `NoKey` where ours is missing.
pub async fn connect(address: &str, plane: Plane, keys: &Keys) -> Result<Channel, FrameError> {
    let connecting = async {
        let mut stream = TcpStream::connect(address).await?;
        socket::tune(&stream)?;
        let (state, answer) = dial(&mut stream, plane, keys).await?;
        if !plane.is_closed() {
            let key = state.get_remote_static().and_then(|key| key.try_into().ok());
            keys.judge(address, answer, PublicKey(key.ok_or(FrameError::Malformed)?))?;
        }
        Ok(Channel::new(stream, state.into_transport_mode().map_err(|_| FrameError::Malformed)?))
    };
    frame::within(CONNECT_DEADLINE, connecting).await
}

/// The dialler's part, and the cluster that the acceptor says it is of.
async fn dial(
    stream: &mut TcpStream,
    plane: Plane,
    keys: &Keys,
) -> Result<(HandshakeState, ClusterId), FrameError> {
    let ours = Preface { plane, cluster: keys.cluster() };
    let prologue = ours.to_bytes();
    let mut state = match plane.is_closed() {
        true => Side::Dialler.closed(&prologue, keys)?,
        false => Side::Dialler.open(&prologue, keys)?,
    };
    let mut first = prologue.to_vec();
    first.extend(written(&mut state, &[])?);
    stream.write_all(&first).await?;

    let mut bytes = [0; PREFACE_BYTES];
    stream.read_exact(&mut bytes).await.map_err(closed)?;
    let theirs = Preface::parse(&bytes)?;
    match (theirs.cluster, ours.cluster) {
        (Some(theirs), Some(ours)) if theirs != ours => {
            return Err(FrameError::OtherCluster { theirs, ours });
        }
        _ if theirs.plane != plane => return Err(FrameError::Malformed),
        _ => {}
    }
    let mut message = [0; MESSAGE_BYTES_MAX];
    let message = &mut message[..second_bytes(plane)];
    if let Err(error) = stream.read_exact(message).await.map_err(closed) {
        // Its preface and nothing more: our first message made no sense to it.
        return Err(match error {
            FrameError::Closed if plane.is_closed() => FrameError::OtherKey,
            error => error,
        });
    }
    let mut payload = [0; MESSAGE_BYTES_MAX];
    let read = state.read_message(message, &mut payload).map_err(|_| FrameError::OtherKey)?;
    let cluster = payload[..read].try_into().map_err(|_| FrameError::Malformed)?;
    let cluster = ClusterId(u128::from_be_bytes(cluster));
    if keys.cluster().is_some_and(|ours| ours != cluster) {
        return Err(FrameError::Malformed);
    }
    Ok((state, cluster))
}

/// A connection that may be used.
#[derive(Debug)]
pub struct Accepted {
    pub channel: Channel,
    /// Where whoever dialled is, a balancer left out.
    pub from: IpAddr,
}

/// The acceptor's part, once the opening was read.
///
/// # Errors
/// As reading; `OtherCluster` and `OtherKey` when the dialler is not of this cluster: it was told.
pub async fn accept(mut stream: TcpStream, arrival: Arrival, keys: &Keys) -> Result<Accepted, FrameError> {
    let Arrival { preface, carried } = arrival;
    let cluster = keys.cluster().ok_or(FrameError::NoKey)?;
    let ours = Preface { plane: preface.plane, cluster: Some(cluster) }.to_bytes();
    if let Some(theirs) = preface.cluster.filter(|theirs| *theirs != cluster) {
        stream.write_all(&ours).await?;
        return Err(FrameError::OtherCluster { theirs, ours: cluster });
    }
    let mut message = [0; MESSAGE_BYTES_MAX];
    let first = &mut message[..first_bytes(preface.plane)];
    stream.read_exact(first).await.map_err(closed)?;
    let from = origin(&stream, carried, first, keys)?;
    let answered = match preface.plane.is_closed() {
        // Who has not the key is found out before any curve is computed.
        true => answer(preface, first, keys, cluster),
        // Anybody may ask for this much work: it is done where the group does not wait for it.
        false => {
            let (first, keys) = (first.to_vec(), keys.clone());
            tasks::spawn_reader(async move { answer(preface, &first, &keys, cluster) }).await
        }
    };
    let (state, second) = match answered {
        Ok(answered) => answered,
        Err(error) => {
            stream.write_all(&ours).await?;
            return Err(error);
        }
    };
    stream.write_all(&[&ours[..], &second].concat()).await?;
    let state = state.into_transport_mode().map_err(|_| FrameError::Malformed)?;
    Ok(Accepted { channel: Channel::new(stream, state), from })
}

/// What the first message is answered with.
fn answer(
    preface: Preface,
    first: &[u8],
    keys: &Keys,
    cluster: ClusterId,
) -> Result<(HandshakeState, Vec<u8>), FrameError> {
    let prologue = preface.to_bytes();
    let mut state = match preface.plane.is_closed() {
        true => Side::Acceptor.closed(&prologue, keys)?,
        false => Side::Acceptor.open(&prologue, keys)?,
    };
    let mut payload = [0; MESSAGE_BYTES_MAX];
    state.read_message(first, &mut payload).map_err(|_| FrameError::OtherKey)?;
    let second = written(&mut state, &cluster.0.to_be_bytes())?;
    Ok((state, second))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Dialler,
    Acceptor,
}

impl Side {
    fn closed(self, prologue: &[u8], keys: &Keys) -> Result<HandshakeState, FrameError> {
        let members = keys.members().ok_or(FrameError::NoKey)?;
        self.build(builder(CLOSED, prologue).psk(0, members))
    }

    fn open(self, prologue: &[u8], keys: &Keys) -> Result<HandshakeState, FrameError> {
        let builder = builder(OPEN, prologue);
        self.build(match self {
            Side::Dialler => Ok(builder),
            Side::Acceptor => builder.local_private_key(keys.private().ok_or(FrameError::NoKey)?),
        })
    }

    fn build(self, builder: Result<Builder<'_>, snow::Error>) -> Result<HandshakeState, FrameError> {
        let built = builder.and_then(|builder| match self {
            Side::Dialler => builder.build_initiator(),
            Side::Acceptor => builder.build_responder(),
        });
        Ok(built.expect("the patterns are fixed, and have the keys that they need"))
    }
}

fn builder<'a>(pattern: &str, prologue: &'a [u8]) -> Builder<'a> {
    let pattern = pattern.parse().expect("the patterns are fixed");
    let builder = Builder::with_resolver(pattern, Box::new(Primitives));
    builder.prologue(prologue).expect("a prologue is set once")
}

/// Whose ciphers and hashes: records are sealed by ring, which seals and opens a short one in a tenth of the time that
/// snow's own choice takes (x86_64). The rest comes once a connection.
struct Primitives;

impl CryptoResolver for Primitives {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        RingResolver.resolve_rng()
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        RingResolver.resolve_cipher(choice)
    }
}

fn written(state: &mut HandshakeState, payload: &[u8]) -> Result<Vec<u8>, FrameError> {
    let mut message = vec![0; MESSAGE_BYTES_MAX];
    let length = state.write_message(payload, &mut message).map_err(|_| FrameError::Malformed)?;
    message.truncate(length);
    Ok(message)
}

const KEY: usize = 32;
const TAG: usize = 16;

/// Bytes of the dialler's message: a key, and on closed planes the seal of nothing.
fn first_bytes(plane: Plane) -> usize {
    if plane.is_closed() { KEY + TAG } else { KEY }
}

/// Bytes of the acceptor's: a key, on open planes the cluster's own under a seal, and the cluster's id under one.
fn second_bytes(plane: Plane) -> usize {
    let shown = if plane.is_closed() { 0 } else { KEY + TAG };
    KEY + shown + CLUSTER_BYTES + TAG
}

#[cfg(test)]
mod tests;

//! The beginning of a connection: a preface, authentication, and session keys.
//!
//! ```text
//!   dialler                                         acceptor
//!   preface: "ribbit", version, plane, cluster, key ─┐
//!   first Noise message ─────────────────────────────┴▶  preface: "ribbit", version, plane, cluster, key ─┐
//!                        ◀──────────────────────────────  second Noise message: its cluster and key ──────┘
//!   records ◀─────────────────────────────────────────▶  records                      (super::channel)
//! ```
//!
//! - **Closed planes** (peer, control, snapshot): `NNpsk0`. Both sides have the members' key. Without it the first message
//!   can neither be made nor read, and the acceptor does no costly work for it.
//! - **Open planes** (client, status, directory): `NX`. The acceptor shows the cluster's public key and proves that it has
//!   the private key. [`Keys`] decides whether that key is trusted. The dialler stays anonymous; users authenticate
//!   themselves by a session, inside the connection.
//! - The **join plane** has a handshake of its own ([`super::joining`]).
//! - On the control plane the dialler's first message contains the name under which it acts, for the audit log. The name is
//!   what the dialler says; a process with the members' key may say any.
//! - **Rotation.** The dialler's preface names the key that it has or knows, by the first bytes of the public key. The acceptor
//!   uses that key if it still authenticates members, or on open planes if it has ever had it. Its second message names the key
//!   that clients should know, so the old key vouches for the new one.
//! - The dialler's preface is the prologue of the handshake, so the handshake fails unless both sides agree on version,
//!   plane and cluster. A dialler that does not know the cluster sends zero. It learns the cluster from the second message,
//!   which is authenticated. The acceptor's preface is not authenticated and only serves for better error messages.
//! - Each connection has its own keys, which are discarded with it (forward secrecy): a stolen cluster file does not
//!   decrypt recorded traffic.
//!
//! A preface of another version is answered with a preface of this version and closed, so both sides can report it.
//!
//! **Proxied connections.** A backend sees the address of the balancer in between instead of the client's. So the balancer
//! sends the client's address before the preface. A seal, which only processes of the cluster can make, covers the address
//! and the dialler's first message. That message contains an ephemeral key that only the dialler can use, so the seal is
//! useless on another connection. An address without a valid seal is refused.

use super::channel::Channel;
use super::frame::{self, FrameError, Plane, WIRE_VERSION, closed};
use super::http::GET;
use super::keys::{DerivedKeys, HandshakeKeys, Keys, PublicKey, SEAL_BYTES};
use super::limits::{CONNECT_AGAIN, CONNECT_DEADLINE};
use super::{socket, tasks};
use async_net::TcpStream;
use ribbit_state::ClusterId;
use ribbit_state::limits::OPERATOR_BYTES_MAX;
use smol::future::FutureExt;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver, RingResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState};
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::Arc;

/// First bytes of every preface.
const MAGIC: &[u8; 6] = b"ribbit";
/// Size of a cluster id, in bytes.
const CLUSTER_BYTES: usize = 16;
/// Size of the head of a preface, in bytes: magic, version and plane, in every version of the protocol.
pub(crate) const HEAD_BYTES: usize = 8;
/// Size of the first bytes of a public key, in bytes.
const KEY_TAG_BYTES: usize = 8;
/// Size of a preface, in bytes.
pub const PREFACE_BYTES: usize = HEAD_BYTES + CLUSTER_BYTES + KEY_TAG_BYTES;

/// Noise pattern of the closed planes.
const CLOSED: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";
/// Noise pattern of the open planes.
const OPEN: &str = "Noise_NX_25519_ChaChaPoly_BLAKE2s";
/// Head of the bytes that a balancer sends before the preface of a proxied connection.
const PROXY_HEAD: [u8; HEAD_BYTES] = [b'r', b'i', b'b', b'b', b'i', b't', WIRE_VERSION, 0xff];
/// Size of an address on the wire, in bytes: an IPv6 address, or an IPv4 address mapped to one.
const ADDRESS_BYTES: usize = 16;
/// Size of a buffer for any message of the handshake, in bytes.
const MESSAGE_BYTES_MAX: usize = 160;

/// First message of each side, not encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preface {
    pub plane: Plane,
    /// `None` while the side does not know its cluster.
    pub cluster: Option<ClusterId>,
    /// First bytes of the public key of the cluster that the side uses, or knows; 0 for none.
    pub key: u64,
}

impl Preface {
    /// Encodes the preface.
    pub fn to_bytes(self) -> [u8; PREFACE_BYTES] {
        let mut bytes = [0; PREFACE_BYTES];
        bytes[..6].copy_from_slice(MAGIC);
        bytes[6] = WIRE_VERSION;
        bytes[7] = self.plane as u8;
        let (cluster, key) = bytes[HEAD_BYTES..].split_at_mut(CLUSTER_BYTES);
        cluster.copy_from_slice(&self.cluster.map_or(0, |cluster| cluster.0).to_be_bytes());
        key.copy_from_slice(&self.key.to_be_bytes());
        bytes
    }

    /// Decodes a preface.
    ///
    /// # Errors
    /// `NotRibbit` for other magic bytes, `OtherVersion`, or `Malformed` for an unknown plane.
    pub fn parse(bytes: &[u8; PREFACE_BYTES]) -> Result<Preface, FrameError> {
        let (head, rest) = bytes.split_at(HEAD_BYTES);
        let (cluster, key) = rest.split_at(CLUSTER_BYTES);
        let plane = plane_of(head.try_into().expect("the head is split off"))?;
        let cluster = u128::from_be_bytes(cluster.try_into().expect("the cluster is split off"));
        let key = u64::from_be_bytes(key.try_into().expect("the rest is the key"));
        Ok(Preface { plane, cluster: (cluster != 0).then_some(ClusterId(cluster)), key })
    }
}

/// Decodes the head of a preface.
fn plane_of(head: &[u8; HEAD_BYTES]) -> Result<Plane, FrameError> {
    if &head[..6] != MAGIC {
        return Err(FrameError::NotRibbit);
    }
    if head[6] != WIRE_VERSION {
        return Err(FrameError::OtherVersion(head[6]));
    }
    Plane::of_number(head[7]).ok_or(FrameError::Malformed)
}

/// Statement of a balancer about a proxied connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Address of the client.
    from: IpAddr,
    seal: [u8; SEAL_BYTES],
}

/// Preface of an accepted connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    pub preface: Preface,
    /// Statement of the balancer in between, not verified yet.
    pub proxy: Option<ProxyHeader>,
}

/// First bytes of an accepted connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    Ribbit(Arrival),
    /// `GET ` of an HTTP request, see [`super::http`].
    Http,
}

/// Reads the opening of an accepted connection, and no byte beyond it.
///
/// # Errors
/// As [`Preface::parse`]; `Closed` when the other side closes the connection first, `Io` when the socket fails.
pub async fn read_opening(stream: &mut TcpStream) -> Result<Opening, FrameError> {
    let mut bytes = [0; PREFACE_BYTES];
    stream.read_exact(&mut bytes[..GET.len()]).await.map_err(closed)?;
    if &bytes[..GET.len()] == GET {
        return Ok(Opening::Http);
    }
    stream.read_exact(&mut bytes[GET.len()..HEAD_BYTES]).await.map_err(closed)?;
    let proxy = match bytes[..HEAD_BYTES] == PROXY_HEAD {
        true => Some(read_proxy_header(stream, &mut bytes).await?),
        false => None,
    };
    let head = bytes.first_chunk().expect("a preface begins with its head");
    if let Err(error) = plane_of(head) {
        if let FrameError::OtherVersion(_) = error {
            // The answer lets the other side report the versions. Failing to send it does not matter.
            let ours = Preface { plane: Plane::Client, cluster: None, key: 0 };
            let _ = stream.write_all(&ours.to_bytes()).await;
        }
        return Err(error);
    }
    stream.read_exact(&mut bytes[HEAD_BYTES..]).await.map_err(closed)?;
    Ok(Opening::Ribbit(Arrival { preface: Preface::parse(&bytes)?, proxy }))
}

/// Reads the statement of a balancer behind its head, and then the head of the preface into `bytes`.
async fn read_proxy_header(
    stream: &mut TcpStream,
    bytes: &mut [u8; PREFACE_BYTES],
) -> Result<ProxyHeader, FrameError> {
    let (mut from, mut seal) = ([0; ADDRESS_BYTES], [0; SEAL_BYTES]);
    stream.read_exact(&mut from).await.map_err(closed)?;
    stream.read_exact(&mut seal).await.map_err(closed)?;
    stream.read_exact(&mut bytes[..HEAD_BYTES]).await.map_err(closed)?;
    Ok(ProxyHeader { from: Ipv6Addr::from(from).to_canonical(), seal })
}

/// Returns the bytes with which a balancer opens a proxied connection to a backend: the statement with the client's
/// address, and the client's bytes so far. Reads the dialler's first message from the client.
///
/// # Errors
/// `Closed` or `Io` when reading fails, `OtherKey` when the connection came through another balancer with an invalid seal,
/// `NoKey` without the cluster key.
pub async fn proxy_opening(
    stream: &mut TcpStream,
    arrival: Arrival,
    keys: &Keys,
) -> Result<Vec<u8>, FrameError> {
    let Arrival { preface, proxy } = arrival;
    let mut message = [0; MESSAGE_BYTES_MAX];
    let first = &mut message[..first_bytes(preface.plane)];
    stream.read_exact(first).await.map_err(closed)?;
    let from = origin(stream, proxy, first, keys)?;
    let seal = keys.seal(&sealed_bytes(from, first)).ok_or(FrameError::NoKey)?;
    Ok([&PROXY_HEAD[..], &address_bytes(from), &seal, &preface.to_bytes(), first].concat())
}

/// Returns the address of the client: from a balancer's statement with a valid seal, or of the connection itself.
pub(super) fn origin(
    stream: &TcpStream,
    proxy: Option<ProxyHeader>,
    first: &[u8],
    keys: &Keys,
) -> Result<IpAddr, FrameError> {
    match proxy {
        None => Ok(stream.peer_addr()?.ip().to_canonical()),
        Some(ProxyHeader { from, seal }) if keys.verify_seal(&sealed_bytes(from, first), &seal) => Ok(from),
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

/// Returns the bytes that a seal covers.
fn sealed_bytes(from: IpAddr, first: &[u8]) -> Vec<u8> {
    [&address_bytes(from.to_canonical())[..], first].concat()
}

/// Opens a connection to HOST:PORT for `plane`, including the handshake.
///
/// # Errors
/// - `Io` when the connection is refused or fails.
/// - `TimedOut` after `CONNECT_DEADLINE`.
/// - `Closed` when the other side closes it instead of answering, as a balancer without backends does.
/// - `NotRibbit`, `OtherVersion` or `Malformed` when the other side is not a server of this version.
/// - `OtherCluster`, `OtherKey` or `Mistrusted` when the server is not of this cluster.
/// - `NoKey` when this process lacks the cluster key.
pub async fn connect(address: &str, plane: Plane, keys: &Keys) -> Result<Channel, FrameError> {
    let connecting = async {
        if !plane.is_closed() {
            let Dialled { stream, state, cluster, announced } = dial(address, plane, keys, None).await?;
            let key = state.get_remote_static().and_then(|key| key.try_into().ok());
            keys.judge(address, cluster, PublicKey(key.ok_or(FrameError::Malformed)?), announced)?;
            return channel(stream, state);
        }
        let [first, second] = keys.to_dial().ok_or(FrameError::NoKey)?;
        let dialled = match (dial(address, plane, keys, first).await, second) {
            // A rotation is about to end, and the other side has noticed first.
            (Err(FrameError::OtherKey), Some(second)) => dial(address, plane, keys, Some(second)).await,
            (dialled, _) => dialled,
        }?;
        channel(dialled.stream, dialled.state)
    };
    frame::with_timeout(CONNECT_DEADLINE, connecting).await
}

pub(super) fn channel(stream: TcpStream, state: HandshakeState) -> Result<Channel, FrameError> {
    Ok(Channel::new(stream, state.into_transport_mode().map_err(|_| FrameError::Malformed)?))
}

/// Connection after the dialler's side of the handshake.
struct Dialled {
    stream: TcpStream,
    state: HandshakeState,
    /// Cluster that the acceptor has named.
    cluster: ClusterId,
    /// Key that the acceptor has named.
    announced: PublicKey,
}

/// Opens a TCP connection, and another one each time `CONNECT_AGAIN` passes without an answer; the first that is open is used.
/// The kernel would repeat a lost packet after a second, when most callers have given up. A refusal ends the attempt.
fn connected(address: &str) -> Pin<Box<dyn Future<Output = std::io::Result<TcpStream>> + Send + '_>> {
    Box::pin(async move {
        let again = async {
            smol::Timer::after(CONNECT_AGAIN).await;
            connected(address).await
        };
        TcpStream::connect(address).or(again).await
    })
}

/// Connects and performs the dialler's side, on a closed plane with these keys.
async fn dial(
    address: &str,
    plane: Plane,
    keys: &Keys,
    own: Option<HandshakeKeys>,
) -> Result<Dialled, FrameError> {
    let mut stream = connected(address).await?;
    socket::tune(&stream)?;
    let key = own.as_ref().map_or_else(|| keys.known_tag(address), HandshakeKeys::tag);
    let ours = Preface { plane, cluster: keys.cluster(), key };
    let prologue = ours.to_bytes();
    let mut state = Side::Dialler.build(plane, &prologue, own.as_ref().map(HandshakeKeys::get));
    let mut first = prologue.to_vec();
    match plane {
        Plane::Control => first.extend(written(&mut state, &operator_bytes(keys.operator()))?),
        _ => first.extend(written(&mut state, &[])?),
    }
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
        // The acceptor sent its preface and closed the connection: it could not decrypt the first message.
        return Err(match error {
            FrameError::Closed if plane.is_closed() => FrameError::OtherKey,
            error => error,
        });
    }
    let mut payload = [0; MESSAGE_BYTES_MAX];
    let read = state.read_message(message, &mut payload).map_err(|_| FrameError::OtherKey)?;
    let (cluster, announced) = payload[..read].split_first_chunk().ok_or(FrameError::Malformed)?;
    let cluster = ClusterId(u128::from_be_bytes(*cluster));
    let announced = PublicKey(announced.try_into().map_err(|_| FrameError::Malformed)?);
    if keys.cluster().is_some_and(|ours| ours != cluster) {
        return Err(FrameError::Malformed);
    }
    Ok(Dialled { stream, state, cluster, announced })
}

/// Accepted connection after its handshake.
#[derive(Debug)]
pub struct Accepted {
    pub channel: Channel,
    /// Address of the client, not of a balancer in between.
    pub from: IpAddr,
    /// Name under which the dialler acts, on the control plane; may be empty.
    pub operator: Arc<str>,
    /// Tag of the key by which the dialler has authenticated itself; 0 on open planes.
    pub key: u64,
}

/// Performs the acceptor's side, after the opening was read.
///
/// # Errors
/// `OtherCluster` or `OtherKey` when the dialler is not of this cluster (it gets the preface as an answer), `NoKey` without
/// the cluster key, `Malformed` for an invalid message or on the join plane, `Closed` or `Io` when the connection fails.
pub async fn accept(mut stream: TcpStream, arrival: Arrival, keys: &Keys) -> Result<Accepted, FrameError> {
    let Arrival { preface, proxy } = arrival;
    let cluster = keys.cluster().ok_or(FrameError::NoKey)?;
    if preface.plane == Plane::Join {
        return Err(FrameError::Malformed);
    }
    let own = match preface.plane.is_closed() {
        true => keys.closed(preface.key),
        false => keys.open(preface.key),
    };
    let key = own.as_ref().map_or(0, HandshakeKeys::tag);
    let ours = Preface { plane: preface.plane, cluster: Some(cluster), key }.to_bytes();
    if let Some(theirs) = preface.cluster.filter(|theirs| *theirs != cluster) {
        stream.write_all(&ours).await?;
        return Err(FrameError::OtherCluster { theirs, ours: cluster });
    }
    let mut message = [0; MESSAGE_BYTES_MAX];
    let first = &mut message[..first_bytes(preface.plane)];
    stream.read_exact(first).await.map_err(closed)?;
    let from = origin(&stream, proxy, first, keys)?;
    let answered = match own {
        None => Err(FrameError::OtherKey),
        // A dialler without the key is refused before any computation on the curve.
        Some(own) if preface.plane.is_closed() => answer(preface, first, &own, cluster),
        // Any client can cause this computation, so it does not run on the thread of the Raft core.
        Some(own) => {
            let first = first.to_vec();
            tasks::spawn_reader(async move { answer(preface, &first, &own, cluster) }).await
        }
    };
    let (state, second, operator) = match answered {
        Ok(answered) => answered,
        Err(error) => {
            stream.write_all(&ours).await?;
            return Err(error);
        }
    };
    stream.write_all(&[&ours[..], &second].concat()).await?;
    let key = if preface.plane.is_closed() { key } else { 0 };
    Ok(Accepted { channel: channel(stream, state)?, from, operator, key })
}

/// Reads the first message of the handshake and returns the second, and the name of the operator.
fn answer(
    preface: Preface,
    first: &[u8],
    own: &HandshakeKeys,
    cluster: ClusterId,
) -> Result<(HandshakeState, Vec<u8>, Arc<str>), FrameError> {
    let mut state = Side::Acceptor.build(preface.plane, &preface.to_bytes(), Some(own.get()));
    let mut payload = [0; MESSAGE_BYTES_MAX];
    let read = state.read_message(first, &mut payload).map_err(|_| FrameError::OtherKey)?;
    let second = written(&mut state, &[&cluster.0.to_be_bytes()[..], &own.announced().0].concat())?;
    Ok((state, second, operator_of(&payload[..read])))
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Dialler,
    Acceptor,
}

impl Side {
    /// Creates the handshake of a plane. Only the dialler of an open plane has no keys.
    fn build(self, plane: Plane, prologue: &[u8], keys: Option<&DerivedKeys>) -> HandshakeState {
        self.finish(match (plane.is_closed(), keys) {
            (true, Some(keys)) => return self.under_key(prologue, &keys.members),
            (false, Some(keys)) => builder(OPEN, prologue).local_private_key(&keys.private),
            (_, None) => Ok(builder(OPEN, prologue)),
        })
    }

    /// Creates a handshake in which both sides prove that they have a key.
    pub(super) fn under_key(self, prologue: &[u8], key: &[u8; KEY]) -> HandshakeState {
        self.finish(builder(CLOSED, prologue).psk(0, key))
    }

    fn finish(self, builder: Result<Builder<'_>, snow::Error>) -> HandshakeState {
        let built = builder.and_then(|builder| match self {
            Side::Dialler => builder.build_initiator(),
            Side::Acceptor => builder.build_responder(),
        });
        built.expect("the patterns are fixed, and have the keys that they need")
    }
}

fn builder<'a>(pattern: &str, prologue: &'a [u8]) -> Builder<'a> {
    let pattern = pattern.parse().expect("the patterns are fixed");
    let builder = Builder::with_resolver(pattern, Box::new(Primitives));
    builder.prologue(prologue).expect("a prologue is set once")
}

/// Cryptographic primitives: the cipher of ring, which encrypts and decrypts a short record in a tenth of the time of
/// snow's default (x86_64). The others are used once per connection.
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

/// Returns the next message of the handshake.
pub(super) fn written(state: &mut HandshakeState, payload: &[u8]) -> Result<Vec<u8>, FrameError> {
    let mut message = vec![0; MESSAGE_BYTES_MAX];
    let length = state.write_message(payload, &mut message).map_err(|_| FrameError::Malformed)?;
    message.truncate(length);
    Ok(message)
}

/// Returns a name in its fixed length, padded with zero bytes.
fn operator_bytes(name: &str) -> [u8; OPERATOR_BYTES_MAX] {
    let mut bytes = [0; OPERATOR_BYTES_MAX];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes
}

/// Returns the name in a payload; empty if it is not one.
fn operator_of(payload: &[u8]) -> Arc<str> {
    let name = payload.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = str::from_utf8(name).ok().filter(|name| !name.contains(char::is_control));
    name.unwrap_or_default().into()
}

/// Size of a public key in the handshake, in bytes.
const KEY: usize = 32;
/// Size of the first message of the join plane, in bytes: the slot of a code, and an element of SPAKE2 with the byte of its side.
pub(super) const KNOCK_BYTES: usize = 1 + 1 + KEY;
/// Size of an authentication tag, in bytes.
const TAG: usize = 16;

/// Returns the size of the dialler's message: an ephemeral key, on the control plane a name, and on closed planes the tag of
/// this payload.
fn first_bytes(plane: Plane) -> usize {
    match plane {
        Plane::Control => KEY + OPERATOR_BYTES_MAX + TAG,
        Plane::Peer | Plane::Snapshot => KEY + TAG,
        Plane::Client | Plane::Status | Plane::Directory => KEY,
        Plane::Join => KNOCK_BYTES,
    }
}

/// Returns the size of the acceptor's message: an ephemeral key, on open planes the encrypted public key of the cluster,
/// and the encrypted cluster id and key.
fn second_bytes(plane: Plane) -> usize {
    let shown = if plane.is_closed() { 0 } else { KEY + TAG };
    KEY + shown + CLUSTER_BYTES + KEY + TAG
}

#[cfg(test)]
mod tests;

//! Keys of the cluster, and the trust of this process in servers.
//!
//! ```text
//!   cluster key, 256 bits ──┬─▶ members' key      peer, snapshot, control planes: both sides have it
//!   (the cluster file)      └─▶ private key ─▶ public key    client, status, directory planes: the server proves it
//! ```
//!
//! One secret is copied to every machine. All other keys are derived from it, each under its own label, so that none
//! reveals another. A process with the cluster file is trusted: it may open connections on every plane, and serve users. A
//! process with the public key can only tell the cluster's servers from others.
//!
//! `Debug` shows the public key only. The files with the keys are up to the roles.

use super::frame::FrameError;
use super::secret::{TOKEN_BYTES, from_hex, to_hex};
use blake2::Blake2sMac256;
use blake2::digest::{KeyInit, Mac};
use ribbit_state::ClusterId;
use ribbit_state::limits::OPERATOR_BYTES_MAX;
use snow::params::DHChoice;
use snow::resolvers::{CryptoResolver, DefaultResolver};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Size of a key, in bytes.
pub const KEY_BYTES: usize = 32;

/// Size of a seal, in bytes.
pub(crate) const SEAL_BYTES: usize = 16;

/// Label of the members' key. Part of the wire format.
const MEMBERS: &[u8] = b"ribbit members 1";
/// Label of the servers' private key. Part of the wire format.
const SERVERS: &[u8] = b"ribbit servers 1";
/// Label of the key for seals. Part of the wire format.
const SEALS: &[u8] = b"ribbit seals 1";
/// Label of the key for the session tokens of gateways. Gateways of different builds share sessions by it.
const GATEWAYS: &[u8] = b"ribbit gateways 1";

/// Public key of a cluster's servers; 64 hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; KEY_BYTES]);

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<PublicKey, &'static str> {
        from_hex(text)
            .map(PublicKey)
            .ok_or("a public key has 64 hexadecimal digits: copy it from the output of `ribbit key`")
    }
}

/// Policy on servers' keys for a process without a configured key.
pub trait Trust: Send + Sync {
    /// Decides whether the server at this address may have this key. Called before a request is sent to it.
    ///
    /// # Errors
    /// A text for the user when another key is known for this address.
    fn judge(&self, address: &str, cluster: ClusterId, key: PublicKey) -> Result<(), String>;
}

/// Keys of a process, and the name under which it acts. Cheap to clone.
#[derive(Clone)]
pub struct Keys {
    source: Arc<KeySource>,
    /// Name for the audit log, given on the control plane; may be empty.
    operator: Arc<str>,
}

enum KeySource {
    /// All keys, from the cluster file.
    Cluster(Box<ClusterKeys>),
    /// The configured public key.
    Pinned(PublicKey),
    /// No key; the policy decides.
    Trusting(Box<dyn Trust>),
}

/// Keys derived from the cluster key.
struct ClusterKeys {
    cluster: ClusterId,
    members: [u8; KEY_BYTES],
    private: [u8; KEY_BYTES],
    seals: [u8; KEY_BYTES],
    gateways: [u8; KEY_BYTES],
    public: PublicKey,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.source {
            KeySource::Cluster(own) => write!(f, "Keys of {} ({})", own.cluster, own.public),
            KeySource::Pinned(public) => write!(f, "Keys pinned to {public}"),
            KeySource::Trusting(_) => f.write_str("Keys on trust"),
        }
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Keys) -> bool {
        Arc::ptr_eq(&self.source, &other.source)
            || matches!((self.public(), other.public()), (Some(mine), Some(theirs)) if mine == theirs)
    }
}

impl Eq for Keys {}

impl From<KeySource> for Keys {
    fn from(source: KeySource) -> Keys {
        Keys { source: Arc::new(source), operator: "".into() }
    }
}

impl Keys {
    /// Derives all keys from the cluster key.
    pub fn of_cluster(cluster: ClusterId, key: &[u8; KEY_BYTES]) -> Keys {
        let private = derived(key, SERVERS);
        let (members, seals, gateways) = (derived(key, MEMBERS), derived(key, SEALS), derived(key, GATEWAYS));
        let public = public_of(&private);
        let own = ClusterKeys { cluster, members, private, seals, gateways, public };
        Keys::from(KeySource::Cluster(Box::new(own)))
    }

    /// Creates the keys of a client with the servers' public key.
    pub fn pinned(public: PublicKey) -> Keys {
        Keys::from(KeySource::Pinned(public))
    }

    /// Creates the keys of a client without a key, which trusts servers by a policy.
    pub fn trusting(trust: impl Trust + 'static) -> Keys {
        Keys::from(KeySource::Trusting(Box::new(trust)))
    }

    /// Returns the same keys under the name of a person or program, for the audit log. A longer name than
    /// `OPERATOR_BYTES_MAX` is cut; control characters are left out.
    pub fn acting_as(self, name: &str) -> Keys {
        let mut operator: String = name.chars().filter(|letter| !letter.is_control()).collect();
        operator.truncate(operator.floor_char_boundary(OPERATOR_BYTES_MAX));
        Keys { operator: operator.into(), ..self }
    }

    /// Returns the name of [`Keys::acting_as`]; empty without one.
    pub(super) fn operator(&self) -> &str {
        &self.operator
    }

    /// Returns the cluster, for a process with the cluster key.
    pub fn cluster(&self) -> Option<ClusterId> {
        self.own().map(|own| own.cluster)
    }

    /// Returns the servers' public key, unless servers are trusted by a policy.
    pub fn public(&self) -> Option<PublicKey> {
        match &*self.source {
            KeySource::Cluster(own) => Some(own.public),
            KeySource::Pinned(public) => Some(*public),
            KeySource::Trusting(_) => None,
        }
    }

    /// Returns the session token under which every gateway of the cluster acts for the same client, `None` without the
    /// cluster key. `client` names the protocol and the client, each part without a zero byte.
    pub fn gateway_token(&self, client: &[&str]) -> Option<[u8; TOKEN_BYTES]> {
        Some(derived(&self.own()?.gateways, client.join("\0").as_bytes()))
    }

    /// Returns the pre-shared key of the members.
    pub(super) fn members(&self) -> Option<&[u8; KEY_BYTES]> {
        self.own().map(|own| &own.members)
    }

    /// Returns the private key of the servers.
    pub(super) fn private(&self) -> Option<&[u8; KEY_BYTES]> {
        self.own().map(|own| &own.private)
    }

    /// Returns a seal (a message authentication code) of these bytes, with which a process of the cluster proves to another
    /// that it has sent them.
    pub(super) fn seal(&self, bytes: &[u8]) -> Option<[u8; SEAL_BYTES]> {
        let seal = derived(&self.own()?.seals, bytes);
        seal.first_chunk().copied()
    }

    /// Verifies a seal, in constant time.
    pub(super) fn verify_seal(&self, bytes: &[u8], seal: &[u8; SEAL_BYTES]) -> bool {
        self.own().is_some_and(|own| mac(&own.seals, bytes).verify_truncated_left(seal).is_ok())
    }

    fn own(&self) -> Option<&ClusterKeys> {
        match &*self.source {
            KeySource::Cluster(own) => Some(own),
            KeySource::Pinned(_) | KeySource::Trusting(_) => None,
        }
    }

    /// Decides whether a server at this address, of this cluster and with this key, is trusted.
    ///
    /// # Errors
    /// `Mistrusted` with a text for the user.
    pub(super) fn judge(&self, address: &str, cluster: ClusterId, key: PublicKey) -> Result<(), FrameError> {
        match &*self.source {
            KeySource::Trusting(trust) => trust.judge(address, cluster, key).map_err(FrameError::Mistrusted),
            _ if self.public() == Some(key) => Ok(()),
            _ => Err(FrameError::Mistrusted(format!(
                "the server at {address} has the key {key}, which is not this cluster's key: it belongs to another \
                 cluster, or it is an impostor"
            ))),
        }
    }
}

/// Derives a key under a label.
fn derived(key: &[u8; KEY_BYTES], name: &[u8]) -> [u8; KEY_BYTES] {
    mac(key, name).finalize().into_bytes().into()
}

fn mac(key: &[u8; KEY_BYTES], bytes: &[u8]) -> Blake2sMac256 {
    let mac = <Blake2sMac256 as KeyInit>::new_from_slice(key);
    mac.expect("a key of 32 bytes is one for BLAKE2s").chain_update(bytes)
}

/// Computes the public key of a private key.
fn public_of(private: &[u8; KEY_BYTES]) -> PublicKey {
    let curve = DefaultResolver.resolve_dh(&DHChoice::Curve25519);
    let mut curve = curve.expect("the crate is built with this curve");
    curve.set(private);
    PublicKey(curve.pubkey().try_into().expect("a key of this curve has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files and handshakes of other builds use these keys, so they must never change.
    #[test]
    fn the_derived_keys_never_change() {
        let keys = Keys::of_cluster(ClusterId(7), &[1; KEY_BYTES]);
        let public = "1c0e1f9c59abbda803de037240eb03f66a4ebae40c628c4cc88c75a75a3ddd48";
        assert_eq!(keys.public().unwrap().to_string(), public);
        assert_eq!(public.parse(), Ok(keys.public().unwrap()));
        assert_ne!(keys.members(), keys.private());
        assert_ne!(Keys::of_cluster(ClusterId(7), &[2; KEY_BYTES]), keys);
        assert_eq!(Keys::pinned(keys.public().unwrap()).members(), None);
    }

    #[test]
    fn gateways_with_the_cluster_key_derive_the_same_tokens() {
        let keys = Keys::of_cluster(ClusterId(7), &[1; KEY_BYTES]);
        assert_eq!(keys.gateway_token(&["chat", "ada"]), keys.clone().gateway_token(&["chat", "ada"]));
        assert_ne!(keys.gateway_token(&["chat", "ada"]), keys.gateway_token(&["chata", "da"]));
        assert_eq!(Keys::pinned(keys.public().unwrap()).gateway_token(&["chat", "ada"]), None);
    }

    #[test]
    fn debug_does_not_show_secrets() {
        let keys = Keys::of_cluster(ClusterId(7), &[1; KEY_BYTES]);
        let shown = format!("{keys:?}");
        for secret in [keys.members().unwrap(), keys.private().unwrap(), &[1; KEY_BYTES]] {
            assert!(!shown.contains(&to_hex(secret)), "{shown}");
        }
        assert!(shown.contains(&keys.public().unwrap().to_string()), "{shown}");
    }

    #[test]
    fn a_server_with_another_key_than_the_pinned_one_is_mistrusted() {
        let (one, other) = (PublicKey([1; KEY_BYTES]), PublicKey([2; KEY_BYTES]));
        let keys = Keys::pinned(one);
        assert!(keys.judge("board1:9000", ClusterId(7), one).is_ok());
        let error = keys.judge("board1:9000", ClusterId(7), other).unwrap_err().to_string();
        assert!(error.contains("board1:9000") && error.contains(&other.to_string()), "{error}");
    }
}

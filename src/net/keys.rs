//! The cluster's keys, and whom this process trusts.
//!
//! ```text
//!   cluster key, 256 bits ──┬─▶ members' key      peer, snapshot, control: both sides have it
//!   (the cluster file)      └─▶ private key ─▶ public key    client, status, directory: the server shows it
//! ```
//!
//! One secret is copied to each board; everything else follows from it, each under a name of its own, so that none
//! tells anything of another. Whoever has the cluster file is a member of the house: it may dial every plane, and it
//! may answer people. Whoever has the public key alone can tell the cluster's servers from anybody else's, and no more.
//!
//! Keys are never shown: `Debug` leaves them out, but for the public one. Where they lie is the roles' to know.

use super::frame::FrameError;
use super::secret::{from_hex, to_hex};
use blake2::Blake2sMac256;
use blake2::digest::{KeyInit, Mac};
use ribbit_state::ClusterId;
use snow::params::DHChoice;
use snow::resolvers::{CryptoResolver, DefaultResolver};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// Bytes of a seal.
pub const SEAL_BYTES: usize = 16;

/// What each derived key is made under. Part of the wire format.
const MEMBERS: &[u8] = b"ribbit members 1";
const SERVERS: &[u8] = b"ribbit servers 1";
const SEALS: &[u8] = b"ribbit seals 1";

/// What a cluster's servers are known by. 64 hexadecimal digits.
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
            .ok_or("a public key has 64 hexadecimal digits, as `ribbit key` shows them")
    }
}

/// Decides about servers' keys where none was given.
pub trait Trust: Send + Sync {
    /// Whether the servers at this address may have this key. Called before anything is told to them.
    ///
    /// # Errors
    /// In words for people: another key is known of that address.
    fn judge(&self, address: &str, cluster: ClusterId, key: PublicKey) -> Result<(), String>;
}

/// What a process has. Cheap to clone.
#[derive(Clone)]
pub struct Keys(Arc<Held>);

enum Held {
    Cluster(Box<Own>),
    Pinned(PublicKey),
    Trusting(Box<dyn Trust>),
}

/// What a process of the cluster's own has.
struct Own {
    cluster: ClusterId,
    members: [u8; KEY_BYTES],
    private: [u8; KEY_BYTES],
    seals: [u8; KEY_BYTES],
    public: PublicKey,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Held::Cluster(own) => write!(f, "Keys of {} ({})", own.cluster, own.public),
            Held::Pinned(public) => write!(f, "Keys pinned to {public}"),
            Held::Trusting(_) => f.write_str("Keys on trust"),
        }
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Keys) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || matches!((self.public(), other.public()), (Some(mine), Some(theirs)) if mine == theirs)
    }
}

impl Eq for Keys {}

impl Keys {
    /// Of a process of the cluster's own: everything.
    pub fn of_cluster(cluster: ClusterId, key: &[u8; KEY_BYTES]) -> Keys {
        let private = derived(key, SERVERS);
        let (members, seals) = (derived(key, MEMBERS), derived(key, SEALS));
        let public = public_of(&private);
        Keys(Arc::new(Held::Cluster(Box::new(Own { cluster, members, private, seals, public }))))
    }

    /// Of a process that was told which key the servers have.
    pub fn pinned(public: PublicKey) -> Keys {
        Keys(Arc::new(Held::Pinned(public)))
    }

    /// Of a process that was told nothing.
    pub fn trusting(trust: impl Trust + 'static) -> Keys {
        Keys(Arc::new(Held::Trusting(Box::new(trust))))
    }

    /// Which cluster this is, where that is known before anybody was asked.
    pub fn cluster(&self) -> Option<ClusterId> {
        self.own().map(|own| own.cluster)
    }

    /// The servers' key, where that is known before anybody was asked.
    pub fn public(&self) -> Option<PublicKey> {
        match &*self.0 {
            Held::Cluster(own) => Some(own.public),
            Held::Pinned(public) => Some(*public),
            Held::Trusting(_) => None,
        }
    }

    /// What members know each other by.
    pub(super) fn members(&self) -> Option<&[u8; KEY_BYTES]> {
        self.own().map(|own| &own.members)
    }

    /// What servers show people that they are with.
    pub(super) fn private(&self) -> Option<&[u8; KEY_BYTES]> {
        self.own().map(|own| &own.private)
    }

    /// What shows other processes of the cluster that one of them has said this.
    pub(super) fn seal(&self, words: &[u8]) -> Option<[u8; SEAL_BYTES]> {
        let seal = derived(&self.own()?.seals, words);
        seal.first_chunk().copied()
    }

    /// Whether one of them has said this. Takes as long for any seal.
    pub(super) fn have_sealed(&self, words: &[u8], seal: &[u8; SEAL_BYTES]) -> bool {
        self.own().is_some_and(|own| mac(&own.seals, words).verify_truncated_left(seal).is_ok())
    }

    fn own(&self) -> Option<&Own> {
        match &*self.0 {
            Held::Cluster(own) => Some(own),
            Held::Pinned(_) | Held::Trusting(_) => None,
        }
    }

    /// Whether who answers at this address, with this key, is whom this process wants.
    pub(super) fn judge(&self, address: &str, cluster: ClusterId, key: PublicKey) -> Result<(), FrameError> {
        match &*self.0 {
            Held::Trusting(trust) => trust.judge(address, cluster, key).map_err(FrameError::Mistrusted),
            _ if self.public() == Some(key) => Ok(()),
            _ => Err(FrameError::Mistrusted(format!(
                "the server at {address} has the key {key}, which is not this cluster's: another cluster's server, or \
                 somebody who would like to be taken for one"
            ))),
        }
    }
}

fn derived(key: &[u8; KEY_BYTES], name: &[u8]) -> [u8; KEY_BYTES] {
    mac(key, name).finalize().into_bytes().into()
}

fn mac(key: &[u8; KEY_BYTES], words: &[u8]) -> Blake2sMac256 {
    let mac = <Blake2sMac256 as KeyInit>::new_from_slice(key);
    mac.expect("a key of 32 bytes is one for BLAKE2s").chain_update(words)
}

fn public_of(private: &[u8; KEY_BYTES]) -> PublicKey {
    let curve = DefaultResolver.resolve_dh(&DHChoice::Curve25519);
    let mut curve = curve.expect("the crate is built with this curve");
    curve.set(private);
    PublicKey(curve.pubkey().try_into().expect("a key of this curve has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files and handshakes of other builds are made with these: they must never change.
    #[test]
    fn what_follows_from_a_key_stays() {
        let keys = Keys::of_cluster(ClusterId(7), &[1; KEY_BYTES]);
        let public = "1c0e1f9c59abbda803de037240eb03f66a4ebae40c628c4cc88c75a75a3ddd48";
        assert_eq!(keys.public().unwrap().to_string(), public);
        assert_eq!(public.parse(), Ok(keys.public().unwrap()));
        assert_ne!(keys.members(), keys.private());
        assert_ne!(Keys::of_cluster(ClusterId(7), &[2; KEY_BYTES]), keys);
        assert_eq!(Keys::pinned(keys.public().unwrap()).members(), None);
    }

    #[test]
    fn what_is_secret_is_not_shown() {
        let keys = Keys::of_cluster(ClusterId(7), &[1; KEY_BYTES]);
        let shown = format!("{keys:?}");
        for secret in [keys.members().unwrap(), keys.private().unwrap(), &[1; KEY_BYTES]] {
            assert!(!shown.contains(&to_hex(secret)), "{shown}");
        }
        assert!(shown.contains(&keys.public().unwrap().to_string()), "{shown}");
    }

    #[test]
    fn a_key_that_is_not_the_pinned_one_is_mistrusted() {
        let (one, other) = (PublicKey([1; KEY_BYTES]), PublicKey([2; KEY_BYTES]));
        let keys = Keys::pinned(one);
        assert!(keys.judge("board1:9000", ClusterId(7), one).is_ok());
        let error = keys.judge("board1:9000", ClusterId(7), other).unwrap_err().to_string();
        assert!(error.contains("board1:9000") && error.contains(&other.to_string()), "{error}");
    }
}

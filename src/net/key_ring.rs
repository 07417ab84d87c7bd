//! The keys of a cluster as its cluster file has them, and the public key of its servers.

use super::secret::{from_hex, to_hex};
use blake2::Blake2sMac256;
use blake2::digest::{KeyInit, Mac};
use ribbit_state::KeyId;
use serde::{Deserialize, Serialize};
use snow::params::DHChoice;
use snow::resolvers::{CryptoResolver, DefaultResolver};
use std::fmt;
use std::str::FromStr;

/// Size of a key, in bytes.
pub const KEY_BYTES: usize = 32;

/// Label of the servers' private key. Part of the wire format.
pub(super) const SERVERS: &[u8] = b"ribbit servers 1";
/// Public key of a cluster's servers; 64 hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; KEY_BYTES]);

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl PublicKey {
    /// Returns the public key of the servers that have this cluster key.
    pub(super) fn of(key: &[u8; KEY_BYTES]) -> PublicKey {
        public_of(&derived(key, SERVERS))
    }

    /// Returns the first bytes of the key, by which a server finds the key that a client knows.
    pub fn tag(self) -> u64 {
        u64::from_be_bytes(*self.0.first_chunk().expect("a key has 32 bytes"))
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

/// One key of the cluster, with its place in the order of all keys that the cluster has had.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterKey {
    /// 1 for the first key of the cluster.
    pub generation: u32,
    pub secret: [u8; KEY_BYTES],
}

/// Shows the generation only.
impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterKey of generation {}", self.generation)
    }
}

impl ClusterKey {
    /// Returns the id under which the cluster records this key.
    pub fn id(&self) -> KeyId {
        let public = PublicKey::of(&self.secret);
        KeyId { generation: self.generation, tag: public.tag() }
    }
}

/// Keys of a cluster, as its cluster file has them.
///
/// ```text
///   { new, old accepted }    a rotation is in progress: both authenticate, and servers prove the old one
///   { new, old refused }     it has ended: the old one only proves to clients which key follows it
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRing {
    pub newest: ClusterKey,
    /// Predecessor of `newest`.
    pub old: Option<[u8; KEY_BYTES]>,
    /// True while members authenticate with the old key, too.
    pub accepts_old: bool,
}

/// Shows the generation only.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing of {:?}, accepts the old key: {}", self.newest, self.accepts_old)
    }
}

impl KeyRing {
    /// Returns the keys of a cluster that has had only one.
    pub fn first(secret: [u8; KEY_BYTES]) -> KeyRing {
        KeyRing { newest: ClusterKey { generation: 1, secret }, old: None, accepts_old: false }
    }

    /// Returns the keys after taking over `key`, or `None` if it is neither the successor of the newest key nor one that was made
    /// at the same time and precedes it by the order of the ids.
    pub fn with(&self, key: &ClusterKey) -> Option<KeyRing> {
        let old = match key.generation.checked_sub(self.newest.generation)? {
            1 if !self.accepts_old => self.newest.secret,
            // Two rotations began at once. All members choose the same key.
            0 if self.accepts_old && key.id() > self.newest.id() => self.old?,
            _ => return None,
        };
        Some(KeyRing { newest: key.clone(), old: Some(old), accepts_old: true })
    }

    /// Returns the keys after the end of a rotation.
    pub fn settled(&self) -> KeyRing {
        KeyRing { accepts_old: false, ..self.clone() }
    }

    /// Returns the position of this ring among those of one rotation and the next.
    pub fn age(&self) -> (KeyId, bool) {
        (self.newest.id(), !self.accepts_old)
    }
}

/// Derives a key under a label.
pub(super) fn derived(key: &[u8; KEY_BYTES], name: &[u8]) -> [u8; KEY_BYTES] {
    mac(key, name).finalize().into_bytes().into()
}

pub(super) fn mac(key: &[u8; KEY_BYTES], bytes: &[u8]) -> Blake2sMac256 {
    let mac = <Blake2sMac256 as KeyInit>::new_from_slice(key);
    mac.expect("a key of 32 bytes is one for BLAKE2s").chain_update(bytes)
}

/// Computes the public key of a private key.
pub(super) fn public_of(private: &[u8; KEY_BYTES]) -> PublicKey {
    let curve = DefaultResolver.resolve_dh(&DHChoice::Curve25519);
    let mut curve = curve.expect("the crate is built with this curve");
    curve.set(private);
    PublicKey(curve.pubkey().try_into().expect("a key of this curve has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(generation: u32, secret: u8) -> ClusterKey {
        ClusterKey { generation, secret: [secret; KEY_BYTES] }
    }

    #[test]
    fn one_key_follows_another() {
        let first = KeyRing::first([1; KEY_BYTES]);
        assert_eq!(first.with(&key(1, 2)), None, "not a successor");
        assert_eq!(first.with(&key(3, 2)), None, "one is missing");
        let next = first.with(&key(2, 2)).unwrap();
        assert_eq!((next.old, next.accepts_old), (Some([1; KEY_BYTES]), true));
        assert_eq!(next.with(&key(3, 3)), None, "the rotation is not complete");
        let settled = next.settled();
        assert!(settled.age() > next.age() && next.age() > first.age());
        let third = settled.with(&key(3, 3)).unwrap();
        assert_eq!(third.old, Some([2; KEY_BYTES]));
        assert!(third.age() > settled.age());
    }

    /// Two operators begin at once, and the members get the keys in any order.
    #[test]
    fn all_members_choose_the_same_of_two_keys() {
        let first = KeyRing::first([1; KEY_BYTES]);
        let (one, other) = (key(2, 2), key(2, 3));
        let after = |keys: [&ClusterKey; 2]| {
            keys.iter().fold(first.clone(), |ring, key| ring.with(key).unwrap_or(ring))
        };
        assert_eq!(after([&one, &other]), after([&other, &one]));
        assert_eq!(after([&one, &other]).old, Some([1; KEY_BYTES]));
        assert_eq!(after([&one, &other]).settled().with(&one), None, "the cluster has decided");
        assert_eq!(after([&one, &other]).settled().with(&other), None);
    }
}

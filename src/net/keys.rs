//! Keys of the cluster, and the trust of this process in servers.
//!
//! ```text
//!   cluster key, 256 bits ──┬─▶ members' key      peer, snapshot, control planes: both sides have it
//!   (the cluster file)      └─▶ private key ─▶ public key    client, status, directory planes: the server proves it
//! ```
//!
//! One secret is copied to every machine. All other keys are derived from it, each under its own label, so that none reveals
//! another. A rotation replaces the secret: for a while two are valid ([`KeyRing`]). A process with the cluster file is trusted: it may open connections on every plane, and serve users. A
//! process with the public key can only tell the cluster's servers from others.
//!
//! `Debug` shows the public key only. The files with the keys are up to the roles.

use super::frame::FrameError;
use super::join_code::JoinCode;
use super::key_ring::{KeyRing, SERVERS, derived, mac, public_of};
use super::secret::TOKEN_BYTES;
use blake2::digest::Mac;
use event_listener::Event;
use ribbit_state::limits::OPERATOR_BYTES_MAX;
use ribbit_state::sync::MutexExt;
use ribbit_state::{ClusterId, KeyId};
use std::fmt;
use std::sync::{Arc, Mutex};

pub use super::key_ring::{KEY_BYTES, PublicKey};

/// Size of a seal, in bytes.
pub(crate) const SEAL_BYTES: usize = 16;

/// Label of the members' key. Part of the wire format.
const MEMBERS: &[u8] = b"ribbit members 1";
/// Label of the key for seals. Part of the wire format.
const SEALS: &[u8] = b"ribbit seals 1";
/// Label of the key for join codes. Members of different builds derive the same codes by it.
const JOIN_CODES: &[u8] = b"ribbit join codes 1";
/// Label of the key for the session tokens of gateways. Gateways of different builds share sessions by it.
const GATEWAYS: &[u8] = b"ribbit gateways 1";

/// Policy on servers' keys for a process without a configured key.
pub trait Trust: Send + Sync {
    /// Decides whether the server at this address may have this key. Called before a request is sent to it.
    ///
    /// # Errors
    /// A text for the user when another key is known for this address.
    fn judge(&self, address: &str, cluster: ClusterId, key: PublicKey) -> Result<(), String>;

    /// Returns the key that is known for this address.
    fn known(&self, address: &str) -> Option<PublicKey>;

    /// Replaces a key by its successor, which a server with the old key has named.
    fn follow(&self, old: PublicKey, new: PublicKey);
}

/// Keys of a process, and the name under which it acts. Cheap to clone; all clones follow a rotation together.
#[derive(Clone)]
pub struct Keys {
    source: Arc<KeySource>,
    /// Name for the audit log, given on the control plane; may be empty.
    operator: Arc<str>,
}

enum KeySource {
    /// All keys, from the cluster file.
    Cluster(OwnKeys),
    /// The configured public key, or the one that has followed it.
    Pinned(Mutex<PublicKey>),
    /// No key; the policy decides.
    Trusting(Box<dyn Trust>),
}

/// Keys of a process with the cluster file.
struct OwnKeys {
    cluster: ClusterId,
    current: Mutex<Arc<DerivedRing>>,
    /// Notified when the old key is refused.
    refused: Event,
}

/// A ring with all keys that are derived from it.
struct DerivedRing {
    ring: KeyRing,
    newest: DerivedKeys,
    old: Option<DerivedKeys>,
}

/// Keys derived from one cluster key.
pub(super) struct DerivedKeys {
    pub(super) members: [u8; KEY_BYTES],
    pub(super) private: [u8; KEY_BYTES],
    seals: [u8; KEY_BYTES],
    gateways: [u8; KEY_BYTES],
    join_codes: [u8; KEY_BYTES],
    public: PublicKey,
}

impl DerivedKeys {
    fn of(key: &[u8; KEY_BYTES]) -> DerivedKeys {
        let private = derived(key, SERVERS);
        DerivedKeys {
            members: derived(key, MEMBERS),
            private,
            seals: derived(key, SEALS),
            gateways: derived(key, GATEWAYS),
            join_codes: derived(key, JOIN_CODES),
            public: public_of(&private),
        }
    }
}

impl DerivedRing {
    fn of(ring: KeyRing) -> Arc<DerivedRing> {
        let newest = DerivedKeys::of(&ring.newest.secret);
        let old = ring.old.as_ref().map(DerivedKeys::of);
        Arc::new(DerivedRing { ring, newest, old })
    }

    /// Returns the old keys while they authenticate members.
    fn accepted_old(&self) -> Option<&DerivedKeys> {
        self.old.as_ref().filter(|_| self.ring.accepts_old)
    }

    /// Returns the keys that servers prove to a client that knows none.
    fn announced(&self) -> &DerivedKeys {
        self.accepted_old().unwrap_or(&self.newest)
    }
}

/// Keys of one handshake.
pub(super) struct HandshakeKeys {
    ring: Arc<DerivedRing>,
    is_old: bool,
}

impl HandshakeKeys {
    pub(super) fn get(&self) -> &DerivedKeys {
        match &self.ring.old {
            Some(old) if self.is_old => old,
            _ => &self.ring.newest,
        }
    }

    pub(super) fn tag(&self) -> u64 {
        self.get().public.tag()
    }

    /// Returns the key that clients should know: this one, or the one that has replaced it. A client that knows the new key before
    /// this server refuses the old one keeps it.
    pub(super) fn announced(&self) -> PublicKey {
        if self.is_old { self.ring.announced().public } else { self.ring.newest.public }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.source {
            KeySource::Cluster(own) => {
                write!(f, "Keys of {} ({})", own.cluster, own.current.locked().newest.public)
            }
            KeySource::Pinned(public) => write!(f, "Keys pinned to {}", public.locked()),
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
    /// Derives all keys from the only key of a cluster.
    pub fn of_cluster(cluster: ClusterId, key: &[u8; KEY_BYTES]) -> Keys {
        Keys::of_ring(cluster, KeyRing::first(*key))
    }

    /// Derives all keys from the keys of a cluster.
    pub fn of_ring(cluster: ClusterId, ring: KeyRing) -> Keys {
        let current = Mutex::new(DerivedRing::of(ring));
        Keys::from(KeySource::Cluster(OwnKeys { cluster, current, refused: Event::new() }))
    }

    /// Creates the keys of a client with the servers' public key.
    pub fn pinned(public: PublicKey) -> Keys {
        Keys::from(KeySource::Pinned(Mutex::new(public)))
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
        match &*self.source {
            KeySource::Cluster(own) => Some(own.cluster),
            KeySource::Pinned(_) | KeySource::Trusting(_) => None,
        }
    }

    /// Returns the servers' newest public key, unless servers are trusted by a policy.
    pub fn public(&self) -> Option<PublicKey> {
        match &*self.source {
            KeySource::Cluster(own) => Some(own.current.locked().newest.public),
            KeySource::Pinned(public) => Some(*public.locked()),
            KeySource::Trusting(_) => None,
        }
    }

    /// Returns the keys of the cluster file.
    pub fn ring(&self) -> Option<KeyRing> {
        self.own().map(|own| own.ring.clone())
    }

    /// Returns the id of the newest key; that of no key without the cluster file.
    pub fn id(&self) -> KeyId {
        self.own().map_or(KeyId::default(), |own| KeyId {
            generation: own.ring.newest.generation,
            tag: own.newest.public.tag(),
        })
    }

    /// Replaces the keys of a process with the cluster file, in all clones. Connections under a key that is no longer accepted end.
    pub fn adopt(&self, ring: KeyRing) {
        if let KeySource::Cluster(own) = &*self.source {
            *own.current.locked() = DerivedRing::of(ring);
            own.refused.notify(usize::MAX);
        }
    }

    /// Waits until the key with this tag no longer authenticates members.
    pub(super) async fn refused(&self, tag: u64) {
        let KeySource::Cluster(own) = &*self.source else { return std::future::pending().await };
        loop {
            let changed = own.refused.listen();
            if self.closed(tag).is_none() {
                return;
            }
            changed.await;
        }
    }

    /// Returns the session token under which every gateway of the cluster acts for the same client, `None` without the
    /// cluster key. `client` names the protocol and the client, each part without a zero byte.
    pub fn gateway_token(&self, client: &[&str]) -> Option<[u8; TOKEN_BYTES]> {
        Some(derived(&self.own()?.newest.gateways, client.join("\0").as_bytes()))
    }

    /// Returns the join code of the row in this slot that names the key with this tag; `None` if that key does not authenticate
    /// members.
    pub fn join_code(&self, tag: u64, nonce: u128, slot: u8) -> Option<JoinCode> {
        let keys = self.closed(tag)?;
        (keys.tag() == tag).then(|| JoinCode::derive(&keys.get().join_codes, nonce, slot))
    }

    /// Returns the keys with which a dialler of a closed plane tries to authenticate, one after the other. While a rotation is in
    /// progress every member has the old key.
    pub(super) fn to_dial(&self) -> Option<[Option<HandshakeKeys>; 2]> {
        let ring = self.own()?;
        let old = ring.accepted_old().is_some().then(|| HandshakeKeys { ring: ring.clone(), is_old: true });
        let newest = HandshakeKeys { ring, is_old: false };
        Some(match old {
            Some(old) => [Some(old), Some(newest)],
            None => [Some(newest), None],
        })
    }

    /// Returns the keys with this tag that authenticate a member.
    pub(super) fn closed(&self, tag: u64) -> Option<HandshakeKeys> {
        let ring = self.own()?;
        let is_old = ring.newest.public.tag() != tag;
        let known = !is_old || ring.accepted_old().is_some_and(|old| old.public.tag() == tag);
        known.then_some(HandshakeKeys { ring, is_old })
    }

    /// Returns the keys that a server proves to a client that knows the key with this tag: those, or the announced ones.
    pub(super) fn open(&self, tag: u64) -> Option<HandshakeKeys> {
        let ring = self.own()?;
        let is_tagged = |keys: &DerivedKeys| keys.public.tag() == tag;
        let is_old = match (is_tagged(&ring.newest), ring.old.as_ref().is_some_and(is_tagged)) {
            (true, _) => false,
            (_, true) => true,
            _ => ring.accepted_old().is_some(),
        };
        Some(HandshakeKeys { ring, is_old })
    }

    /// Returns the tag of the key that this process knows of the server at this address, 0 if none.
    pub(super) fn known_tag(&self, address: &str) -> u64 {
        let known = match &*self.source {
            KeySource::Trusting(trust) => trust.known(address),
            KeySource::Cluster(_) | KeySource::Pinned(_) => self.public(),
        };
        known.map_or(0, PublicKey::tag)
    }

    /// Returns a seal (a message authentication code) of these bytes, with which a process of the cluster proves to another
    /// that it has sent them.
    pub(super) fn seal(&self, bytes: &[u8]) -> Option<[u8; SEAL_BYTES]> {
        let seal = derived(&self.own()?.announced().seals, bytes);
        seal.first_chunk().copied()
    }

    /// Verifies a seal, in constant time.
    pub(super) fn verify_seal(&self, bytes: &[u8], seal: &[u8; SEAL_BYTES]) -> bool {
        let fits = |keys: &DerivedKeys| mac(&keys.seals, bytes).verify_truncated_left(seal).is_ok();
        self.own().is_some_and(|own| fits(&own.newest) || own.accepted_old().is_some_and(fits))
    }

    fn own(&self) -> Option<Arc<DerivedRing>> {
        match &*self.source {
            KeySource::Cluster(own) => Some(own.current.locked().clone()),
            KeySource::Pinned(_) | KeySource::Trusting(_) => None,
        }
    }

    /// Decides whether a server at this address, of this cluster and with this key, is trusted. A server with a trusted key may
    /// name another one, which has followed it and is trusted from now on.
    ///
    /// # Errors
    /// `Mistrusted` with a text for the user.
    pub(super) fn judge(
        &self,
        address: &str,
        cluster: ClusterId,
        key: PublicKey,
        announced: PublicKey,
    ) -> Result<(), FrameError> {
        let trusted = match &*self.source {
            KeySource::Trusting(trust) => {
                trust.judge(address, cluster, key).map_err(FrameError::Mistrusted)?;
                true
            }
            KeySource::Pinned(public) => *public.locked() == key,
            // A server that proves an old key after the end of a rotation may be its thief.
            KeySource::Cluster(_) => self.closed(key.tag()).is_some_and(|own| own.get().public == key),
        };
        if !trusted {
            return Err(FrameError::Mistrusted(format!(
                "the server at {address} has the key {key}, which is not this cluster's key: it belongs to another \
                 cluster, or it is an impostor"
            )));
        }
        match &*self.source {
            KeySource::Pinned(public) if announced != key => {
                let mut public = public.locked();
                if *public == key {
                    *public = announced;
                    log::warn!(
                        "the cluster has a new key, {announced}, and a server with the old key has named it: use it as \
                         --public-key from now on"
                    );
                }
            }
            KeySource::Trusting(trust) if announced != key => trust.follow(key, announced),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::to_hex;

    /// Files and handshakes of other builds use these keys, so they must never change.
    #[test]
    fn the_derived_keys_never_change() {
        let keys = Keys::of_cluster(ClusterId(7), &[1; KEY_BYTES]);
        let public = "1c0e1f9c59abbda803de037240eb03f66a4ebae40c628c4cc88c75a75a3ddd48";
        assert_eq!(keys.public().unwrap().to_string(), public);
        assert_eq!(public.parse(), Ok(keys.public().unwrap()));
        let own = keys.own().unwrap();
        assert_ne!(own.newest.members, own.newest.private);
        assert_ne!(Keys::of_cluster(ClusterId(7), &[2; KEY_BYTES]), keys);
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
        let own = keys.own().unwrap();
        for secret in [&own.newest.members, &own.newest.private, &[1; KEY_BYTES]] {
            assert!(!shown.contains(&to_hex(secret)), "{shown}");
        }
        assert!(shown.contains(&keys.public().unwrap().to_string()), "{shown}");
    }

    #[test]
    fn a_server_with_another_key_than_the_pinned_one_is_mistrusted() {
        let (one, other) = (PublicKey([1; KEY_BYTES]), PublicKey([2; KEY_BYTES]));
        let keys = Keys::pinned(one);
        assert!(keys.judge("board1:9000", ClusterId(7), one, one).is_ok());
        let error = keys.judge("board1:9000", ClusterId(7), other, other).unwrap_err().to_string();
        assert!(error.contains("board1:9000") && error.contains(&other.to_string()), "{error}");
        assert!(keys.judge("board1:9000", ClusterId(7), other, one).is_err(), "no stranger names a key");
        assert!(
            keys.judge("board1:9000", ClusterId(7), one, other).is_ok(),
            "the old key vouches for the new one"
        );
        assert!(keys.judge("board1:9000", ClusterId(7), other, other).is_ok());
        assert!(keys.judge("board1:9000", ClusterId(7), one, one).is_err(), "and is no longer trusted");
    }
}

//! The network layer: encrypted connections between processes, and the messages on them.
//!
//! It knows the types of the rules (`state`), but not stores, consensus or pages. Every connection serves one purpose, its
//! plane. It begins with a preface and a handshake, and then carries records with frames in them:
//!
//! ```text
//!   connection = preface, handshake, then encrypted records; frame = u32 length + postcard
//!
//!   plane      opened by                    frames
//!   Client     clients of users             AskFrame ──▶  ◀── AnswerFrame, many at once, matched by tag
//!   Status     any client                   the same; reports the status of a member
//!   Directory  any client                   the same; a balancer tells where to read and write
//!   Control    holders of the cluster key   the same; for operators, and for nodes that join
//!   Peer       holders of the cluster key   PeerHello, PeerWelcome, then PeerFrame one way
//!   Snapshot   holders of the cluster key   SnapshotHello, then chunks one way
//!   Join       holders of a join code       an exchange of its own, then JoinFiles one way
//! ```
//!
//! From the bytes up:
//!
//! - [`limits`]: bounds of sockets and queues, and timeouts
//! - [`socket`]: socket options, and reading from a socket
//! - [`key_ring`]: the keys of a cluster; [`keys`]: the keys of a process, derived from them, and its trust in servers
//! - [`handshake`]: the beginning of a connection; [`channel`]: its encrypted records
//! - [`join_code`]: codes with which new servers join; [`joining`]: how one gets the cluster file with a code
//! - [`frame`]: length-prefixed frames; the length is checked before memory is allocated
//! - [`protocol`]: the requests and answers; [`peer`]: the messages between members; [`pinned`]: reading a snapshot of the
//!   rows of a member
//! - [`secret`]: session tokens and request ids
//! - [`backoff`]: exponential backoff, also for the roles
//! - [`tasks`]: the threads that run tasks
//!
//! The server's side:
//!
//! - [`listener`]: accepts a bounded number of connections and passes their requests to a node
//! - [`admission`]: reads and validates requests
//! - [`address_limit`]: limits the connections from one address
//! - [`http`]: `/metrics` and `/health` on the same port
//!
//! The client's side:
//!
//! - [`multiplexed`]: one connection to one server, with many requests at once
//! - [`oneshot`]: single requests, each on a connection of its own
//! - `servers`: the servers that a client knows; [`discovery`]: learning them from the servers
//! - [`client`]: the failover client, which tries the servers until one answers; `direct`: how it finds the backend behind
//!   a balancer
//! - [`subscription`]: follows events, across servers
//! - [`assignment`]: asks which server a client should use
//! - [`survey`]: collects the status of all members; [`health`]: judges it
//!
//! Beside them:
//!
//! - [`mdns`]: servers of one network find each other
//! - [`lan`]: network interfaces, temporary addresses on them, and ARP

pub mod address_limit;
pub mod admission;
pub mod assignment;
pub mod backoff;
pub mod channel;
pub mod client;
mod direct;
pub mod discovery;
pub mod frame;
pub mod handshake;
pub mod health;
pub mod http;
pub mod join_code;
pub mod joining;
pub mod key_ring;
pub mod keys;
pub mod lan;
pub mod limits;
pub mod listener;
pub mod mdns;
pub mod multiplexed;
pub mod oneshot;
pub mod peer;
pub mod pinned;
pub mod protocol;
pub mod secret;
mod servers;
pub mod socket;
pub mod subscription;
pub mod survey;
pub mod tasks;

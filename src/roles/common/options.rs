//! Validated options of each role and command, with every default filled in: the second stage of the flags.
//!
//! Where a value came from (a flag, the environment, a file, a folder of `up`) is decided in `cli` and unknown here. No role
//! reads flags or the environment itself.

use crate::common::cluster_selection::ClusterAccess;
use crate::common::network::Network;
use ribbit_net::keys::Keys;
use ribbit_state::{ClusterId, LogIndex, MemberName, Role};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

/// Options of `backend` and `coordinator`.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    pub role: Role,
    /// Region of the node.
    pub region: u32,
    /// Number of the node, unique per role and region.
    pub id: u32,
    /// Listen address, HOST:PORT; port 0 picks a free port.
    pub listen: String,
    /// Address to announce to others; derived from `listen` if `None`.
    pub advertise: Option<String>,
    /// Parent folder of this node's store, which is `data_dir/backend-2`.
    pub data_dir: PathBuf,
    pub cluster: ClusterId,
    pub keys: Keys,
    /// Networks of proxies that serve many users.
    pub trusted_proxies: Vec<Network>,
    /// Addresses of coordinators or other members, without this node's own.
    pub coordinators: Vec<String>,
    /// Create the cluster if the store is empty.
    pub found: bool,
    /// Silence after which a learner may take a voter's seat; the leader's setting applies.
    pub evict_after: Duration,
    /// Disk quota of the store, in bytes; above it, growing writes are refused.
    pub disk_quota_bytes: u64,
    /// Rate limit of a backend: writes per account and minute; 0 means no limit.
    pub posts_per_minute: u32,
    /// Exit as soon as the cluster exists.
    pub found_only: bool,
    /// Interval between heartbeats.
    pub heartbeat: Duration,
    /// Number of missed heartbeats after which a server counts as down; the leader's setting applies.
    pub miss: u32,
    /// Number of regions that clients are spread over, if set for a coordinator.
    pub clusters: Option<u32>,
}

impl NodeOptions {
    /// Returns the node's name as text: `backend-2`.
    pub fn name(&self) -> String {
        self.member_name().to_string()
    }
    /// Returns the node's name.
    pub fn member_name(&self) -> MemberName {
        MemberName { role: self.role, region: self.region, id: self.id }
    }
    /// Returns the silence after which a server counts as down.
    pub fn lease(&self) -> Duration {
        self.heartbeat * self.miss
    }
    /// Returns the folder of this node's store.
    pub fn store_dir(&self) -> PathBuf {
        self.data_dir.join(self.name())
    }
}

/// Options of `balancer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancerOptions {
    /// Listen address, HOST:PORT; port 0 picks a free port.
    pub listen: String,
    /// Region whose backends it balances.
    pub region: u32,
    /// Addresses of some members; the balancer learns the others from them.
    pub seeds: Vec<String>,
    pub keys: Keys,
    /// Networks of proxies that serve many users.
    pub trusted_proxies: Vec<Network>,
    /// Floating address to compete for.
    pub floating: Option<FloatingOptions>,
}

/// Options of `balancer --floating`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloatingOptions {
    pub address: Ipv4Addr,
    /// Prefix length of its network.
    pub bits: u8,
    /// Name of the network interface.
    pub interface: String,
}

/// Options of `client web`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOptions {
    /// Listen address of the web pages, HOST:PORT; port 0 picks a free port.
    pub listen: String,
    /// Balancers or backends, tried in this order.
    pub servers: Vec<String>,
    /// Keys that authenticate these servers.
    pub keys: Keys,
    /// Certificate and key for HTTPS; plain HTTP if `None`.
    pub tls: Option<TlsFiles>,
    /// Host names to accept, besides those that only this machine or the local network can have.
    pub hosts: Vec<String>,
    /// Networks of reverse proxies that may name the client they forward for.
    pub trusted_proxies: Vec<Network>,
    /// Address that redirects plain HTTP to HTTPS, HOST:PORT; only together with `tls`.
    pub http: Option<String>,
    /// Validity of Strict-Transport-Security, in days; not sent if `None`.
    pub hsts_days: Option<u32>,
    /// Contact URI for `/.well-known/security.txt`.
    pub security_contact: Option<String>,
}

impl WebOptions {
    /// Returns options for plain HTTP without a proxy.
    pub fn new(listen: String, servers: Vec<String>, keys: Keys) -> WebOptions {
        WebOptions {
            listen,
            servers,
            keys,
            tls: None,
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            http: None,
            hsts_days: None,
            security_contact: None,
        }
    }
}

/// Files for HTTPS, both in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, the server's certificate first.
    pub cert: PathBuf,
    /// Private key.
    pub key: PathBuf,
    /// The key is a systemd credential, so its file's group may be able to open it.
    pub key_is_credential: bool,
    /// TLS 1.2 is accepted as well.
    pub tls12: bool,
}

/// Options that all commands of a user share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonOptions {
    pub cluster: ClusterAccess,
    /// Folder of saved sessions, which need not exist yet; `None` if the user has no settings folder.
    pub folder: Option<PathBuf>,
    /// Use no colours, even on a terminal.
    pub no_colour: bool,
}

/// Options of `client` with a verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerbOptions {
    pub person: PersonOptions,
    pub verb: PersonVerb,
    pub json: bool,
}

/// Verbs of `client`. A missing text is read from standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonVerb {
    LogIn {
        username: String,
    },
    LogOut,
    Create {
        username: String,
        name: Option<String>,
        email: Option<String>,
    },
    Delete,
    Post {
        text: Option<String>,
    },
    Message {
        username: String,
        text: Option<String>,
    },
    Inbox {
        /// Show the conversation with this user; unread messages if `None`.
        with: Option<String>,
        /// Do not mark the messages as read.
        keep: bool,
        limit: usize,
    },
    Feed {
        follow: bool,
        before: Option<LogIndex>,
        limit: usize,
    },
    Befriend {
        username: String,
        wanted: bool,
    },
    People {
        names: String,
        filter: PeopleFilter,
    },
    TakeBack {
        croak: LogIndex,
    },
    /// Changes the profile; a missing field stays as it is.
    Describe {
        name: Option<String>,
        email: Option<String>,
    },
    ChangePassword,
    Sessions,
    EndSession {
        /// Session to end; all other sessions if `None`.
        opened: Option<LogIndex>,
    },
    Export {
        /// File to write; standard output if `None`.
        file: Option<PathBuf>,
    },
}

/// Filter of `client people`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeopleFilter {
    All,
    /// Users that this user follows.
    Friends,
    /// Users that follow this user.
    Followers,
}

/// Options of `client` without a verb, the interactive terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalOptions {
    pub person: PersonOptions,
    pub username: Option<String>,
    /// Take over the chat from this user's other terminal or browser.
    pub take_over: bool,
}

/// Options of `client server`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientServerOptions {
    pub cluster: ClusterAccess,
    /// Folder of the saved client id.
    pub data_dir: PathBuf,
    /// Client id; the saved one if `None`.
    pub id: Option<u64>,
    /// Server that this client used before.
    pub before: Option<String>,
    pub json: bool,
}

/// Options of `web-cert`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertOptions {
    /// Names and addresses of the site; those of this machine if empty.
    pub names: Vec<String>,
    /// Validity in days.
    pub days: u32,
    pub cert: PathBuf,
    pub key: PathBuf,
    /// Issue a new certificate for the existing key.
    pub renew: bool,
}

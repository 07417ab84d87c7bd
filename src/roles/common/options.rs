//! What a role is told: the second stage of the flags, validated, with every default filled in.
//!
//! Nothing here knows where a value came from (a flag, the environment, a file, a folder that `up` left):
//! that is `cli`'s to decide. No role reads flags or the environment itself.

use crate::common::address_book::AddressBook;
use crate::common::network::Network;
use ribbit_net::keys::Keys;
use ribbit_net::protocol::Directory;
use ribbit_state::{ClusterId, Consistency, LogIndex, MemberName, Role, TreePath};
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

/// For `backend` and `coordinator`.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    pub role: Role,
    /// The number of the cluster it serves.
    pub site: u32,
    pub id: u32,
    /// Where to listen, HOST:PORT; port 0 takes a free one.
    pub listen: String,
    /// What to tell others; derived from `listen` when nothing is given.
    pub advertise: Option<String>,
    /// The parent: this member's store is `data_dir/backend-2`.
    pub data_dir: PathBuf,
    pub cluster: ClusterId,
    pub keys: Keys,
    /// Behind these are many people.
    pub trusted_proxies: Vec<Network>,
    /// Where coordinators, or any members, may be found. Without this member's own address.
    pub coordinators: Vec<String>,
    /// Found the group if the store is empty.
    pub found: bool,
    /// Silence after which a voter's seat goes to a learner that is there; asked of the leader.
    pub evict_after: Duration,
    /// Bytes of disk that the store's files may take before what grows is refused.
    pub disk_quota_bytes: u64,
    /// What one account may write in a minute through a backend; 0 is as much as comes.
    pub posts_per_minute: u32,
    /// Founds, and ends.
    pub found_only: bool,
    /// How often it says that it is there,
    pub heartbeat: Duration,
    /// and how many beats in a row may be missed before it counts as gone; asked of the leader.
    pub miss: u32,
    /// How many clusters clients are spread over, where a coordinator was told.
    pub clusters: Option<u32>,
}

impl NodeOptions {
    /// `backend-2`: what people call it.
    pub fn name(&self) -> String {
        self.who().to_string()
    }
    pub fn who(&self) -> MemberName {
        MemberName { role: self.role, site: self.site, id: self.id }
    }
    /// How long somebody may be silent before it counts as gone.
    pub fn lease(&self) -> Duration {
        self.heartbeat * self.miss
    }
    /// The folder of this member's store.
    pub fn store_dir(&self) -> PathBuf {
        self.data_dir.join(self.name())
    }
}

/// For `balancer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancerOptions {
    /// Where to listen, HOST:PORT; port 0 takes a free one.
    pub listen: String,
    /// The number of the cluster that it shares out people over.
    pub site: u32,
    /// Where any members may be found; the balancer learns of the others from them.
    pub seeds: Vec<String>,
    pub keys: Keys,
    /// Behind these are many people.
    pub trusted_proxies: Vec<Network>,
    /// An address to hold for the group.
    pub floating: Option<FloatingOptions>,
}

/// For `balancer --floating`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloatingOptions {
    pub address: Ipv4Addr,
    /// How many of its bits are the network's.
    pub bits: u8,
    /// Where it goes: the name of an interface.
    pub interface: String,
}

/// For `balancer read`, `write`, `down` and `left`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryOptions {
    pub group: Group,
    pub ask: Directory,
    pub json: bool,
}

/// For `client web`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOptions {
    /// Where browsers come in, HOST:PORT; port 0 takes a free one.
    pub listen: String,
    /// Balancers or backends, tried in this order.
    pub servers: Vec<String>,
    /// What its servers are known by.
    pub keys: Keys,
    /// Pages are encrypted.
    pub tls: Option<TlsFiles>,
    /// Names that it goes by, besides those that nobody outside can have.
    pub hosts: Vec<String>,
    /// Who may say for whom they ask.
    pub trusted_proxies: Vec<Network>,
    /// Plain HTTP is listened for there, and led to HTTPS. HOST:PORT; only beside `tls`.
    pub http: Option<String>,
    /// Browsers are told to use HTTPS alone for so many days.
    pub hsts_days: Option<u32>,
    /// Where those who find a hole can say so: a URI, for `/.well-known/security.txt`.
    pub security_contact: Option<String>,
}

impl WebOptions {
    /// Plain pages, and nobody in between.
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

/// What makes pages HTTPS. Both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, then those that vouch for it.
    pub cert: PathBuf,
    /// Secret.
    pub key: PathBuf,
    /// systemd keeps the key for this process: the group may be able to open it.
    pub key_is_credential: bool,
    /// TLS 1.2 is spoken, too.
    pub tls12: bool,
}

/// What everything that a person does at a terminal is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonOptions {
    pub group: Group,
    /// Where sessions are kept; need not be there yet. Nothing when the user has no such place.
    pub folder: Option<PathBuf>,
    /// Not even where there is a terminal.
    pub no_colour: bool,
}

/// For `client` with a verb of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerbOptions {
    pub person: PersonOptions,
    pub verb: PersonVerb,
    pub json: bool,
}

/// One thing that a person does. A text that is not given stands on standard input.
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
        /// The talk with this one, instead of what waits to be read.
        with: Option<String>,
        /// What is shown stays unread.
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
        whose: Whose,
    },
    TakeBack {
        croak: LogIndex,
    },
    /// What is not given stays.
    Describe {
        name: Option<String>,
        email: Option<String>,
    },
    ChangePassword,
    Sessions,
    EndSession {
        /// All but this one when there is none.
        opened: Option<LogIndex>,
    },
    Export {
        /// Standard output when there is none.
        file: Option<PathBuf>,
    },
}

/// For `user`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserOptions {
    pub group: Group,
    pub verb: UserVerb,
    pub json: bool,
}

/// What those who run the group do with people's accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserVerb {
    List {
        names: String,
    },
    Password {
        username: String,
    },
    Suspend {
        username: String,
        suspended: bool,
    },
    Delete {
        username: String,
        /// It need not be confirmed.
        yes: bool,
    },
    /// Anybody's.
    RemoveCroak {
        croak: LogIndex,
    },
    Registration {
        open: bool,
    },
}

/// Which people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Everybody,
    /// Those one follows.
    Friends,
    /// Those who follow one.
    Followers,
}

/// For `client` without a verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalOptions {
    pub person: PersonOptions,
    pub username: Option<String>,
    /// Take the chat from where else this person has it.
    pub take_over: bool,
}

/// For `client server`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientServerOptions {
    pub group: Group,
    /// Where the client's id is kept.
    pub data_dir: PathBuf,
    /// Of another client than the one that is kept.
    pub id: Option<u64>,
    /// The server that was used before.
    pub before: Option<String>,
    pub json: bool,
}

/// For `init`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitOptions {
    /// What people call the cluster; for display alone.
    pub name: String,
    /// As reached from every board.
    pub coordinators: Vec<String>,
    /// The file to write.
    pub cluster_file: PathBuf,
    /// The folder that the file lies in, when it lies where members look for it.
    pub data_dir: Option<PathBuf>,
}

/// Whether `up` brings dead processes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    Always,
    Never,
}

/// Where `up` keeps its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDir {
    Kept(PathBuf),
    /// A temporary folder, removed at the end.
    Ephemeral,
}

/// For `up`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpOptions {
    pub backends: u32,
    pub coordinators: u32,
    /// Where browsers come in, HOST:PORT; port 0 takes a free one.
    pub web: String,
    pub data_dir: DataDir,
    pub restart: Restart,
    /// What members are told.
    pub evict_after: Duration,
    /// The same.
    pub disk_quota_bytes: u64,
    /// What backends are told.
    pub posts_per_minute: u32,
}

/// For `demo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoOptions {
    pub scene: Scene,
    /// Without pauses.
    pub fast: bool,
}

/// What `demo` plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    Persistence,
    Replication,
}

/// For `shell`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellOptions {
    pub group: Group,
    /// Where the history of what was typed may be kept, if it is there.
    pub data_dir: PathBuf,
    /// What to do once; nothing reads commands from standard input.
    pub command: Vec<String>,
}

/// For `lock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockOptions {
    pub group: Group,
    pub path: TreePath,
    /// How long to wait for somebody else; nothing waits for ever.
    pub wait: Option<Duration>,
    pub lease: Duration,
    /// With its arguments; never empty.
    pub command: Vec<OsString>,
}

/// For `key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOptions {
    pub cluster_file: PathBuf,
}

/// For `web-cert`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertOptions {
    /// Names and addresses that people type; empty for those of this machine.
    pub names: Vec<String>,
    /// How long it is valid.
    pub days: u32,
    pub cert: PathBuf,
    pub key: PathBuf,
    /// A new certificate for the key that is there.
    pub renew: bool,
}

/// For `recover`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverOptions {
    /// A member's store; only read.
    pub from: PathBuf,
    /// Which backend is to have it.
    pub id: u32,
    /// The parent of that backend's store.
    pub data_dir: PathBuf,
    pub cluster: ClusterId,
    /// The cluster file, where it was named.
    pub cluster_file: Option<PathBuf>,
}

/// For `backup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupOptions {
    pub group: Group,
    pub to: BackupTo,
}

/// Where a backup goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupTo {
    File(PathBuf),
    /// Standard output.
    Output,
}

/// For `restore`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreOptions {
    /// Standard input when there is none.
    pub file: Option<PathBuf>,
    /// The folder to make.
    pub data_dir: PathBuf,
    /// Of the new cluster, for display.
    pub name: String,
    /// What its cluster file is to list.
    pub coordinators: Vec<String>,
}

/// For `verify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyOptions {
    pub group: Group,
    pub json: bool,
}

/// How a command finds the group that it talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Addresses to ask who belongs to the group: members, or a balancer.
    pub seeds: Vec<String>,
    /// Addresses that serve people, when they are known without asking; the balancer of `up`, mostly.
    pub servers: Vec<String>,
    /// What was looked at, for messages: `ribbit-data/ports`.
    pub found_in: String,
    /// What its servers are known by; what it takes to run the group where the cluster file is at hand.
    pub keys: Keys,
    /// Where its members' addresses are kept, where the cluster file is at hand.
    pub book: Option<AddressBook>,
}

/// For `doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoctorOptions {
    pub data_dir: PathBuf,
    pub cluster_file: PathBuf,
    /// Where this user's sessions are kept.
    pub settings: Option<PathBuf>,
    pub disk_quota_bytes: u64,
    /// Ports to look at; the usual ones when there are none.
    pub listen: Vec<String>,
    pub json: bool,
}

/// For `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusOptions {
    pub group: Group,
    /// Everything that is known of each member, as `members` shows it.
    pub detailed: bool,
    pub json: bool,
}

/// For `watch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchOptions {
    pub group: Group,
    /// One look.
    pub once: bool,
}

/// For `health`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthOptions {
    pub group: Group,
    pub json: bool,
}

/// What is to become of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Let go of it; `alive`: even though it is.
    Remove { alive: bool },
    /// Let it learn and not vote.
    Drain,
    /// Let it vote again.
    Undrain,
    /// Let it lead.
    Lead,
}

/// For `member remove`, `member drain`, `member undrain` and `transfer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberOptions {
    pub group: Group,
    pub name: MemberName,
    pub fate: Fate,
}

/// What `bench` does over and over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BenchOp {
    Post,
    Feed,
    Lock,
    List,
}

impl BenchOp {
    pub fn name(self) -> &'static str {
        match self {
            BenchOp::Post => "post",
            BenchOp::Feed => "feed",
            BenchOp::Lock => "lock",
            BenchOp::List => "list",
        }
    }
}

/// Whom the clients of a benchmark talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BenchServers {
    /// The balancer, where one is known; else the backends.
    Balancer,
    Backends,
    /// The backend that leads when it begins.
    Leader,
}

/// For `bench`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchOptions {
    pub group: Group,
    pub op: BenchOp,
    pub clients: u32,
    pub time: Duration,
    /// Of each croak's text.
    pub bytes: u32,
    /// Of each account.
    pub friends: u32,
    pub servers: BenchServers,
    /// Of the feeds that are read.
    pub consistency: Consistency,
    pub json: bool,
}

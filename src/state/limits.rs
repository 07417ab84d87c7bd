//! Every number that bounds something in the rules. Limits of sockets, queues and disks are in
//! `net::limits`, `replica::limits` and `db::limits`.

use super::command::Command;

/// Characters (Unicode scalar values, CRLF counted as one) in a croak.
pub const CROAK_CHARS_MAX: usize = 100;
/// Characters in a user name: a-z 0-9 _ -, folded to lower case.
pub const USERNAME_CHARS_MAX: usize = 32;
/// Characters in the name a person shows.
pub const NAME_CHARS_MAX: usize = 64;
pub const EMAIL_CHARS_MAX: usize = 254;
pub const PASSWORD_CHARS_MIN: usize = 8;
pub const PASSWORD_CHARS_MAX: usize = 256;

/// People one person may follow. Bounds the memory of a feed read.
pub const FRIENDS_MAX: usize = 4_096;
/// Sessions of one account; the oldest is dropped when another is opened.
pub const SESSIONS_PER_ACCOUNT_MAX: usize = 32;
/// A session ends when the cluster has been up this long since the log-in.
pub const SESSION_AGE_MS_MAX: u64 = 30 * 24 * 3600 * 1000;
/// Croaks in one page of a feed.
pub const FEED_PAGE_MAX: usize = 50;
/// People in one page of a list.
pub const PEOPLE_PAGE_MAX: usize = 100;

/// The newest croaks whose authors are kept in memory; older ones are found through the index by author.
pub const RING_CROAKS: usize = 64 * 1024;
/// Croaks one `IndexCroaks` command moves into the index by author.
pub const INDEX_STEP: usize = 1_024;
/// Rows one `Sweep` command removes of a deleted account.
pub const SWEEP_STEP: usize = 256;

/// Requests that are always remembered, however old.
pub const REMEMBERED_MIN: usize = 16 * 1024;
/// Requests that are remembered at most, however young.
pub const REMEMBERED_MAX: usize = 512 * 1024;
/// Between the two, a request is remembered for this much of the cluster's age.
pub const REMEMBERED_AGE_MS: u64 = 60_000;
/// Remembered requests are forgotten in steps of this many, so that a step rewrites few pages.
pub const FORGET_STEP: usize = 256;

/// Characters of a message, counted as a croak's.
pub const MESSAGE_CHARS_MAX: usize = 1_000;
/// Messages that wait to be read by one person, from all others together,
pub const WAITING_MAX: u32 = 1_000;
/// and from one other person: nobody fills somebody's mailbox alone.
pub const WAITING_PER_TALK_MAX: u32 = 200;
/// Messages in one page of a talk: with the longest texts they fit a frame.
pub const TALK_PAGE_MAX: usize = 50;
/// Talks in one page of a list.
pub const TALKS_PAGE_MAX: usize = 50;
/// Unread croaks are counted up to here: "100 or more".
pub const UNREAD_CROAKS_MAX: u32 = 100;
/// Characters of a pattern of user names.
pub const GLOB_CHARS_MAX: usize = 64;
/// User names that are compared with a pattern for one page.
pub const NAMES_LOOK_MAX: usize = 4_096;
/// Followers are counted up to here.
pub const FOLLOWERS_COUNT_MAX: usize = 4_096;

/// The newest rules level that this version understands.
pub const RULES_LEVEL: u32 = 1;

/// Members (voters and learners) of a group.
pub const MEMBERS_MAX: usize = 32;
/// Bytes of a member's address.
pub const ADDRESS_BYTES_MAX: usize = 255;

/// Clusters of servers; they count from 1, the home.
pub const CLUSTERS_MAX: u32 = 50;
/// Bytes of a path in the namespace,
pub const PATH_BYTES_MAX: usize = 512;
/// of one name in it,
pub const PATH_NAME_BYTES_MAX: usize = 128;
/// and how many names it may have.
pub const PATH_DEPTH_MAX: usize = 16;
/// Nodes of the namespace (folders, files and locks), all together.
pub const NODES_MAX: u64 = 65_536;
/// Bytes of one node's content: with its path it fits a request.
pub const NODE_BYTES_MAX: usize = 3_072;
/// Nodes that one owner may have: all of them go with its lease, in one command.
pub const OWNED_NODES_MAX: usize = 64;
/// Leases of clients, all together.
pub const CLIENT_LEASES_MAX: u64 = 1_024;
/// Bytes of what the owner of a lease says of itself.
pub const LEASE_WORDS_BYTES_MAX: usize = 120;
/// The shortest and the longest lease that a client may ask for.
pub const LEASE_MS_MIN: u32 = 1_000;
pub const LEASE_MS_MAX: u32 = 300_000;
/// Nodes that one command removes of a folder; what is left goes with the next ones.
pub const REMOVE_STEP: usize = 256;
/// Nodes in one page of a listing, and bytes of their content.
pub const TREE_PAGE_MAX: usize = 500;
pub const TREE_PAGE_BYTES_MAX: usize = 128 * 1024;
/// Leases in one page.
pub const LEASES_PAGE_MAX: usize = 256;

/// Bytes of a request in the log; what people type is bounded tighter by the rules, but only once it is there.
pub const REQUEST_BYTES_MAX: usize = 4_608;

/// Bytes of an entry on one line as it was typed, before blanks around it are dropped.
pub const TYPED_BYTES_MAX: usize = 2_048;

/// Bytes of the hash of a password, a PHC string.
pub const PASSWORD_HASH_BYTES_MAX: usize = 256;

/// Largest log index that a request may name; no log reaches it.
pub const INDEX_MAX: u64 = 1 << 62;

const _: () = assert!(REMEMBERED_MIN + FORGET_STEP <= REMEMBERED_MAX);
const _: () = assert!(PATH_BYTES_MAX + NODE_BYTES_MAX + 256 <= REQUEST_BYTES_MAX);
const _: () = assert!(4 * MESSAGE_CHARS_MAX + 256 <= REQUEST_BYTES_MAX);
const _: () = assert!(SWEEP_STEP >= 2, "a sweep removes rows in pairs");

/// The bounds that every member must share, because what a command does depends on them. A group always runs
/// with [`Bounds::REAL`]; tests make them small, so that a short history reaches the edges.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The rules level from which a command may be given.
    pub level_of: fn(&Command) -> u32,
    pub friends_max: usize,
    pub sessions_max: usize,
    pub index_step: usize,
    pub sweep_step: usize,
    pub remembered_min: usize,
    pub remembered_max: usize,
    pub remembered_age_ms: u64,
    pub forget_step: usize,
    pub nodes_max: u64,
    pub owned_nodes_max: usize,
    pub client_leases_max: u64,
    pub remove_step: usize,
    pub waiting_max: u32,
    pub waiting_per_talk_max: u32,
}

impl Bounds {
    pub const REAL: Bounds = Bounds {
        level_of: Command::rules_level,
        friends_max: FRIENDS_MAX,
        sessions_max: SESSIONS_PER_ACCOUNT_MAX,
        index_step: INDEX_STEP,
        sweep_step: SWEEP_STEP,
        remembered_min: REMEMBERED_MIN,
        remembered_max: REMEMBERED_MAX,
        remembered_age_ms: REMEMBERED_AGE_MS,
        forget_step: FORGET_STEP,
        nodes_max: NODES_MAX,
        owned_nodes_max: OWNED_NODES_MAX,
        client_leases_max: CLIENT_LEASES_MAX,
        remove_step: REMOVE_STEP,
        waiting_max: WAITING_MAX,
        waiting_per_talk_max: WAITING_PER_TALK_MAX,
    };
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds::REAL
    }
}

//! The tables: their keys, their rows, and the [`View`] through which rules read them.
//!
//! A store sees a row as `(table, key bytes, row bytes)` and needs to know nothing else. Key bytes sort as the
//! keys do (integers big-endian). Row bytes are a version byte and the row in postcard. Tables that grow for
//! ever are keyed by log index, so that they append.

use super::command::{MemberName, Outcome, Role};
pub use super::coordination::{Coordination, Kind, Lease, Node, Owner};
use super::croaks::Marks;
use super::ids::{AccountId, LogIndex, RaftId, RequestId, TokenHash};
use super::limits::SESSION_AGE_MS_MAX;
use super::path::TreePath;
use super::window::Window;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Version byte of every row written today. A reader accepts every version it knows.
pub const ROW_VERSION: u8 = 1;
/// A croak of ordinary characters and the checksum that the store adds fit in, without growing.
const ROW_BYTES_USUAL: usize = 224;

/// A table, by the byte that prefixes its keys in the store. Part of the disk and snapshot format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u8);

/// A stored row that cannot be what the rules wrote: damage, or a version from the future.
#[derive(Debug, thiserror::Error)]
#[error("table {} holds a row that cannot be read under key {key:02x?}", .table.0)]
pub struct BadRow {
    pub table: TableId,
    pub key: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    OldestFirst,
    NewestFirst,
}

/// A stored row: key bytes, row bytes.
pub type RawRow = (Vec<u8>, Vec<u8>);

/// What is stored, as the rules see it. Implemented by the store's transactions and by a plain map in tests.
pub trait View {
    type Error: From<BadRow>;

    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Rows with `from <= key < to` in key order, or in reverse, at most `limit` of them; none when `from` is
    /// not below `to`.
    fn scan(
        &self,
        table: TableId,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<RawRow>, Self::Error>;

    /// The cluster's age at the newest command in the view.
    fn age_ms(&self) -> u64;
}

/// What applying needs beside the rows: what the rules keep in memory.
pub trait WriteView: View {
    fn window(&self) -> &Window;
}

/// One row put or removed; the only thing that rules produce for the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Put { table: TableId, key: Vec<u8>, row: Vec<u8> },
    Remove { table: TableId, key: Vec<u8> },
}

impl Change {
    pub fn put<T: Table>(key: &T::Key, row: &T::Row) -> Change {
        Change::Put { table: T::ID, key: key.bytes(), row: encode(row) }
    }
    pub fn remove<T: Table>(key: &T::Key) -> Change {
        Change::Remove { table: T::ID, key: key.bytes() }
    }
}

/// The bytes of a row: version, then postcard.
pub fn encode<R: Serialize>(row: &R) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ROW_BYTES_USUAL);
    bytes.push(ROW_VERSION);
    postcard::to_extend(row, bytes).expect("rows are plain data: they always serialise")
}

/// The row in `bytes`, or nothing when they are not one.
pub fn decode<R: DeserializeOwned>(bytes: &[u8]) -> Option<R> {
    decode_borrowed(bytes)
}

/// As [`decode`], with texts that stay where they are.
pub fn decode_borrowed<'a, R: Deserialize<'a>>(bytes: &'a [u8]) -> Option<R> {
    match postcard::take_from_bytes(body(bytes)?) {
        Ok((row, [])) => Some(row),
        _ => None,
    }
}

/// What follows the version, if that is the one we know.
pub fn body(bytes: &[u8]) -> Option<&[u8]> {
    bytes.split_first().filter(|(version, _)| **version == ROW_VERSION).map(|(_, rest)| rest)
}

/// A key whose bytes sort as it does.
pub trait Key: Sized {
    fn bytes(&self) -> Vec<u8>;
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

/// A table: its id, the type of its keys and of its rows.
pub trait Table {
    const ID: TableId;
    type Key: Key;
    type Row: Serialize + DeserializeOwned;
}

/// The row under `key`.
pub fn get<T: Table, V: View>(view: &V, key: &T::Key) -> Result<Option<T::Row>, V::Error> {
    let key = key.bytes();
    match view.get(T::ID, &key)? {
        None => Ok(None),
        Some(bytes) => match decode(&bytes) {
            Some(row) => Ok(Some(row)),
            None => Err(BadRow { table: T::ID, key }.into()),
        },
    }
}

/// Rows of a table with their keys.
pub type Rows<T> = Vec<(<T as Table>::Key, <T as Table>::Row)>;

/// Rows with `from <= key < to`, at most `limit`.
pub fn scan<T: Table, V: View>(
    view: &V,
    from: &T::Key,
    to: &T::Key,
    order: Order,
    limit: usize,
) -> Result<Rows<T>, V::Error> {
    let rows = view.scan(T::ID, &from.bytes(), &to.bytes(), order, limit)?;
    rows.into_iter()
        .map(|(key, row)| match (T::Key::from_bytes(&key), decode(&row)) {
            (Some(key), Some(row)) => Ok((key, row)),
            _ => Err(BadRow { table: T::ID, key }.into()),
        })
        .collect()
}

impl Key for () {
    fn bytes(&self) -> Vec<u8> {
        Vec::new()
    }
    fn from_bytes(bytes: &[u8]) -> Option<()> {
        bytes.is_empty().then_some(())
    }
}

impl Key for u64 {
    fn bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<u64> {
        bytes.try_into().ok().map(u64::from_be_bytes)
    }
}

impl Key for String {
    fn bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<String> {
        String::from_utf8(bytes.to_vec()).ok()
    }
}

impl Key for AccountId {
    fn bytes(&self) -> Vec<u8> {
        self.0.bytes()
    }
    fn from_bytes(bytes: &[u8]) -> Option<AccountId> {
        u64::from_bytes(bytes).map(AccountId)
    }
}

impl Key for TokenHash {
    fn bytes(&self) -> Vec<u8> {
        self.0.to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<TokenHash> {
        bytes.try_into().ok().map(TokenHash)
    }
}

/// An account and something of it: all of one account's rows lie together.
impl Key for (AccountId, u64) {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.0.bytes();
        bytes.extend_from_slice(&self.1.to_be_bytes());
        bytes
    }
    fn from_bytes(bytes: &[u8]) -> Option<(AccountId, u64)> {
        let (account, rest) = bytes.split_at_checked(8)?;
        Some((AccountId::from_bytes(account)?, u64::from_bytes(rest)?))
    }
}

/// An account, another one, and something between the two.
impl Key for (AccountId, AccountId, u64) {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = (self.0, self.1.0).bytes();
        bytes.extend_from_slice(&self.2.to_be_bytes());
        bytes
    }
    fn from_bytes(bytes: &[u8]) -> Option<(AccountId, AccountId, u64)> {
        let (pair, rest) = bytes.split_at_checked(16)?;
        let (account, other) = <(AccountId, u64)>::from_bytes(pair)?;
        Some((account, AccountId(other), u64::from_bytes(rest)?))
    }
}

macro_rules! tables {
    ($($(#[$doc:meta])* $id:literal $name:ident: $key:ty => $row:ty;)*) => {
        $($(#[$doc])*
        pub struct $name;
        impl Table for $name {
            const ID: TableId = TableId($id);
            type Key = $key;
            type Row = $row;
        })*
        /// Every table's id and name, in the order of the ids.
        pub const TABLES: &[(TableId, &str)] = &[$((TableId($id), stringify!($name)),)*];
    };
}

tables! {
    1 Accounts: AccountId => Account;
    /// Folded user name → the live account that has it.
    2 Names: String => AccountId;
    3 Sessions: TokenHash => Session;
    /// (account, index of the log-in) → session, oldest first.
    4 SessionsOf: (AccountId, u64) => TokenHash;
    /// (author, croak), for croaks up to `Bookkeeping::indexed_through`.
    5 CroaksBy: (AccountId, LogIndex) => ();
    /// (who follows, whom).
    6 Friends: (AccountId, u64) => ();
    /// (who is followed, by whom): `Friends` the other way round.
    7 Followers: (AccountId, u64) => ();
    /// Requests that were carried out or refused, by the index at which that happened; not those in `Croaks`.
    8 Requests: LogIndex => Remembered;
    /// Deleted accounts whose rows are not swept yet.
    9 Sweeps: AccountId => ();
    10 Members: RaftId => Member;
    11 Books: () => Bookkeeping;
    /// The lock namespace; the root has no row.
    12 Nodes: TreePath => Node;
    13 Leases: Owner => Lease;
    /// The hash of a client's token → the index at which its lease began.
    14 LeaseTokens: TokenHash => LogIndex;
    /// What goes with its owner.
    15 Owned: (Owner, TreePath) => ();
    16 CoordinationRow: () => Coordination;
    /// Direct messages; gone once nobody has them in a talk any more.
    17 Messages: LogIndex => Message;
    /// (whose, with whom, message): each of the two has a talk of their own.
    18 TalkOf: (AccountId, AccountId, LogIndex) => ();
    /// (who has not read it, from whom, message): bounded.
    19 Waiting: (AccountId, AccountId, LogIndex) => ();
    /// (whose, with whom) → how far they are.
    20 TalkMarks: (AccountId, u64) => TalkMark;
    /// (whose, the newest message of a talk) → with whom.
    21 TalksByAge: (AccountId, LogIndex) => AccountId;
    22 Mailboxes: AccountId => Mailbox;
    /// Accounts that cannot be logged in to.
    23 Suspended: AccountId => ();
    24 SettingsRow: () => Settings;
    /// Read through [`super::croaks`]. Last, for the reason given there.
    255 Croaks: LogIndex => StoredCroak;
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub username: String,
    /// The name the person shows.
    pub name: String,
    pub email: String,
    /// argon2id, PHC string.
    pub password_hash: String,
    /// Rises with every change of the credentials.
    pub credential_version: u32,
    pub created_wall_ms: u64,
    /// Readers treat a deleted account as absent. Its texts are empty from then on; its other rows go step by
    /// step, this one stays.
    pub deleted: bool,
}

/// An [`Account`], read where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct AccountMark<'a> {
    pub username: &'a str,
    pub name: &'a str,
    pub email: &'a str,
    pub password_hash: &'a str,
    pub credential_version: u32,
    pub created_wall_ms: u64,
    pub deleted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub account: AccountId,
    /// The index of its log-in: its key in `SessionsOf`.
    pub opened: LogIndex,
    /// The cluster's age at log-in: what expiry counts from.
    pub opened_age_ms: u64,
    pub opened_wall_ms: u64,
}

impl Session {
    /// Whether it is not over by its age.
    pub fn is_open_at(&self, age_ms: u64) -> bool {
        self.opened_age_ms.saturating_add(SESSION_AGE_MS_MAX) > age_ms
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Croak {
    pub author: AccountId,
    pub wall_ms: u64,
    pub text: String,
}

/// A direct message. Whose account is gone meanwhile is known by the id alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub from: AccountId,
    pub to: AccountId,
    pub wall_ms: u64,
    pub text: String,
}

/// How far one of two is in their talk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalkMark {
    /// The newest message, whoever wrote it: the key in `TalksByAge`.
    pub newest: LogIndex,
    /// How many messages of the other wait to be read.
    pub waiting: u32,
    /// The other's messages up to here were shown by this one's client,
    pub delivered_through: LogIndex,
    /// and up to here were read. Never beyond `delivered_through`.
    pub read_through: LogIndex,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// Messages of anybody that wait to be read.
    pub waiting: u32,
    /// Croaks up to here were seen in the feed.
    pub feed_read_through: LogIndex,
}

/// What those who run the group have decided for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Whether anybody may create an account.
    pub registration_open: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { registration_open: true }
    }
}

/// A croak with what its request did. What is read alone comes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCroak {
    pub marks: Marks,
    pub croak: Croak,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    pub id: RequestId,
    /// Of the command: another command under the same id is refused.
    pub digest: u64,
    /// The cluster's age when it was applied.
    pub age_ms: u64,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub role: Role,
    pub id: u32,
    /// HOST:PORT where it was last reached; a hint.
    pub address: String,
    /// The machine it runs on; empty if unknown.
    pub machine: String,
    /// The newest rules level it understands.
    pub rules_level: u32,
    pub standing: Standing,
    /// The number of the region that it serves.
    pub site: u32,
}

/// What the group wants of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// To vote where there is a seat for it.
    Wanted,
    /// To learn, and not to vote: an operator said so.
    Drained,
    /// To go: its store is lost. Its Raft id is never used again.
    Lost,
}

impl Member {
    /// `backend-2`: what people call it.
    pub fn name(&self) -> String {
        self.who().to_string()
    }
    pub fn who(&self) -> MemberName {
        MemberName { role: self.role, site: self.site, id: self.id }
    }
}

/// The one row of `Books`; rewritten only by steps that happen rarely.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookkeeping {
    /// Requests applied up to here may be forgotten; all later ones are remembered.
    pub forgotten_through: LogIndex,
    /// Croaks up to here are in `CroaksBy`.
    pub indexed_through: LogIndex,
    /// The next Raft id to hand out; 0 before the group is founded.
    pub next_raft_id: RaftId,
    /// Where this log began, 0 before it was founded.
    pub history: u128,
    /// Commands up to this rules level may be given; 0 before the group is founded.
    pub rules_level: u32,
}

/// The bookkeeping row, or its defaults before it was first written.
pub fn books<V: View>(view: &V) -> Result<Bookkeeping, V::Error> {
    Ok(get::<Books, V>(view, &())?.unwrap_or_default())
}

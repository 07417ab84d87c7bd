//! Read access to stored rows, and the encoding of keys and rows.
//!
//! A store sees a row as `(table, key bytes, row bytes)` and needs no other knowledge of it. Key bytes sort as the keys do
//! (integers are big-endian). Row bytes are a version byte followed by the row in postcard.
//!
//! Not here: the tables themselves ([`super::rows`]).

use super::ids::{AccountId, AppId, TokenHash};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Version byte of every row that is written. A reader accepts every version it knows.
pub const ROW_VERSION: u8 = 1;

/// Initial capacity of a row's buffer: fits most croaks and the checksum that the store appends, without growing.
const ROW_BYTES_USUAL: usize = 224;

/// Identifier of a table: the byte that prefixes its keys in the store. Part of the disk and snapshot format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u8);

/// Error: the bytes of a stored row cannot be decoded. The row is damaged, or from a later version.
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

/// Returns a part of a row, given the row's bytes, or `None` if they are not a row. Each table has one projection at most.
pub type Projection = fn(&[u8]) -> Option<Vec<u8>>;

/// Read access to the stored rows. Implemented by the store's transactions, and by a plain map in tests.
pub trait View {
    type Error: From<BadRow>;

    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Returns what a projection makes of a row: the part that pages show. A view may keep the parts of rows that are read
    /// often, which are shorter than the rows.
    ///
    /// # Errors
    /// The view's error, or `BadRow` if the row has no such part.
    fn get_projected(
        &self,
        table: TableId,
        key: &[u8],
        project: Projection,
    ) -> Result<Option<Vec<u8>>, Self::Error> {
        let Some(row) = self.get(table, key)? else { return Ok(None) };
        match project(&row) {
            Some(part) => Ok(Some(part)),
            None => Err(BadRow { table, key: key.to_vec() }.into()),
        }
    }

    /// Returns at most `limit` rows with `from <= key < to`, in key order or in reverse; none if `from` is not below
    /// `to`.
    fn scan(
        &self,
        table: TableId,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<RawRow>, Self::Error>;

    /// Returns the cluster age at the newest command in the view.
    fn age_ms(&self) -> u64;
}

/// One row put or removed. Rules produce nothing else for the store.
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

/// Returns the bytes of a row: the version byte, then postcard.
pub fn encode<R: Serialize>(row: &R) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ROW_BYTES_USUAL);
    bytes.push(ROW_VERSION);
    postcard::to_extend(row, bytes).expect("rows are plain data, which always serialises")
}

/// Returns the row in `bytes`, or `None` if they are not one.
pub fn decode<R: DeserializeOwned>(bytes: &[u8]) -> Option<R> {
    decode_borrowed(bytes)
}

/// As [`decode`], but the row borrows its texts from `bytes`.
pub(crate) fn decode_borrowed<'a, R: Deserialize<'a>>(bytes: &'a [u8]) -> Option<R> {
    match postcard::take_from_bytes(body(bytes)?) {
        Ok((row, [])) => Some(row),
        _ => None,
    }
}

/// Returns the bytes after the version byte, or `None` for an unknown version.
pub fn body(bytes: &[u8]) -> Option<&[u8]> {
    bytes.split_first().filter(|(version, _)| **version == ROW_VERSION).map(|(_, rest)| rest)
}

/// Key of a table. Its bytes sort as the keys do.
pub trait Key: Sized {
    fn bytes(&self) -> Vec<u8>;
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

/// A table: its id and the types of its keys and rows.
pub trait Table {
    const ID: TableId;
    type Key: Key;
    type Row: Serialize + DeserializeOwned;
}

/// Returns the row under `key`.
///
/// # Errors
/// The view's error, or `BadRow` if the row cannot be decoded.
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

/// Returns at most `limit` rows with `from <= key < to`, with their keys.
///
/// # Errors
/// The view's error, or `BadRow` if a row cannot be decoded.
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

impl Key for AppId {
    fn bytes(&self) -> Vec<u8> {
        self.0.bytes()
    }
    fn from_bytes(bytes: &[u8]) -> Option<AppId> {
        u64::from_bytes(bytes).map(AppId)
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

/// An account and a number that belongs to it: all rows of one account are adjacent.
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

/// A croak and a log index that belongs to it, or two other numbers: all rows of one croak are adjacent.
impl Key for (u64, u64) {
    fn bytes(&self) -> Vec<u8> {
        (AccountId(self.0), self.1).bytes()
    }
    fn from_bytes(bytes: &[u8]) -> Option<(u64, u64)> {
        <(AccountId, u64)>::from_bytes(bytes).map(|(first, second)| (first.0, second))
    }
}

/// An account, a second account, and a number that belongs to the pair.
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

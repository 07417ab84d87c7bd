//! The `meta` table: records that a store keeps about itself, one checksummed record per name.
//!
//! A new record gets a new name; an existing one keeps its shape.

use super::DbError;
use super::read::{META, ROWS};
use super::record::{Configuration, Identity, Position, seal_record, unseal_record};
use redb::{Database, ReadableDatabase, ReadableTable, Table};
use serde::Serialize;
use serde::de::DeserializeOwned;

const IDENTITY: &str = "identity";
pub(super) const JOINING: &str = "joining";
/// Hard state of Raft when the log of this epoch began.
pub(super) const HARD_STATE: &str = "hard";
pub(super) const APPLIED: &str = "applied";
pub(super) const CONFIGURATION: &str = "configuration";
/// Digest of the rows with its index. A record of another index than the applied one, or a missing one, comes from a
/// version that did not maintain it.
pub(super) const DIGEST: &str = "digest";
/// Epoch of the log ([`super::journal`]).
pub(super) const EPOCH: &str = "epoch";
/// Position just before the first entry of the log of this epoch.
pub(super) const FLOOR: &str = "floor";

/// Newest log segment with acknowledged records, and the offset up to which it was synced.
pub(super) const NEWEST_LOG: &str = "newest log";
/// Version of the store's format.
pub(super) const FORMAT: &str = "format";
/// The only format version that this version of ribbit reads.
pub(super) const FORMAT_VERSION: u32 = 1;
/// Epoch of the log in an empty store.
const EPOCH_FIRST: u64 = 1;

/// Returns true if the file was ever used as a store.
pub(super) fn has_tables(database: &Database) -> Result<bool, DbError> {
    Ok(database.begin_read()?.open_table(META).is_ok())
}

/// Creates the tables of an empty store. A store with tables stays as it is; [`super::format`] checks its format.
///
/// # Errors
/// The store cannot be read or written.
pub(super) fn make_tables(database: &Database) -> Result<(), DbError> {
    if has_tables(database)? {
        return Ok(());
    }
    let transaction = database.begin_write()?;
    {
        transaction.open_table(ROWS)?;
        let mut meta = transaction.open_table(META)?;
        write_meta(&mut meta, FORMAT, &FORMAT_VERSION)?;
        write_meta(&mut meta, EPOCH, &EPOCH_FIRST)?;
    }
    transaction.commit()?;
    Ok(())
}

pub(super) fn read_meta<R: DeserializeOwned>(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<Option<R>, DbError> {
    match meta.get(name)? {
        None => Ok(None),
        Some(value) => unseal_record(name.as_bytes(), value.value()).map(Some),
    }
}

pub(super) fn write_meta<R: Serialize>(
    meta: &mut Table<'_, &'static str, &'static [u8]>,
    name: &str,
    record: &R,
) -> Result<(), DbError> {
    meta.insert(name, seal_record(name.as_bytes(), record).as_slice())?;
    Ok(())
}

pub(super) fn write_identity(
    meta: &mut Table<'_, &'static str, &'static [u8]>,
    identity: &Identity,
) -> Result<(), DbError> {
    write_meta(meta, IDENTITY, identity)
}

pub(super) fn read_identity(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Option<Identity>, DbError> {
    read_meta(meta, IDENTITY)
}

pub(super) fn write_position(
    meta: &mut Table<'_, &'static str, &'static [u8]>,
    applied: Position,
    configuration: &Configuration,
) -> Result<(), DbError> {
    write_meta(meta, APPLIED, &applied)?;
    write_meta(meta, CONFIGURATION, configuration)
}

pub(super) fn read_position(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<(Position, Configuration), DbError> {
    Ok((read_meta(meta, APPLIED)?.unwrap_or_default(), read_meta(meta, CONFIGURATION)?.unwrap_or_default()))
}

//! The `meta` table: what a store keeps of itself, one checksummed record a name.
//!
//! A new record gets a new name; the existing ones keep their shape.

use super::DbError;
use super::read::{META, ROWS};
use super::record::{Configuration, Identity, Position, seal_record, unseal_record};
use redb::{Database, ReadableDatabase, ReadableTable, Table};
use serde::Serialize;
use serde::de::DeserializeOwned;

const IDENTITY: &str = "identity";
pub(super) const JOINING: &str = "joining";
/// What was promised when this epoch's log began.
pub(super) const HARD_STATE: &str = "hard";
pub(super) const APPLIED: &str = "applied";
pub(super) const CONFIGURATION: &str = "configuration";
/// Of the state at the applied index, with that index: one without it, or with another, is from a version that
/// kept none.
pub(super) const DIGEST: &str = "digest";
/// The epoch of the log ([`super::journal`]).
pub(super) const EPOCH: &str = "epoch";
/// The position just before the first entry of this epoch's log.
pub(super) const FLOOR: &str = "floor";

/// The newest segment of the log that something was acknowledged in, and how far it was synced then.
pub(super) const NEWEST_LOG: &str = "newest log";
/// The version of the store's format.
pub(super) const FORMAT: &str = "format";
/// The only format that this version reads.
pub(super) const FORMAT_VERSION: u32 = 1;
/// The epoch of a log that begins with its store.
const EPOCH_FIRST: u64 = 1;

/// Whether this file was ever used as a store.
pub(super) fn has_tables(database: &Database) -> Result<bool, DbError> {
    Ok(database.begin_read()?.open_table(META).is_ok())
}

/// Creates the tables of an empty store, or checks the format of another.
///
/// # Errors
/// `Format` when the store has another format, `Damaged` when it has none; otherwise it cannot be read or written.
pub(super) fn make_tables(database: &Database) -> Result<(), DbError> {
    if has_tables(database)? {
        let found = read_meta(&database.begin_read()?.open_table(META)?, FORMAT)?;
        return match found {
            Some(FORMAT_VERSION) => Ok(()),
            Some(_) => Err(DbError::Format(found)),
            None => Err(DbError::Damaged("its format is gone".into())),
        };
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

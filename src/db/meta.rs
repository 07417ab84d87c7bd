//! Reading and writing the records of the `meta` table, one checksummed record per name.
//!
//! A new record gets a new name; an existing one keeps its shape.

use super::DbError;
use super::disk::begin_durable;
use super::record::{Configuration, Identity, Position, seal_record, unseal_record};
use super::tables::{
    APPLIED, CONFIGURATION, EPOCH, EPOCH_FIRST, FORMAT, FORMAT_VERSION, IDENTITY, META, ROWS,
};
use redb::{Database, ReadableDatabase, ReadableTable, Table, TableError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Returns true if the file was ever used as a store.
///
/// # Errors
/// `Format` if the names in `meta` are of another type: a build before version 0.2.0 wrote it. Otherwise the file cannot be read.
pub(super) fn has_tables(database: &Database) -> Result<bool, DbError> {
    match database.begin_read()?.open_table(META) {
        Ok(_) => Ok(true),
        Err(TableError::TableDoesNotExist(_)) => Ok(false),
        Err(TableError::TableTypeMismatch { .. }) => Err(DbError::Format(None)),
        Err(error) => Err(error.into()),
    }
}

/// Creates the tables of an empty store. A store with tables stays as it is; [`super::format`] checks its format.
///
/// # Errors
/// The store cannot be read or written.
pub(super) fn make_tables(database: &Database) -> Result<(), DbError> {
    if has_tables(database)? {
        return Ok(());
    }
    let transaction = begin_durable(database)?;
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
    meta: &impl ReadableTable<&'static [u8], &'static [u8]>,
    name: &str,
) -> Result<Option<R>, DbError> {
    match meta.get(name.as_bytes())? {
        None => Ok(None),
        Some(value) => unseal_record(name.as_bytes(), value.value()).map(Some),
    }
}

pub(super) fn write_meta<R: Serialize>(
    meta: &mut Table<'_, &'static [u8], &'static [u8]>,
    name: &str,
    record: &R,
) -> Result<(), DbError> {
    let name = name.as_bytes();
    meta.insert(name, seal_record(name, record).as_slice())?;
    Ok(())
}

pub(super) fn write_identity(
    meta: &mut Table<'_, &'static [u8], &'static [u8]>,
    identity: &Identity,
) -> Result<(), DbError> {
    write_meta(meta, IDENTITY, identity)
}

pub(super) fn read_identity(
    meta: &impl ReadableTable<&'static [u8], &'static [u8]>,
) -> Result<Option<Identity>, DbError> {
    read_meta(meta, IDENTITY)
}

pub(super) fn write_position(
    meta: &mut Table<'_, &'static [u8], &'static [u8]>,
    applied: Position,
    configuration: &Configuration,
) -> Result<(), DbError> {
    write_meta(meta, APPLIED, &applied)?;
    write_meta(meta, CONFIGURATION, configuration)
}

pub(super) fn read_position(
    meta: &impl ReadableTable<&'static [u8], &'static [u8]>,
) -> Result<(Position, Configuration), DbError> {
    Ok((read_meta(meta, APPLIED)?.unwrap_or_default(), read_meta(meta, CONFIGURATION)?.unwrap_or_default()))
}

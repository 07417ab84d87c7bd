//! Flags of `backup`, `restore` and `verify`, and their conversion to options.

use super::flags::StatusFlags;
use crate::common::address;
use crate::common::cluster_selection::{ClusterFlags, select_with_key};
use crate::common::defaults::data_dir_or_default;
use crate::common::failure::Failure;
use crate::common::options::{BackupOptions, BackupTo, RestoreOptions, VerifyOptions};
use clap::{ArgMatches, Args};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct BackupFlags {
    /// File to write, or - for standard output
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    #[command(flatten)]
    pub group: ClusterFlags,
}

#[derive(Debug, Args)]
pub struct RestoreFlags {
    /// Backup to read, or - for standard input
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    /// Data folder to create; it must be missing or empty [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Display name of the new cluster
    #[arg(long, default_value = "ribbit")]
    pub name: String,
    /// Addresses of its coordinators, as every machine reaches them
    #[arg(long, value_name = "HOST:PORT[,…]", value_delimiter = ',', value_parser = address::peer)]
    pub coordinator: Vec<String>,
}

pub(super) fn backup(flags: BackupFlags, matches: &ArgMatches) -> Result<BackupOptions, Failure> {
    let to = if flags.file == Path::new("-") { BackupTo::Output } else { BackupTo::File(flags.file) };
    Ok(BackupOptions { group: select_with_key(flags.group, matches)?, to })
}

pub(super) fn restore(flags: RestoreFlags) -> RestoreOptions {
    let file = Some(flags.file).filter(|file| file != Path::new("-"));
    let (data_dir, name, coordinators) = (data_dir_or_default(flags.data_dir), flags.name, flags.coordinator);
    RestoreOptions { file, data_dir, name, coordinators }
}

pub(super) fn verify(flags: StatusFlags, matches: &ArgMatches) -> Result<VerifyOptions, Failure> {
    Ok(VerifyOptions { group: select_with_key(flags.group, matches)?, json: flags.json })
}

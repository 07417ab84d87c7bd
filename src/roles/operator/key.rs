//! `ribbit key`: prints the cluster's public key, with which clients authenticate its servers.

use crate::common::cluster_file::ClusterFile;
use crate::common::cluster_selection::path_to_ask;
use crate::common::failure::Failure;
use crate::common::output;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `key`.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// Folder of the cluster file [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Cluster file [default: cluster.ribbit in the data folder]
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
The public key is not secret. Clients and web processes without a cluster file
use it to authenticate the servers:
  ribbit client web --server board1:8081 --public-key $(ssh board1 ribbit key)

Without it, they trust the key of the first server they connect to and refuse
any other key from then on.";

/// Prints the public key.
///
/// # Errors
/// 78: the cluster file is missing or malformed.
pub(crate) fn run(arguments: KeyArgs) -> Result<(), Failure> {
    let path = path_to_ask(arguments.cluster_file, arguments.data_dir);
    let keys = ClusterFile::read(&path)?.keys();
    if let Some(public) = keys.public() {
        output::line(&public.to_string());
    }
    Ok(())
}

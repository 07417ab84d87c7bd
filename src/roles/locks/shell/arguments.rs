//! Arguments of `ribbit shell`.

use crate::common::cluster_selection::ClusterAccess;
use crate::common::cluster_selection::{ClusterFlags, select_with_key};
use crate::common::defaults::data_dir_or_default;
use crate::common::failure::Failure;
use clap::{ArgMatches, Args};
use std::path::PathBuf;

/// Arguments of `shell`.
#[derive(Debug, Args)]
pub struct ShellArgs {
    #[command(flatten)]
    pub cluster: ClusterFlags,
    /// Command to run; without it, commands are read from the terminal or standard input
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

/// Options of `shell`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellOptions {
    pub cluster: ClusterAccess,
    /// Folder for the history of typed commands, if it exists.
    pub data_dir: PathBuf,
    /// Command to run; if empty, commands are read from standard input.
    pub command: Vec<String>,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit shell                              Interactive, with history and completion
  ribbit shell ls /clusters                 Masters and servers of all regions
  ribbit shell write /jobs/state done       A small file, replicated to all members
  ribbit shell --server board1:10001 holders
  ribbit shell help                         List all commands
  ribbit shell < commands                   Stops at the first line that fails

Cluster options must precede COMMAND. `test` exits 0 or 1 for use in scripts:
`ribbit shell test -l /jobs/backup && echo held`.

Reads are linearizable. Without a quorum they fail with exit code 5; with
`--stale` after `ls`, `cat`, `stat`, `test`, `holders` or `save`, they show the
state of one server and say so on standard error.";

impl ShellArgs {
    /// Returns the options.
    ///
    /// # Errors
    /// As [`select_with_key`].
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<ShellOptions, Failure> {
        let data_dir = data_dir_or_default(self.cluster.data_dir.clone());
        Ok(ShellOptions { cluster: select_with_key(self.cluster, matches)?, data_dir, command: self.command })
    }
}

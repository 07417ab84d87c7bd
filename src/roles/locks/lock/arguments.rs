//! Arguments of `ribbit lock`.

use crate::common::cluster_selection::ClusterAccess;
use crate::common::cluster_selection::{ClusterFlags, select_with_key};
use crate::common::failure::Failure;
use crate::common::values;
use clap::{ArgMatches, Args};
use ribbit_state::TreePath;
use std::ffi::OsString;
use std::time::Duration;

/// Default lease of a lock: longer than an election or a busy machine takes, short enough to wait for after a crash.
const LEASE: &str = "10s";

/// Arguments of `lock`.
#[derive(Debug, Args)]
pub struct LockArgs {
    /// Path of the lock, such as /jobs/backup; missing parent folders are created
    #[arg(value_parser = values::tree_path)]
    pub path: TreePath,
    /// Give up after waiting this long for the lock; 0s does not wait [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = values::span)]
    pub wait: Option<Duration>,
    /// Lease of the lock, 2s to 5m: time without contact after which the next holder gets it
    #[arg(long, value_name = "TIME", default_value = LEASE, value_parser = values::lease)]
    pub lease: Duration,
    #[command(flatten)]
    pub cluster: ClusterFlags,
    /// Command to run while holding the lock, with its arguments
    #[arg(value_name = "CMD", last = true, required = true)]
    pub command: Vec<OsString>,
}

/// Options of `lock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockOptions {
    pub cluster: ClusterAccess,
    pub path: TreePath,
    /// Time to wait for the lock; no limit if `None`.
    pub wait: Option<Duration>,
    pub lease: Duration,
    /// Command with its arguments; never empty.
    pub command: Vec<OsString>,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
CMD runs while the lock is held, with RIBBIT_LOCK and RIBBIT_FENCE (the fencing
token, which increases with every holder) in its environment. The exit code is
that of CMD, or 128 plus the signal number if a signal killed it.

If the lease cannot be renewed for half of --lease, CMD is terminated (SIGTERM,
then SIGKILL) and the exit code is 75. If ribbit is killed, CMD is killed as
well, but not processes that CMD started.

Examples:
  ribbit lock /jobs/backup -- rsync -a /home board2:/backup
  ribbit lock /jobs/backup --wait 0s -- ./run-unless-already-running
  ribbit shell write /jobs/count 0
  ribbit lock /jobs/counting --lease 30s -- sh -c '
    n=$(ribbit shell cat /jobs/count) &&
    ribbit shell write /jobs/count $((n + 1))'

A lock alone is advisory: a holder that was suspended for longer than its lease
may wake up and write while another process holds the lock. The last example is
safe from that. `ribbit shell cat` is a linearizable read; without a quorum it
exits 5, and the && stops the script. `ribbit shell write` takes RIBBIT_LOCK and
RIBBIT_FENCE from its environment and is refused unless the lock is still held
with that token. If it exits 3, the write may or may not have happened. Other
systems that CMD writes to can do the same: remember the highest token seen and
refuse a lower one.";

impl LockArgs {
    /// Returns the options.
    ///
    /// # Errors
    /// As [`select_with_key`].
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<LockOptions, Failure> {
        let LockArgs { path, wait, lease, cluster, command } = self;
        Ok(LockOptions { cluster: select_with_key(cluster, matches)?, path, wait, lease, command })
    }
}

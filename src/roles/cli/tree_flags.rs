//! The flags of `ribbit shell` and `ribbit lock`, as they were typed.

use super::flags::GroupFlags;
use super::typed;
use clap::Args;
use ribbit_state::TreePath;
use std::ffi::OsString;
use std::time::Duration;

/// Long enough for an election and a board that is busy, short enough to wait for after a crash.
pub const LEASE: &str = "10s";

#[derive(Debug, Args)]
pub struct ShellFlags {
    #[command(flatten)]
    pub group: GroupFlags,
    /// What to do, once; without it commands are read from the terminal or from standard input
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

#[derive(Debug, Args)]
pub struct LockFlags {
    /// Which lock, like /jobs/backup; folders above it are made
    #[arg(value_parser = typed::place)]
    pub path: TreePath,
    /// Give up when somebody else has held it for so long; 0s does not wait at all [default: wait for ever]
    #[arg(long, value_name = "TIME", value_parser = typed::span)]
    pub wait: Option<Duration>,
    /// How long after this process was last heard of the lock is given to the next one
    #[arg(long, value_name = "TIME", default_value = LEASE, value_parser = typed::lease)]
    pub lease: Duration,
    #[command(flatten)]
    pub group: GroupFlags,
    /// What to run while the lock is held, with its arguments
    #[arg(value_name = "CMD", last = true, required = true)]
    pub command: Vec<OsString>,
}

pub const SHELL_HELP: &str = "\
Examples:
  ribbit shell                              a prompt with history and completion
  ribbit shell ls /clusters                 who is master, and who is there
  ribbit shell write /jobs/state done       a small file, on every member
  ribbit shell --server board1:10001 holders
  ribbit shell help                         everything it can do
  ribbit shell < commands                   stops at the first line that fails

Flags that say which group stand before COMMAND. `test` exits 0 or 1, so
`ribbit shell test -l /jobs/backup && echo held` works in scripts. What is read
is never older than what was written before; when the servers cannot agree, a
read fails with 5, and `--stale` behind `ls`, `cat`, `stat`, `test`, `holders`
and `save` shows what one server has, with a mark on standard error.";

pub const LOCK_HELP: &str = "\
CMD runs while the lock is held, with RIBBIT_LOCK and RIBBIT_FENCE (a number
that rises with every holder) in its environment. Its exit code is ribbit's,
128 and the signal's number when a signal ended it. When nobody can confirm the
lock for half of --lease, CMD is ended (SIGTERM, then SIGKILL) and ribbit exits
with 75. When ribbit is killed, CMD is killed with it; what CMD has started by
itself is not.

Examples:
  ribbit lock /jobs/backup -- rsync -a /home board2:/backup
  ribbit lock /jobs/backup --wait 0s -- ./only-if-nobody-else-does
  ribbit shell write /jobs/count 0
  ribbit lock /jobs/counting --lease 30s -- sh -c '
    n=$(ribbit shell cat /jobs/count) &&
    ribbit shell write /jobs/count $((n + 1))'

A lock alone is advice: a holder that was stopped for longer than its lease may
wake up and write while another process holds the lock. The last example is
safe from that. `ribbit shell cat` reads everything that was written before, or
fails with 5 when the servers cannot agree; the && stops the script then.
`ribbit shell write` takes RIBBIT_LOCK and RIBBIT_FENCE from its environment
and is refused unless the lock is still held under that number. When it exits
with 3, it may or may not have been written. Whatever else CMD writes to can do
the same: remember the highest fence seen, and refuse a lower one.";

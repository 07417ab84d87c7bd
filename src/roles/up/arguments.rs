//! Arguments of `ribbit up`.

use crate::common::address;
use crate::common::defaults::{DISK_QUOTA, EVICT_AFTER, POSTS_PER_MINUTE, data_dir_or_default};
use crate::common::service::is_loopback;
use crate::common::values;
use crate::irc::arguments as irc;
use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::{ArgAction, Args, ValueEnum, value_parser};
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `up`.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Number of backends, 1 to 7
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(1..=7))]
    pub backends: u32,
    /// Number of coordinators, 0 to 5
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = value_parser!(u32).range(0..=5))]
    pub coordinators: u32,
    /// Listen address of the web pages; port 0 picks a free port
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080", value_parser = address::listen)]
    pub web: String,
    /// Also serve the clients of older systems, on their original ports
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub gateway: bool,
    /// Also serve IRC clients, on this address [default with --irc alone: 127.0.0.1:6667]
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = irc::LISTEN,
        value_parser = address::listen)]
    pub irc: Option<String>,
    /// Folder for all data [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Whether to restart a process that exits
    #[arg(long, value_enum, default_value = "always")]
    pub restart: Restart,
    /// Replace a voter that has been silent for this long, 1s to 10m, if a learner can take its seat
    #[arg(long, value_name = "TIME", default_value = EVICT_AFTER, value_parser = values::evict_after)]
    pub evict_after: Duration,
    /// Disk quota of a member, at least 64KiB; when it is exceeded, or less than 64 MiB of the disk are free, new
    /// accounts, follows and croaks are refused
    #[arg(long, value_name = "SIZE", default_value = DISK_QUOTA, value_parser = values::disk_quota)]
    pub disk_quota: u64,
    /// Rate limit per account: croaks, messages and follows per minute, at least 6; 0 means no limit [default: 60,
    /// with --ephemeral 0]
    #[arg(long, value_name = "N", value_parser = values::posts_per_minute)]
    pub posts_per_minute: Option<u32>,
    /// Keep all data in a temporary folder that is removed on exit
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub ephemeral: bool,
}

/// Restart policy of `up`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Restart {
    Always,
    Never,
}

/// Data folder of `up`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DataDir {
    Kept(PathBuf),
    /// A temporary folder, removed on exit.
    Ephemeral,
}

/// Options of `up`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UpOptions {
    pub backends: u32,
    pub coordinators: u32,
    /// Listen address of the web pages, HOST:PORT; port 0 picks a free port.
    pub web: String,
    /// Serve the clients of older systems, too.
    pub gateway: bool,
    /// Listen address for IRC clients, if they are served.
    pub irc: Option<String>,
    pub data_dir: DataDir,
    pub restart: Restart,
    /// `--evict-after` of the members.
    pub evict_after: Duration,
    /// `--disk-quota` of the members.
    pub disk_quota_bytes: u64,
    /// `--posts-per-minute` of the backends.
    pub posts_per_minute: u32,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit up                                 Three backends, two coordinators
  ribbit up --backends 1 --coordinators 0   The smallest cluster
  ribbit up --web 127.0.0.1:0 --ephemeral   Any free port, no data left behind
  ribbit up --restart never                 Do not restart processes that exit
  ribbit up --gateway                       Serve the clients of older systems, too
  ribbit up --irc                           Serve IRC clients, too, on port 6667

Ctrl-C stops all processes. The data folder is kept, and the next `ribbit up`
continues with it.";

impl UpArgs {
    /// Returns the options.
    ///
    /// # Errors
    /// A usage error for `--ephemeral` together with `--data-dir`, and for IRC on an address that other machines can reach.
    pub(crate) fn options(self) -> Result<UpOptions, clap::Error> {
        if let Some(exposed) = self.irc.as_ref().filter(|listen| !is_loopback(listen)) {
            let message = format!(
                "--irc {exposed} can be reached by other machines, and `up` serves IRC without encryption: run `ribbit client irc \
                 --listen {exposed} --tls-cert FILE --tls-key FILE` beside it"
            );
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, format!("{message}\n")));
        }
        let data_dir = match (self.ephemeral, self.data_dir) {
            (true, Some(_)) => {
                let message =
                    "--ephemeral keeps all data in a temporary folder and cannot be used with --data-dir";
                return Err(clap::Error::raw(ErrorKind::ArgumentConflict, format!("{message}\n")));
            }
            (true, None) => DataDir::Ephemeral,
            (false, data_dir) => DataDir::Kept(data_dir_or_default(data_dir)),
        };
        Ok(UpOptions {
            backends: self.backends,
            coordinators: self.coordinators,
            web: self.web,
            gateway: self.gateway,
            irc: self.irc,
            data_dir,
            restart: self.restart,
            evict_after: self.evict_after,
            disk_quota_bytes: self.disk_quota,
            posts_per_minute: self.posts_per_minute.unwrap_or(if self.ephemeral {
                0
            } else {
                POSTS_PER_MINUTE
            }),
        })
    }
}

//! Arguments of `ribbit doctor`, and the folder that it checks by default.

use crate::common::address;
use crate::common::cluster_selection::{path_of_cluster_file, settings_folder};
use crate::common::defaults::{DATA_DIR, DISK_QUOTA, INSTALLED, STATE_DIR};
use crate::common::values;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use std::path::{Path, PathBuf};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Data folder to check [default: ribbit-data if it exists, else /var/lib/ribbit if a package is in use]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Cluster file [default: cluster.ribbit in the data folder, for /var/lib/ribbit that in /etc/ribbit]
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
    /// Disk quota of a member
    #[arg(long, value_name = "SIZE", default_value = DISK_QUOTA, value_parser = values::disk_quota)]
    pub disk_quota: u64,
    /// Addresses to check [default: the usual ports of the members that have a store here]
    #[arg(long, value_name = "HOST:PORT[,…]", value_delimiter = ',', value_parser = address::listen)]
    pub listen: Vec<String>,
    /// Print JSON
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// Options of `doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DoctorOptions {
    pub data_dir: PathBuf,
    pub cluster_file: PathBuf,
    /// Folder of this user's saved sessions.
    pub settings: Option<PathBuf>,
    pub disk_quota_bytes: u64,
    /// Addresses to check; the usual ones if empty.
    pub listen: Vec<String>,
    pub json: bool,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit doctor
  sudo ribbit doctor                     For data of root or of a systemd unit
  ribbit doctor --json --data-dir ribbit-data

Checks the clock, disk speed and space, file permissions, this machine's ports,
the coordinators of the cluster file and the versions of all members. Each
problem is followed by what to do about it.

Exit codes: 0 no problem, 1 problems that have to be fixed, 5 warnings only.";

impl DoctorArgs {
    /// Returns the options. By default, the data folder is that of the current directory, else that of the packages' units.
    pub(crate) fn options(self) -> DoctorOptions {
        let of_units = PathBuf::from(STATE_DIR);
        let data_dir = self.data_dir.unwrap_or_else(|| {
            let here = PathBuf::from(DATA_DIR);
            // A folder that this user may not open exists nevertheless.
            let elsewhere = of_units.symlink_metadata().is_ok() || Path::new(INSTALLED).exists();
            if !here.exists() && elsewhere { of_units.clone() } else { here }
        });
        let named = self.cluster_file.is_some();
        let found = path_of_cluster_file(self.cluster_file, &data_dir);
        // The installed cluster file belongs to the units' folder only, not to another one that was named.
        let installed = !named && data_dir == of_units && !found.exists();
        let cluster_file = if installed { PathBuf::from(INSTALLED) } else { found };
        DoctorOptions {
            data_dir,
            cluster_file,
            settings: settings_folder(),
            disk_quota_bytes: self.disk_quota,
            listen: self.listen,
            json: self.json,
        }
    }
}

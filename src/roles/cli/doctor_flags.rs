//! The flags of `ribbit doctor`, and where it looks when it is told nothing: at the folder where one stands, else where the
//! packages' units keep everything.

use super::find_group::{path_of_cluster_file, settings_folder};
use super::flags::DISK_QUOTA;
use super::{DATA_DIR, INSTALLED, STATE_DIR, typed};
use crate::common::address;
use crate::common::options::DoctorOptions;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct DoctorFlags {
    /// The folder to look at [default: ribbit-data where that is, else /var/lib/ribbit where a package is in use]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The cluster file [default: cluster.ribbit in the data folder; of /var/lib/ribbit the one in /etc/ribbit]
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
    /// What a member's files may take
    #[arg(long, value_name = "SIZE", default_value = DISK_QUOTA, value_parser = typed::disk_quota)]
    pub disk_quota: u64,
    /// Ports to look at, instead of the usual ones of what has a store here
    #[arg(long, value_name = "HOST:PORT[,…]", value_delimiter = ',', value_parser = address::listen)]
    pub listen: Vec<String>,
    /// For scripts
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub json: bool,
}

pub(super) const HELP: &str = "\
Examples:
  ribbit doctor
  sudo ribbit doctor                     where the data is root's, or a unit's
  ribbit doctor --json --data-dir ribbit-data

Looks at the clock, the disk's speed and space, the modes of files, this board's
ports, every coordinator of the cluster file, and what all members run. Exits 0
when all is fine, 5 when something should be looked at, 1 when something has to
be mended; each such line is followed by what to do.";

pub fn doctor(flags: DoctorFlags) -> DoctorOptions {
    let of_units = PathBuf::from(STATE_DIR);
    let data_dir = flags.data_dir.unwrap_or_else(|| {
        let here = PathBuf::from(DATA_DIR);
        // What one may not look into is there nevertheless.
        let elsewhere = of_units.symlink_metadata().is_ok() || Path::new(INSTALLED).exists();
        if !here.exists() && elsewhere { of_units.clone() } else { here }
    });
    let named = flags.cluster_file.is_some();
    let found = path_of_cluster_file(flags.cluster_file, &data_dir);
    // What belongs to the units' folder belongs to no other that was named.
    let installed = !named && data_dir == of_units && !found.exists();
    let cluster_file = if installed { PathBuf::from(INSTALLED) } else { found };
    DoctorOptions {
        data_dir,
        cluster_file,
        settings: settings_folder(),
        disk_quota_bytes: flags.disk_quota,
        listen: flags.listen,
        json: flags.json,
    }
}

//! Checks of this machine: the clock, the files and their permissions. Opens only files that this user may read.

use super::arguments::DoctorOptions;
use crate::common::cluster_file::ClusterFile;
use crate::common::ports::Ports;
use ribbit_state::MemberName;
use ribbit_ui::doctor::Finding;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Contents of the data folder, as far as they could be read.
#[derive(Debug, Default)]
pub(crate) struct LocalState {
    pub cluster: Option<ClusterFile>,
    pub ports: Option<Ports>,
    /// Members that have a store here.
    pub members: Vec<MemberName>,
    /// The data folder exists and this user may list it.
    pub folder: bool,
}

/// Returns the wall clock. Ribbit shows it beside croaks and bases no decision on it.
pub(crate) fn clock() -> Finding {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Finding::Clock { wall_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX) }
}

/// Checks the data folder, the cluster file and this user's saved sessions.
pub(crate) fn look(options: &DoctorOptions) -> (Vec<Finding>, LocalState) {
    let (mut findings, mut local) = (Vec::new(), LocalState::default());
    let folder = &options.data_dir;
    let shown = folder.display().to_string();
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            findings.push(Finding::Forbidden { path: shown });
        }
        Err(_) => findings.push(Finding::NoFolder { folder: shown, prepared: options.cluster_file.exists() }),
        Ok(entries) => {
            local.folder = true;
            let names = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
            local.members = names.collect();
            local.members.sort();
            local.ports = Ports::read(folder).unwrap_or_else(|failure| {
                let path = Ports::path_in(folder).display().to_string();
                findings.push(Finding::WrongPorts { path, what: failure.message });
                None
            });
        }
    }
    let stores = local.members.iter().map(|name| folder.join(name.to_string()));
    findings.extend(stores.filter_map(|store| mode(&store)));
    local.cluster = cluster_file(&options.cluster_file, folder, &mut findings);
    findings.extend(options.settings.as_deref().map(sessions).unwrap_or_default());
    (findings, local)
}

/// Checks the cluster file. Unlike a member, it also reads a file that others can open.
fn cluster_file(path: &Path, folder: &Path, findings: &mut Vec<Finding>) -> Option<ClusterFile> {
    let shown = path.display().to_string();
    let text = match ClusterFile::text_of(path) {
        Ok(text) => text,
        Err(error) => {
            // Reported once, for the folder.
            let said = findings.contains(&Finding::Forbidden { path: folder.display().to_string() });
            if said && path.starts_with(folder) {
                return None;
            }
            findings.push(match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                    Finding::NoClusterFile { path: shown }
                }
                io::ErrorKind::PermissionDenied => Finding::Forbidden { path: shown },
                _ => Finding::WrongClusterFile { path: shown, what: error.to_string() },
            });
            return None;
        }
    };
    findings.extend(mode(path));
    if let (Ok(file), Ok(folder)) = (fs::metadata(path), fs::metadata(folder)) {
        let (owner, data_owner) = (file.uid(), folder.uid());
        if owner != 0 && owner != data_owner {
            findings.push(Finding::Owner { path: shown.clone(), owner, data_owner });
        }
    }
    match ClusterFile::parse(&text) {
        Ok(file) => Some(file),
        Err(what) => {
            findings.push(Finding::WrongClusterFile { path: shown, what });
            None
        }
    }
}

/// Checks the permissions of session files, which grant access to an account, and of the known servers' keys, which an
/// attacker with write access could replace.
fn sessions(settings: &Path) -> Vec<Finding> {
    let Ok(entries) = fs::read_dir(settings) else { return Vec::new() };
    let is_ours = |name: &str| name.starts_with("session-") || name == "servers";
    let paths = entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(is_ours));
    paths.filter_map(|entry| mode(&entry.path())).collect()
}

/// Returns the mode of a file or folder that only its owner may open; `None` if it does not exist.
fn mode(path: &Path) -> Option<Finding> {
    let metadata = fs::metadata(path).ok()?;
    let mode = metadata.mode() & 0o777;
    Some(Finding::Mode { path: path.display().to_string(), mode, folder: metadata.is_dir() })
}

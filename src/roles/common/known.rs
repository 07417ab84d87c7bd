//! Known servers: the public key of each server address that this user has connected to (trust on first use), in the file
//! `servers` of the user's settings folder.
//!
//! ```text
//!   board1:8081 <cluster, 32 hexadecimal digits> <public key, 64>
//! ```
//!
//! A client without the cluster's public key trusts the first server it connects to and saves its key. From then on, another
//! key at that address is refused with advice. All servers that one process connects to must have the same key, so that a
//! forged address leads to no other cluster.
//!
//! Without a settings folder, keys are remembered for the life of the process only. This cannot tell whether the very first
//! server is the right one. To check that, compare the key with the output of `ribbit key` on a machine of the cluster.

use crate::common::write_file;
use ribbit_net::keys::{PublicKey, Trust};
use ribbit_state::ClusterId;
use ribbit_state::sync::MutexExt;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Name of the file in the settings folder.
const FILE_NAME: &str = "servers";
/// Maximum number of saved addresses; the oldest is dropped.
const KNOWN_SERVERS_MAX: usize = 1_000;

/// Servers known to this user and this process.
#[derive(Debug)]
pub(crate) struct KnownServers {
    folder: Option<PathBuf>,
    /// Key and addresses of the servers that this process has connected to.
    met: Mutex<MetServers>,
}

#[derive(Debug, Default)]
struct MetServers {
    key: Option<PublicKey>,
    /// Addresses in the order of their first connection; each has been looked up once.
    addresses: Vec<String>,
}

impl KnownServers {
    /// Returns the servers saved in `folder`, which need not exist yet.
    pub(crate) fn in_folder(folder: Option<PathBuf>) -> KnownServers {
        KnownServers { folder, met: Mutex::default() }
    }

    /// Looks the address up and saves it if it is new, under a lock against other processes.
    fn look_up(&self, folder: &Path, line: &KnownServer) -> Result<(), String> {
        let file = folder.join(FILE_NAME);
        let shown = file.display();
        let failed =
            |error: io::Error| format!("cannot save the key of {} in {shown}: {error}", line.address);
        let _lock = locked(folder).map_err(failed)?;
        let mut lines = read(&file)?;
        match lines.iter().position(|known| known.address == line.address) {
            Some(at) if lines[at].key == line.key => Ok(()),
            Some(at) => Err(format!(
                "THE KEY OF THE SERVER AT {} HAS CHANGED. An attacker may be impersonating it to read your password and \
                 your messages, or a new cluster was created there. The key is now {}, it was {}. Compare it with the \
                 output of `ribbit key` on a machine of the cluster. If the new key is right, delete line {} of {shown}",
                line.address,
                line.key,
                lines[at].key,
                at + 1
            )),
            None => {
                log::info!("saved the key {} of {} in {shown}", line.key, line.address);
                lines.push(line.clone());
                write(&file, &lines).map_err(failed)
            }
        }
    }

    /// Replaces a saved key at all its addresses.
    fn replace(folder: &Path, old: PublicKey, new: PublicKey) -> Result<(), String> {
        let file = folder.join(FILE_NAME);
        let failed = |error: io::Error| format!("cannot save it in {}: {error}", file.display());
        let _lock = locked(folder).map_err(failed)?;
        let mut lines = read(&file)?;
        lines.iter_mut().filter(|known| known.key == old).for_each(|known| known.key = new);
        write(&file, &lines).map_err(failed)
    }
}

/// Locks the settings folder against other processes.
fn locked(folder: &Path) -> io::Result<File> {
    write_file::make_folder(folder)?;
    let lock = File::open(folder)?;
    flock(&lock, FlockOperation::LockExclusive)?;
    Ok(lock)
}

/// Reads the saved keys; none if there is no file.
fn read(file: &Path) -> Result<Vec<KnownServer>, String> {
    let shown = file.display();
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read.map_err(|error| format!("cannot read {shown}: {error}"))?,
    };
    let damaged = |number: usize| format!("line {} of {shown} is damaged: fix or delete it", number + 1);
    let lines = text.lines().enumerate();
    lines.map(|(number, text)| KnownServer::parse(text).ok_or_else(|| damaged(number))).collect()
}

fn write(file: &Path, lines: &[KnownServer]) -> io::Result<()> {
    let first = lines.len().saturating_sub(KNOWN_SERVERS_MAX);
    let text: String = lines[first..].iter().map(KnownServer::to_text).collect();
    write_file::replace(file, &text)
}

impl Trust for KnownServers {
    fn judge(&self, address: &str, cluster: ClusterId, key: PublicKey) -> Result<(), String> {
        let mut met = self.met.locked();
        if met.key.is_some_and(|known| known != key) {
            let first = met.addresses.first().map_or("the others", String::as_str);
            return Err(format!(
                "the server at {address} has another key than {first}: it belongs to another cluster"
            ));
        }
        if met.addresses.iter().any(|known| known == address) {
            return Ok(());
        }
        let line = KnownServer { address: address.to_string(), cluster, key };
        if let Some(folder) = &self.folder {
            self.look_up(folder, &line)?;
        }
        met.key = Some(key);
        if met.addresses.len() < KNOWN_SERVERS_MAX {
            met.addresses.push(line.address);
        }
        Ok(())
    }

    fn known(&self, address: &str) -> Option<PublicKey> {
        let met = self.met.locked().key;
        met.or_else(|| {
            let lines = read(&self.folder.as_ref()?.join(FILE_NAME)).ok()?;
            lines.into_iter().find(|known| known.address == address).map(|known| known.key)
        })
    }

    fn follow(&self, old: PublicKey, new: PublicKey) {
        let mut met = self.met.locked();
        if met.key != Some(old) {
            return;
        }
        met.key = Some(new);
        log::warn!("the cluster has a new key, {new}; a server with the old key has named it");
        if let Some(folder) = &self.folder
            && let Err(why) = KnownServers::replace(folder, old, new)
        {
            log::warn!("the new key is used by this process only: {why}");
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct KnownServer {
    address: String,
    cluster: ClusterId,
    key: PublicKey,
}

impl KnownServer {
    fn parse(text: &str) -> Option<KnownServer> {
        let mut words = text.split(' ');
        let (address, cluster, key) = (words.next()?, words.next()?, words.next()?);
        let line = KnownServer {
            address: address.to_string(),
            cluster: cluster.parse().ok()?,
            key: key.parse().ok()?,
        };
        (words.next().is_none() && !address.is_empty()).then_some(line)
    }

    fn to_text(&self) -> String {
        format!("{} {} {}\n", self.address, self.cluster, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(folder: &Path) -> KnownServers {
        KnownServers::in_folder(Some(folder.to_path_buf()))
    }

    #[test]
    fn the_first_key_of_an_address_is_pinned() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (PublicKey([1; 32]), PublicKey([2; 32]));
        known(folder.path()).judge("board1:8081", ClusterId(1), one).unwrap();
        known(folder.path()).judge("board2:8081", ClusterId(2), other).unwrap();
        known(folder.path()).judge("board1:8081", ClusterId(1), one).unwrap();
        let why = known(folder.path()).judge("board1:8081", ClusterId(1), other).unwrap_err();
        for word in ["board1:8081", "line 1 of", &one.to_string(), &other.to_string()] {
            assert!(why.contains(word), "{why}");
        }
        let kept = fs::read_to_string(folder.path().join(FILE_NAME)).unwrap();
        assert_eq!(kept.lines().count(), 2, "{kept}");
    }

    #[test]
    fn one_process_accepts_servers_of_one_key_only() {
        let servers = KnownServers::in_folder(None);
        servers.judge("board1:8081", ClusterId(1), PublicKey([1; 32])).unwrap();
        servers.judge("board2:8081", ClusterId(1), PublicKey([1; 32])).unwrap();
        let why = servers.judge("board3:8081", ClusterId(1), PublicKey([2; 32])).unwrap_err();
        assert!(why.contains("board3:8081") && why.contains("board1:8081"), "{why}");
    }

    #[test]
    fn the_successor_of_a_key_replaces_it_at_all_addresses() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two, other) = (PublicKey([1; 32]), PublicKey([2; 32]), PublicKey([3; 32]));
        known(folder.path()).judge("elsewhere:8081", ClusterId(2), other).unwrap();
        known(folder.path()).judge("board2:8081", ClusterId(1), one).unwrap();
        let servers = known(folder.path());
        servers.judge("board1:8081", ClusterId(1), one).unwrap();
        servers.follow(one, two);
        servers.follow(one, other);
        assert_eq!(servers.known("board1:8081"), Some(two));
        servers.judge("board3:8081", ClusterId(1), two).unwrap();
        assert!(servers.judge("board4:8081", ClusterId(1), one).is_err());
        let later = known(folder.path());
        assert_eq!(later.known("board2:8081"), Some(two));
        assert_eq!(later.known("elsewhere:8081"), Some(other));
        later.judge("board2:8081", ClusterId(1), two).unwrap();
    }

    #[test]
    fn a_damaged_file_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_NAME), "board1:8081 what\n").unwrap();
        let why = known(folder.path()).judge("board2:8081", ClusterId(1), PublicKey([1; 32])).unwrap_err();
        assert!(why.contains("line 1 of"), "{why}");
    }
}

//! Whose servers are where, as far as a person's programs have seen: the file `servers` in the folder of the user's
//! configuration.
//!
//! ```text
//!   board1:8081 <cluster, 32 hexadecimal digits> <public key, 64>
//! ```
//!
//! Who was never told the cluster's public key trusts the first server that it meets, and remembers its key. From then
//! on that address has that key: another one is refused, and what to do about it said. All servers that one process
//! meets have one key, so that an address learned from a stranger leads nowhere else.
//!
//! Without such a folder nothing is remembered beyond the process. What this does not do: tell whether the very first
//! server is the right one. Whoever wants to know compares the key with what `ribbit key` says on a board.

use crate::common::write_file;
use ribbit_net::keys::{PublicKey, Trust};
use ribbit_state::ClusterId;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const FILE_NAME: &str = "servers";
/// Addresses that are remembered; the oldest goes.
const DEDUP_REQUESTS_MAX: usize = 1_000;

#[derive(Debug)]
pub struct KnownServers {
    folder: Option<PathBuf>,
    /// The key of whom this process has met, and where.
    met: Mutex<Met>,
}

#[derive(Debug, Default)]
struct Met {
    key: Option<PublicKey>,
    /// The first that was met is the first of them; each was looked up once.
    addresses: Vec<String>,
}

impl KnownServers {
    /// Remembered in `folder`, which need not be there yet.
    pub fn in_folder(folder: Option<PathBuf>) -> KnownServers {
        KnownServers { folder, met: Mutex::default() }
    }

    /// Looks the address up, and remembers it when it is new. Other processes wait meanwhile.
    fn look_up(&self, folder: &Path, line: &Line) -> Result<(), String> {
        let file = folder.join(FILE_NAME);
        let shown = file.display();
        let failed =
            |error: io::Error| format!("cannot remember the key of {}: {shown}: {error}", line.address);
        write_file::make_folder(folder).map_err(failed)?;
        let lock = File::open(folder).map_err(failed)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(failed)?,
        };
        let mut lines = Vec::new();
        for (number, text) in text.lines().enumerate() {
            let known = Line::parse(text)
                .ok_or_else(|| format!("line {} of {shown} is damaged: mend or delete it", number + 1))?;
            lines.push(known);
        }
        match lines.iter().position(|known| known.address == line.address) {
            Some(at) if lines[at].key == line.key => Ok(()),
            Some(at) => Err(format!(
                "THE SERVER AT {} HAS ANOTHER KEY THAN BEFORE. Somebody may have taken its place to read your password \
                 and your messages; or a new cluster was founded there. It has {}, and had {}. Compare with `ribbit key` \
                 on a board; if the new one is right, delete line {} of {shown}",
                line.address,
                line.key,
                lines[at].key,
                at + 1
            )),
            None => {
                log::info!("{} has the key {}: remembered in {shown}", line.address, line.key);
                lines.push(line.clone());
                let first = lines.len().saturating_sub(DEDUP_REQUESTS_MAX);
                let text: String = lines[first..].iter().map(Line::to_text).collect();
                write_file::replace(&file, &text).map_err(failed)
            }
        }
    }
}

impl Trust for KnownServers {
    fn judge(&self, address: &str, cluster: ClusterId, key: PublicKey) -> Result<(), String> {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if met.key.is_some_and(|known| known != key) {
            let first = met.addresses.first().map_or("the others", String::as_str);
            return Err(format!(
                "the server at {address} has another key than {first}: it belongs elsewhere"
            ));
        }
        if met.addresses.iter().any(|known| known == address) {
            return Ok(());
        }
        let line = Line { address: address.to_string(), cluster, key };
        if let Some(folder) = &self.folder {
            self.look_up(folder, &line)?;
        }
        met.key = Some(key);
        if met.addresses.len() < DEDUP_REQUESTS_MAX {
            met.addresses.push(line.address);
        }
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    address: String,
    cluster: ClusterId,
    key: PublicKey,
}

impl Line {
    fn parse(text: &str) -> Option<Line> {
        let mut words = text.split(' ');
        let (address, cluster, key) = (words.next()?, words.next()?, words.next()?);
        let line =
            Line { address: address.to_string(), cluster: cluster.parse().ok()?, key: key.parse().ok()? };
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
    fn the_first_key_of_an_address_stays_its_key() {
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
    fn one_process_meets_servers_of_one_key() {
        let servers = KnownServers::in_folder(None);
        servers.judge("board1:8081", ClusterId(1), PublicKey([1; 32])).unwrap();
        servers.judge("board2:8081", ClusterId(1), PublicKey([1; 32])).unwrap();
        let why = servers.judge("board3:8081", ClusterId(1), PublicKey([2; 32])).unwrap_err();
        assert!(why.contains("board3:8081") && why.contains("board1:8081"), "{why}");
    }

    #[test]
    fn a_file_that_is_damaged_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_NAME), "board1:8081 what\n").unwrap();
        let why = known(folder.path()).judge("board2:8081", ClusterId(1), PublicKey([1; 32])).unwrap_err();
        assert!(why.contains("line 1 of"), "{why}");
    }
}

//! `--join`: gets the cluster file from a member with a join code, before a server starts.
//!
//! ```text
//!   cluster file exists ─▶ the code is not used
//!   otherwise ─▶ lock the folder ─▶ exists by now? ─▶ ask the member ─▶ write the file ─▶ start as usual
//! ```
//!
//! - Several servers of one machine start at once with one code. The lock makes the first one use it, and the others find the
//!   file.
//! - The cluster gives the file once. If this process is killed before it has written the file, another code is needed.

use crate::common::address;
use crate::common::address_book::AddressBook;
use crate::common::cluster_file::ClusterFile;
use crate::common::discovery::{DiscoveryArgs, of_one_cluster};
use crate::common::failure::{Exit, Failure};
use crate::common::{test_hooks, write_file};
use clap::Args;
use ribbit_net::frame::FrameError;
use ribbit_net::join_code::JoinCode;
use ribbit_net::joining::{self, JoinError, JoinFiles};
use ribbit_net::mdns::Found;
use ribbit_net::protocol::UnavailableReason;
use rustix::fs::FlockOperation;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Ports that are tried when a host is given without one: the usual ones of coordinators, backends and a balancer.
const USUAL_PORTS: [u16; 7] = [9_000, 9_001, 9_002, 10_001, 10_002, 10_003, 8_081];
/// Test hook: pause before the cluster file is written, in milliseconds.
const TEST_JOIN_PAUSE_MS: &str = "JOIN_PAUSE_MS";

/// Flag that gets the cluster file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(crate) struct JoinArgs {
    /// Get the cluster file with a code of `ribbit invite-board`, unless the file exists; once used, the code opens
    /// nothing, so it may stay on a command line
    // Parsed later, so that an error does not print the code.
    #[arg(long, value_name = "CODE[@HOST[:PORT]]")]
    pub join: Option<String>,
}

impl JoinArgs {
    /// Gets the cluster file if the flag is given and the file does not exist. Returns true if it did. Without a host, the members in
    /// this network are asked.
    ///
    /// # Errors
    /// - 1: the file cannot be written.
    /// - 2: the flag is malformed.
    /// - 3: no member answers, or none can decide.
    /// - 78: the code is refused, or the other side is not of its cluster.
    pub(crate) fn fetch_to(&self, path: &Path, discovery: DiscoveryArgs) -> Result<bool, Failure> {
        let Some(text) = &self.join else { return Ok(false) };
        if path.exists() {
            return Ok(false);
        }
        let (code, addresses) = parse(text).map_err(|what| Failure::new(Exit::Usage, what))?;
        let addresses = match addresses {
            Some(addresses) => addresses,
            None => members(discovery)?,
        };
        let folder = write_file::folder_of(path);
        let _lock = lock(folder).map_err(|error| unwritten(path, &error))?;
        if path.exists() {
            return Ok(false);
        }
        let (address, files) = smol::block_on(fetch(&code, &addresses))?;
        if let Some(pause) = test_hooks::number(TEST_JOIN_PAUSE_MS)? {
            std::thread::sleep(Duration::from_millis(pause));
        }
        let file = ClusterFile::parse(&files.cluster_file).map_err(|what| {
            Failure::new(Exit::Configuration, format!("{address} sent an invalid cluster file: {what}"))
        })?;
        file.create(path).map_err(|error| unwritten(path, &error))?;
        AddressBook::beside(path, None, file.cluster).write(files.members);
        eprintln!("ribbit: got the cluster file of {:?} from {address}, in {}", file.name, path.display());
        Ok(true)
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Refused, format!("cannot write the cluster file {}: {error}", path.display()))
}

/// Locks a folder against other processes that join. The lock ends with the process, too.
fn lock(folder: &Path) -> io::Result<File> {
    write_file::make_folder(folder)?;
    let folder = File::open(folder)?;
    rustix::fs::flock(&folder, FlockOperation::LockExclusive)?;
    Ok(folder)
}

/// Finds the members of the only cluster in this network.
fn members(discovery: DiscoveryArgs) -> Result<Vec<String>, Failure> {
    let found = of_one_cluster(discovery.find())?;
    let addresses: Vec<String> = found.into_iter().filter(Found::is_member).map(|it| it.address).collect();
    match addresses.is_empty() {
        true => {
            let text = "found no member in this network: name the host of one with --join CODE@HOST";
            Err(Failure::new(Exit::Unreachable, text))
        }
        false => Ok(addresses),
    }
}

/// Parses CODE[@HOST[:PORT]] and returns the addresses to try, if it has a host.
fn parse(text: &str) -> Result<(JoinCode, Option<Vec<String>>), String> {
    let expected = "--join needs CODE, CODE@HOST or CODE@HOST:PORT, as printed by `ribbit invite-board`";
    let (code, host) = match text.trim().split_once('@') {
        Some((code, host)) => (code, Some(host)),
        None => (text, None),
    };
    let code: JoinCode = code.parse().map_err(|error| format!("--join: {error}"))?;
    let Some(host) = host else { return Ok((code, None)) };
    let addresses = match address::peer(host) {
        Ok(address) => vec![address],
        Err(_) => USUAL_PORTS.iter().map(|port| format!("{host}:{port}")).collect(),
    };
    match addresses.iter().all(|address| address::peer(address).is_ok()) {
        true => Ok((code, Some(addresses))),
        false => Err(expected.to_string()),
    }
}

/// Gets the files from the first address at which a member listens, and returns the address, too.
async fn fetch(code: &JoinCode, addresses: &[String]) -> Result<(String, JoinFiles), Failure> {
    let mut refused = JoinError::Frame(FrameError::Closed);
    for address in addresses {
        let error = match joining::fetch(address, code).await {
            Ok(files) => return Ok((address.clone(), files)),
            Err(error) => error,
        };
        // It does not listen, has not joined itself, or lags.
        let unserved = matches!(&error, JoinError::Frame(error) if error.is_refused())
            || matches!(
                error,
                JoinError::Unavailable(UnavailableReason::NotServing | UnavailableReason::Behind)
            );
        if unserved {
            refused = error;
            continue;
        }
        let exit = match &error {
            JoinError::Refused(_) | JoinError::Impostor => Exit::Configuration,
            JoinError::Unavailable(_) | JoinError::Frame(_) => Exit::Unreachable,
        };
        return Err(Failure::new(exit, format!("cannot join through {address}: {error}")));
    }
    let tried = addresses.join(", ");
    Err(Failure::new(Exit::Unreachable, format!("cannot join: no member answers at {tried}: {refused}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_and_a_host_are_told_apart() {
        let (_, addresses) = parse("kp93x-j3hvb@board1:9000").unwrap();
        assert_eq!(addresses.unwrap(), ["board1:9000"]);
        assert_eq!(parse("KP93X-J3HVB").unwrap().1, None);
        let addresses = parse("KP93XJ3HVB@[::1]").unwrap().1.unwrap();
        assert_eq!((addresses.len(), addresses[0].as_str()), (USUAL_PORTS.len(), "[::1]:9000"));
        for wrong in ["", "KP93X-J3HVC@a", "KP93X-J3HVB@", "KP93X-J3HVB@a b", "KP93X-J3HVB@a:0"] {
            let what = parse(wrong).unwrap_err();
            assert!(!what.contains("KP93X-J3HV"), "{what}");
        }
    }
}

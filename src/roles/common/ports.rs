//! The ports file: the listen addresses of the processes that `up` started on this machine.
//!
//! `up` writes `DATA/ports`. A member that is started by hand on the same folder takes its own address and the others' from
//! it, and commands use it to find the cluster. Addresses are hints: `up` chooses new ports if another program took them,
//! and members find each other again at the new ones.
//!
//! ```text
//!   FOUNDER=coordinator-1    member that creates the cluster if its store is empty, until FOUNDED=yes
//!   FOUNDED=yes              the cluster was up once: no member creates it again, even if all stores are lost
//!   WEB=127.0.0.1:8080
//!   BALANCER=127.0.0.1:40123
//!   BACKEND_1=127.0.0.1:40124
//!   COORDINATOR_1=127.0.0.1:40127
//! ```

use crate::common::address;
use crate::common::env_file;
use crate::common::failure::{Exit, Failure};
use crate::common::write_file;
use ribbit_state::{MemberName, Role};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the file in a data folder.
pub(crate) const FILE_NAME: &str = "ports";

/// Contents of a ports file; addresses are HOST:PORT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ports {
    pub web: Option<String>,
    pub balancer: Option<String>,
    pub members: BTreeMap<(Role, u32), String>,
    /// Member that may have to create the cluster: `coordinator-1`. `None` once the cluster exists.
    pub founder: Option<String>,
    pub founded: bool,
}

impl Ports {
    /// Returns the path of the ports file in a data folder.
    pub(crate) fn path_in(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE_NAME)
    }

    /// Reads the ports file of a data folder; `None` if it has none.
    ///
    /// # Errors
    /// 78: the file cannot be read, is malformed or truncated. It holds hints only, so the message says that it may be
    /// removed.
    pub(crate) fn read(data_dir: &Path) -> Result<Option<Ports>, Failure> {
        let path = Ports::path_in(data_dir);
        let wrong = |what: String| {
            let message = format!(
                "cannot read {}: {what}; you can delete the file, `ribbit up` writes a new one",
                path.display()
            );
            Failure::new(Exit::Configuration, message)
        };
        match std::fs::read_to_string(&path) {
            // A complete file lists members; a file without any was truncated.
            Ok(text) => match Ports::parse(&text) {
                Ok(ports) if ports.members.is_empty() => Err(wrong("it lists no members".into())),
                parsed => parsed.map(Some).map_err(wrong),
            },
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(wrong("it is not a text file".into()))
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let message = format!(
                    "{} belongs to another user: run the command as that user, or pass an address with --server",
                    path.display()
                );
                Err(Failure::new(Exit::Configuration, message))
            }
            Err(error) => {
                Err(Failure::new(Exit::Configuration, format!("cannot read {}: {error}", path.display())))
            }
        }
    }

    /// Writes the ports file of a data folder.
    ///
    /// # Errors
    /// An I/O error.
    pub(crate) fn write(&self, data_dir: &Path) -> io::Result<()> {
        write_file::replace(&Ports::path_in(data_dir), &self.to_text())
    }

    /// Returns the addresses of all members.
    pub(crate) fn everyone(&self) -> Vec<String> {
        self.members.values().cloned().collect()
    }

    fn to_text(&self) -> String {
        let mut entries: Vec<(String, String)> = Vec::new();
        let mut put = |key: &str, value: &Option<String>| {
            entries.extend(value.iter().map(|value| (key.to_string(), value.clone())));
        };
        put("FOUNDER", &self.founder);
        put("FOUNDED", &self.founded.then(|| "yes".to_string()));
        put("WEB", &self.web);
        put("BALANCER", &self.balancer);
        for ((role, id), address) in &self.members {
            put(
                &MemberName::at_home(*role, *id).to_string().to_ascii_uppercase().replace('-', "_"),
                &Some(address.clone()),
            );
        }
        "# Written by `ribbit up`.\n".to_string() + &env_file::format(entries)
    }

    fn parse(text: &str) -> Result<Ports, String> {
        let mut ports = Ports::default();
        for entry in env_file::parse(text).map_err(|error| error.to_string())? {
            let unknown = || format!("line {}: {} is unknown", entry.line, entry.key);
            let address = || {
                let checked = address::peer(&entry.value);
                checked.map_err(|what| format!("line {}: {}: {what}", entry.line, entry.key))
            };
            match entry.key.as_str() {
                "FOUNDER" => ports.founder = Some(entry.value.clone()),
                "FOUNDED" => ports.founded = entry.value == "yes",
                "WEB" => ports.web = Some(address()?),
                "BALANCER" => ports.balancer = Some(address()?),
                key => {
                    let member = member_of(key).ok_or_else(unknown)?;
                    ports.members.insert(member, address()?);
                }
            }
        }
        Ok(ports)
    }
}

/// Parses a member's key: `BACKEND_2`.
fn member_of(key: &str) -> Option<(Role, u32)> {
    let (role, id) = key.rsplit_once('_')?;
    let role = match role {
        "BACKEND" => Role::Backend,
        "COORDINATOR" => Role::Coordinator,
        _ => return None,
    };
    Some((role, id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Ports::read(folder.path()).unwrap(), None);
        let ports = Ports {
            web: Some("127.0.0.1:8080".into()),
            balancer: Some("127.0.0.1:1".into()),
            members: [
                ((Role::Backend, 12), "127.0.0.1:2".into()),
                ((Role::Coordinator, 1), "[::1]:3".into()),
            ]
            .into(),
            founder: Some("coordinator-1".into()),
            founded: true,
        };
        ports.write(folder.path()).unwrap();
        assert_eq!(Ports::read(folder.path()).unwrap().unwrap(), ports);
        assert_eq!(ports.members[&(Role::Backend, 12)], "127.0.0.1:2");
        assert_eq!(ports.everyone().len(), 2);
    }

    #[test]
    fn an_unknown_line_is_named() {
        for text in ["FROG_1=a:1\n", "BACKEND_x=a:1\n", "WEB=a:0\n"] {
            assert!(Ports::parse(text).unwrap_err().starts_with("line 1"), "{text}");
        }
    }
}

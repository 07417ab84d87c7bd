//! The ports file: where the processes that `up` started on this machine listen.
//!
//! `up` writes `DATA/ports`; a member that is started by hand on the same folder takes its own address and the
//! others' from it, and commands find the group through it. Addresses are hints: they are chosen anew when
//! somebody else took them, and members find each other again under new ones.
//!
//! ```text
//!   FOUNDER=coordinator-1    who founds the group if its store is empty, until FOUNDED=yes
//!   FOUNDED=yes              the group was up once: nobody founds again, whatever happens to the stores
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

/// Its name in a data folder.
pub const FILE_NAME: &str = "ports";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ports {
    pub web: Option<String>,
    pub balancer: Option<String>,
    pub members: BTreeMap<(Role, u32), String>,
    /// `coordinator-1`, while the group may still have to be founded.
    pub founder: Option<String>,
    pub founded: bool,
}

impl Ports {
    /// Where it lies in a data folder.
    pub fn path_in(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE_NAME)
    }

    /// What the folder's ports file says; nothing when there is none.
    ///
    /// # Errors
    /// 78: it cannot be read, or was cut off. A cut-off file holds hints only: the message says that it may be removed.
    pub fn read(data_dir: &Path) -> Result<Option<Ports>, Failure> {
        let path = Ports::path_in(data_dir);
        let wrong = |what: String| {
            let message = format!(
                "cannot read {}: {what}; it may be removed, `ribbit up` writes it anew",
                path.display()
            );
            Failure::new(Exit::Configuration, message)
        };
        match std::fs::read_to_string(&path) {
            // It always names members: one that does not was cut off.
            Ok(text) => match Ports::parse(&text) {
                Ok(ports) if ports.members.is_empty() => Err(wrong("it names no members".into())),
                parsed => parsed.map(Some).map_err(wrong),
            },
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(wrong("it is no text".into())),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let message = format!(
                    "{} belongs to another user: ask as that user, or name a server with --server",
                    path.display()
                );
                Err(Failure::new(Exit::Configuration, message))
            }
            Err(error) => {
                Err(Failure::new(Exit::Configuration, format!("cannot read {}: {error}", path.display())))
            }
        }
    }

    /// # Errors
    /// Whatever the file system says.
    pub fn write(&self, data_dir: &Path) -> io::Result<()> {
        write_file::replace(&Ports::path_in(data_dir), &self.to_text())
    }

    /// Addresses of backends, by number.
    pub fn backends(&self) -> Vec<String> {
        let backends = self.members.iter().filter(|((role, _), _)| *role == Role::Backend);
        backends.map(|(_, address)| address.clone()).collect()
    }

    /// Addresses of all members.
    pub fn everyone(&self) -> Vec<String> {
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

/// `BACKEND_2`.
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
        assert_eq!(ports.backends(), ["127.0.0.1:2"]);
        assert_eq!(ports.everyone().len(), 2);
    }

    #[test]
    fn an_unknown_line_is_named() {
        for text in ["FROG_1=a:1\n", "BACKEND_x=a:1\n", "WEB=a:0\n"] {
            assert!(Ports::parse(text).unwrap_err().starts_with("line 1"), "{text}");
        }
    }
}

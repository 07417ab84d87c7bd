//! `ribbit client server`: prints the server that this client should use.
//!
//! The cluster assigns the client an id once. The id is stored in the data folder together with the history of the cluster
//! that assigned it, because another history assigns other ids. The last used server is stored as well, so the answer can
//! report a change.

use crate::client::arguments::ClientServerOptions;
use crate::common::env_file;
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use crate::common::write_file;
use ribbit_net::assignment::{self, ServerAssignment};
use ribbit_net::frame::Plane;
use ribbit_net::keys::Keys;
use ribbit_net::oneshot::ask_status;
use serde::Serialize;
use std::io::ErrorKind;
use std::path::Path;

/// Name of the file in the data folder with the client's id.
const FILE_NAME: &str = "client";

/// Prints the server for this client.
///
/// # Errors
/// - `Unreachable` (3) when no server answers, or none accepts clients.
/// - `Refused` (1) when the client file cannot be written.
/// - `Configuration` (78) when the client file cannot be read.
pub(crate) async fn run(options: &ClientServerOptions) -> Result<(), Failure> {
    let (seeds, keys) = (&options.cluster.seeds, &options.cluster.keys);
    let unreachable = |why| {
        let asked = seeds.join(", ");
        Failure::new(Exit::Unreachable, format!("{why}; asked {asked} (from {})", options.cluster.found_in))
    };
    let path = options.data_dir.join(FILE_NAME);
    let history = history(seeds, keys).await.ok_or_else(|| unreachable("no server answers".to_string()))?;
    let stored = ClientFile::read(&path)?.filter(|stored| stored.history == history);
    let (client, before) = match (options.id, stored) {
        (Some(id), _) => (id, options.before.clone()),
        (None, Some(stored)) => (stored.client, options.before.clone().or(stored.server)),
        (None, None) => {
            let number =
                assignment::new_client_id(seeds, keys).await.map_err(|why| unreachable(why.to_string()))?;
            (number, options.before.clone())
        }
    };
    let homed = assignment::assign_server(seeds, keys, client, before.as_deref()).await;
    let homed = homed.map_err(|_| unreachable("no server accepts clients".to_string()))?;
    if options.id.is_none() {
        let stored = ClientFile { history, client, server: Some(homed.server.address.clone()) };
        stored.write(&path)?;
    }
    output::line(&if options.json { json(client, &homed) } else { words(client, &homed) });
    Ok(())
}

async fn history(seeds: &[String], keys: &Keys) -> Option<String> {
    for address in seeds {
        if let Ok(status) = ask_status(address, Plane::Status, keys).await
            && let Some(history) = status.history
        {
            return Some(history.to_string());
        }
    }
    None
}

/// Content of the client file.
struct ClientFile {
    history: String,
    client: u64,
    server: Option<String>,
}

impl ClientFile {
    /// Reads the file; returns `None` if it does not exist.
    ///
    /// # Errors
    /// `Configuration` (78) when the file exists and cannot be read.
    fn read(path: &Path) -> Result<Option<ClientFile>, Failure> {
        let wrong = |what: String| {
            let text = format!(
                "cannot read the client's id in {}: {what}; delete the file to get a new id",
                path.display()
            );
            Failure::new(Exit::Configuration, text)
        };
        match std::fs::read_to_string(path) {
            Ok(text) => ClientFile::parse(&text).map(Some).ok_or_else(|| wrong("it is damaged".into())),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    fn parse(text: &str) -> Option<ClientFile> {
        let entries = env_file::parse(text).ok()?;
        let value =
            |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.clone());
        Some(ClientFile {
            history: value("HISTORY")?,
            client: value("CLIENT")?.parse().ok()?,
            server: value("SERVER"),
        })
    }

    fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut entries = vec![
            ("HISTORY".to_string(), self.history.clone()),
            ("CLIENT".to_string(), self.client.to_string()),
        ];
        entries.extend(self.server.iter().map(|server| ("SERVER".to_string(), server.clone())));
        let folder = path.parent().map_or(Ok(()), write_file::make_folder);
        folder
            .and_then(|()| write_file::replace(path, &env_file::format(entries)))
            .map_err(|error| Failure::new(Exit::Refused, format!("cannot write {}: {error}", path.display())))
    }
}

fn words(client: u64, homed: &ServerAssignment) -> String {
    let ServerAssignment { server, changed } = homed;
    let away = match server.name.region == server.home {
        true => String::new(),
        false => format!(", because no server of cluster {} is running", server.home),
    };
    let changed = if *changed { " (changed)" } else { "" };
    format!(
        "client {client} of cluster {}: {} at {}{away}{changed}",
        server.home, server.name, server.address
    )
}

#[derive(Serialize)]
struct ServerJson {
    client: u64,
    home: u32,
    server: String,
    cluster: u32,
    address: String,
    changed: bool,
}

fn json(client: u64, homed: &ServerAssignment) -> String {
    let ServerAssignment { server, changed } = homed;
    let json = ServerJson {
        client,
        home: server.home,
        server: server.name.to_string(),
        cluster: server.name.region,
        address: server.address.clone(),
        changed: *changed,
    };
    serde_json::to_string(&json).expect("plain data always serialises")
}

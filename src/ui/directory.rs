//! Answers of a balancer about which backend to use, as text for people and as JSON for scripts.
//!
//! The JSON's fields are always present and keep their names and types.

use super::plain;
use super::table::{Align, layout};
use ribbit_net::protocol::{BackendEntry, DirectoryAnswer, DownCheck, ReaderId};
use serde::Serialize;

#[derive(Serialize)]
struct BackendJson<'a> {
    name: String,
    address: &'a str,
    leader: bool,
    in_sync: bool,
    clients: u32,
}

#[derive(Serialize)]
struct ReadJson<'a> {
    client: ReaderId,
    lease_ms: u32,
    backend: BackendJson<'a>,
}

#[derive(Serialize)]
struct WriteJson<'a> {
    backends: Vec<BackendJson<'a>>,
}

#[derive(Serialize)]
struct DownJson {
    known: bool,
    answers: bool,
}

#[derive(Serialize)]
struct LeftJson {
    known: bool,
}

impl<'a> From<&'a BackendEntry> for BackendJson<'a> {
    fn from(backend: &'a BackendEntry) -> BackendJson<'a> {
        BackendJson {
            name: backend.name.to_string(),
            address: &backend.address,
            leader: backend.leads,
            in_sync: backend.in_sync,
            clients: backend.clients,
        }
    }
}

/// Returns the answer as one line of JSON.
pub fn json(directions: &DirectoryAnswer) -> String {
    match directions {
        DirectoryAnswer::Read { client, lease_ms, backend } => {
            to_json(&ReadJson { client: *client, lease_ms: *lease_ms, backend: backend.into() })
        }
        DirectoryAnswer::Write(backends) => {
            to_json(&WriteJson { backends: backends.iter().map(BackendJson::from).collect() })
        }
        DirectoryAnswer::Down(found) => {
            to_json(&DownJson { known: *found != DownCheck::Unknown, answers: *found == DownCheck::Answers })
        }
        DirectoryAnswer::Left { known } => to_json(&LeftJson { known: *known }),
    }
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data always serialises")
}

/// Returns the answer for people, without a line end after the last line.
pub fn words(directions: &DirectoryAnswer) -> String {
    match directions {
        DirectoryAnswer::Read { client, lease_ms, backend } => {
            let old = if backend.in_sync {
                ""
            } else {
                "\nIt is behind the others, so what you read may be out of date."
            };
            format!(
                "Read from {} at {}.\nYou are client {client} there for {} s.{old}",
                backend.name,
                plain::line(&backend.address),
                lease_ms / 1_000
            )
        }
        DirectoryAnswer::Write(backends) => {
            let mut rows = vec![["NAME", "ADDRESS", "STATE", "CLIENTS"].map(str::to_string).to_vec()];
            rows.extend(backends.iter().map(|backend| {
                let is = if backend.leads { "leader" } else { "in sync" };
                vec![
                    backend.name.to_string(),
                    backend.address.clone(),
                    is.to_string(),
                    backend.clients.to_string(),
                ]
            }));
            layout(&[Align::Left, Align::Left, Align::Left, Align::Right], &rows).trim_end().to_string()
        }
        DirectoryAnswer::Down(DownCheck::Silent) => {
            "The backend does not answer. No clients are sent there until it does.".to_string()
        }
        DirectoryAnswer::Down(DownCheck::Answers) => "The backend answers.".to_string(),
        DirectoryAnswer::Down(DownCheck::Unknown) => "No member is known at this address.".to_string(),
        DirectoryAnswer::Left { known: true } => "The client is released.".to_string(),
        DirectoryAnswer::Left { known: false } => {
            "There is no such client, or its lease has expired.".to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::{HOME_REGION, MemberName, Role};

    fn backend(id: u32, leads: bool) -> BackendEntry {
        let name = MemberName { role: Role::Backend, region: HOME_REGION, id };
        BackendEntry { name, address: format!("b{id}:1"), leads, in_sync: true, clients: 2 }
    }

    #[test]
    fn answers_have_a_text_and_json() {
        let read = DirectoryAnswer::Read { client: 17, lease_ms: 60_000, backend: backend(2, false) };
        assert_eq!(words(&read), "Read from backend-2 at b2:1.\nYou are client 17 there for 60 s.");
        let expected = "{\"client\":17,\"lease_ms\":60000,\"backend\":{\"name\":\"backend-2\",\"address\":\"b2:1\",\
            \"leader\":false,\"in_sync\":true,\"clients\":2}}";
        assert_eq!(json(&read), expected);
        let write = DirectoryAnswer::Write(vec![backend(3, true), backend(1, false)]);
        let expected = "\
NAME       ADDRESS  STATE    CLIENTS
backend-3  b3:1     leader         2
backend-1  b1:1     in sync        2";
        assert_eq!(words(&write), expected);
        assert_eq!(json(&DirectoryAnswer::Down(DownCheck::Silent)), "{\"known\":true,\"answers\":false}");
    }
}

//! Golden transcripts: everything that a client sends and gets, byte for byte.
//!
//! `UPDATE_GOLDENFILES=1 cargo test --test processes irc::transcripts` writes what the server says anew; read the diff. In a transcript
//! `>` is before what the client sends. Times are `TIME`, ids are `ID1`, `ID2`, … in the order in which they appear.

use super::IrcServer;
use crate::test_cluster::TestCluster;
use crate::verbs::CliUser;
use std::fs;
use std::path::Path;
use testkit::irc_client::IrcClient;

/// Names of ids and times in a transcript.
#[derive(Default)]
struct Names {
    ids: Vec<String>,
}

impl Names {
    /// Returns a line of the server with names in place of what differs from run to run.
    fn named(&mut self, line: &str) -> String {
        let (tags, rest) = match line.strip_prefix('@').and_then(|line| line.split_once(' ')) {
            Some((tags, rest)) => (tags, rest),
            None => ("", line),
        };
        let tags: Vec<String> = tags
            .split(';')
            .filter_map(|tag| tag.split_once('='))
            .map(|(name, value)| match name {
                "time" => "time=TIME".to_string(),
                "msgid" | "+draft/reply" => {
                    let (id, piece) = value
                        .split_once('.')
                        .map_or((value, String::new()), |(id, piece)| (id, format!(".{piece}")));
                    format!("{name}={}{piece}", self.name_of(id))
                }
                _ => format!("{name}={value}"),
            })
            .collect();
        let rest = rest.replace(concat!("ribbit-", env!("CARGO_PKG_VERSION")), "VERSION");
        let rest = match rest.split_once(" 329 ") {
            Some((before, behind)) => {
                format!("{before} 329 {} TIME", behind.rsplit_once(' ').expect("a time").0)
            }
            None => rest,
        };
        // Times in texts, for clients that know no tags, and those of targets.
        let rest = match (rest.find("[20"), rest.find(" UTC]")) {
            (Some(begin), Some(end)) => format!("{}[TIME{}", &rest[..begin], &rest[end + 4..]),
            _ => rest,
        };
        let rest = match rest.split_once(" CHATHISTORY TARGETS ") {
            Some((before, behind)) => {
                format!("{before} CHATHISTORY TARGETS {} TIME", behind.split(' ').next().expect("a name"))
            }
            None => rest,
        };
        if tags.is_empty() { rest } else { format!("@{} {rest}", tags.join(";")) }
    }

    fn name_of(&mut self, id: &str) -> String {
        let position = self.ids.iter().position(|known| known == id).unwrap_or_else(|| {
            self.ids.push(id.to_string());
            self.ids.len() - 1
        });
        format!("ID{}", position + 1)
    }

    /// Returns a line of the client with the ids that its names stand for.
    fn typed(&self, line: &str) -> String {
        let names = self.ids.iter().enumerate().rev();
        names.fold(line.to_string(), |line, (position, id)| line.replace(&format!("ID{}", position + 1), id))
    }
}

#[track_caller]
fn plays(server: &IrcServer, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/processes/irc/transcripts").join(name);
    let golden = fs::read_to_string(&path).expect("a transcript");
    let (mut client, mut names, mut played) =
        (IrcClient::connect(&server.address), Names::default(), String::new());
    for line in golden.lines() {
        if line.starts_with('#') {
            played.push_str(&format!("{line}\n"));
        } else if let Some(typed) = line.strip_prefix("> ") {
            played.push_str(&format!("{line}\n"));
            for answer in client.ask(&names.typed(typed)) {
                played.push_str(&format!("{}\n", names.named(&answer)));
            }
        }
    }
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(&path, played).expect("it can be written");
    } else {
        assert!(golden == played, "{name} differs; it is now:\n{played}");
    }
}

#[test]
fn clients_of_rfc_2812_and_of_irc_v3() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    ada.runs(&pond, &["room-create", "pond", "--topic", "All things wet"]).succeeds();
    ada.runs(&pond, &["room-create", "crew", "--by-invitation"]).succeeds();
    bob.runs(&pond, &["room-join", "pond"]).succeeds();
    for number in 1..=5 {
        bob.runs(&pond, &["say", "pond", &format!("line {number}")]).succeeds();
    }
    bob.runs_with(&pond, &["say", "pond"], "two\nlines\n").succeeds();
    ada.runs(&pond, &["add", "bob"]).succeeds();
    bob.runs(&pond, &["post", "a croak of bob"]).succeeds();
    bob.runs(&pond, &["dm", "ada", "while you were away"]).succeeds();
    let server = IrcServer::start(&pond, &[]);
    plays(&server, "rfc2812.txt");
    bob.runs(&pond, &["dm", "ada", "and again"]).succeeds();
    plays(&server, "ircv3.txt");
}

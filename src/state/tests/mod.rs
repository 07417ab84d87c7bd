//! Tests of the rules as a whole, on the [`Model`].

mod access_words;
mod app_words;
mod audit_words;
mod conversation_words;
mod events;
mod feeds;
mod message_words;
mod notice_words;
mod properties;
mod registration_words;
mod regressions;
mod roles;
mod room_words;
mod rooms;
mod row_words;
mod scripts;
mod searches;
mod talks;
mod threads;
mod tree;
mod who_sees_what;
mod windows;

use super::command::{Command, NoticeCommand, Outcome, Proposal, Reply, Request, Stamp};
use super::ids::{AccountId, LogIndex, RequestId, TokenHash};
use super::limits::RULES_LEVEL;
use super::model::Model;
use super::query::{Page, Query};
use super::rows::{Table, scan};
use super::rule::Bounds;

/// Bounds so small that a short history reaches every edge.
const SMALL: Bounds = Bounds {
    // Includes a rules level that exists only in these tests.
    level_of: |command| if matches!(command, Command::Rehash { .. }) { RULES_LEVEL + 1 } else { RULES_LEVEL },
    friends_max: 4,
    sessions_max: 2,
    index_step: 5,
    sweep_step: 4,
    dedup_requests_min: 8,
    dedup_requests_max: 20,
    dedup_age_ms: 1_000,
    expire_step: 4,
    nodes_max: 12,
    owned_nodes_max: 3,
    client_leases_max: 3,
    remove_step: 4,
    waiting_max: 4,
    waiting_per_talk_max: 3,
    notices_max: 6,
    notices_per_pair_max: 4,
    rooms_max: 3,
    room_members_max: 3,
    rooms_per_person_max: 2,
    room_guests_max: 2,
    room_invitations_max: 1,
    room_messages_max: 6,
    room_trim_step: 2,
    mutes_max: 2,
    blocks_max: 2,
    reports_max: 3,
    reports_per_person_max: 2,
    announcements_max: 3,
    feed_addresses_max: 3,
    audit_rows_max: 4,
    refused_acts_max: 2,
    apps_max: 3,
    join_requests_max: 2,
    invitations_max: 4,
    invitations_per_person_max: 2,
    app_codes_max: 2,
};

/// A model, and the log of commands that led to it.
struct Log {
    model: Model,
    proposals: Vec<Proposal>,
    age_ms: u64,
}

impl Log {
    fn new(model: Model) -> Log {
        Log { model, proposals: Vec::new(), age_ms: 0 }
    }

    fn small() -> Log {
        Log::new(Model::within(SMALL, 3))
    }

    /// Returns the index of the newest entry.
    fn index(&self) -> LogIndex {
        self.proposals.len() as LogIndex
    }

    /// Returns a new request for `command`, submitted now. Its id is the index that it will get.
    fn request(&self, command: Command) -> Request {
        Request {
            id: RequestId(u128::from(self.index() + 1)),
            submitted_at: self.index(),
            origin: None,
            command,
        }
    }

    fn propose(&mut self, request: Request) -> Outcome {
        let stamp = Stamp { wall_ms: 0, age_ms: self.age_ms };
        let proposal = Proposal { stamp, request };
        self.proposals.push(proposal.clone());
        self.model.apply(self.index(), &proposal)
    }

    fn run(&mut self, command: Command) -> Outcome {
        let request = self.request(command);
        self.propose(request)
    }

    /// Applies a command that is refused and changes only the deduplication window.
    fn idle(&mut self) {
        self.run(Command::LogOut { session: token("nobody") }).unwrap_err();
    }

    fn create(&mut self, username: &str) -> AccountId {
        match self.run(create(username)) {
            Ok(Reply::Created { account }) => account,
            other => panic!("{other:?}"),
        }
    }

    /// Creates an account and opens a session. The session's token is named after the user.
    fn person(&mut self, username: &str) -> AccountId {
        let account = self.create(username);
        self.run(Command::LogIn {
            account,
            credential_version: 1,
            token: token(username),
            device: String::new(),
            app: None,
        })
        .unwrap();
        account
    }

    fn croak(&mut self, username: &str, text: &str) -> LogIndex {
        match self.run(Command::croak(token(username), text)) {
            Ok(Reply::Croaked { croak }) => croak,
            other => panic!("{other:?}"),
        }
    }

    fn befriend(&mut self, username: &str, friend: &str) -> Outcome {
        self.run(Command::AddFriend { session: token(username), username: friend.into() })
    }

    fn delete(&mut self, username: &str) {
        self.run(Command::DeleteAccount { session: token(username), credential_version: 1 }).unwrap();
    }

    /// Runs a stepwise command until it is done. Returns the number of steps.
    fn steps(&mut self, command: &Command) -> usize {
        for step in 1.. {
            if self.run(command.clone()) == Ok(Reply::Stepped { more: false }) {
                return step;
            }
            assert!(step < 1_000, "{command:?} does not end");
        }
        unreachable!()
    }

    /// Returns the croak ids of one page, and the cursor of the next.
    fn feed(
        &self,
        username: &str,
        before: Option<LogIndex>,
        limit: u16,
    ) -> (Vec<LogIndex>, Option<LogIndex>) {
        match self.model.answer(&Query::Feed { session: token(username), before, limit }) {
            Ok(Page::Feed { croaks, older, .. }) => (croaks.iter().map(|croak| croak.id).collect(), older),
            other => panic!("{other:?}"),
        }
    }
}

fn create(username: &str) -> Command {
    Command::CreateAccount {
        username: username.into(),
        name: username.to_uppercase(),
        email: format!("{username}@example.org"),
        password_hash: format!("hash of {username}"),
        invitation: None,
    }
}

/// Returns a token hash that is a short label.
fn token(label: &str) -> TokenHash {
    let mut bytes = [0; 32];
    bytes[..label.len()].copy_from_slice(label.as_bytes());
    TokenHash(bytes)
}

/// Returns the rows of a table, with the keys as bytes.
fn table<T: Table>(model: &Model) -> Vec<(Vec<u8>, Vec<u8>)> {
    model.rows().filter(|(id, ..)| *id == T::ID).map(|(_, key, row)| (key.to_vec(), row.to_vec())).collect()
}

//! A person's client: croaks, one at a time, each under one request id until it has an outcome, on whichever
//! node answers.

use ribbit::state::{Command, LogIndex, Outcome, Reply, Request, RequestId, TokenHash};

/// Where a client is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Create,
    LogIn,
    Croak(u32),
    Finished,
}

pub struct Client {
    pub number: usize,
    pub stage: Stage,
    pub request: Request,
    /// The node it is asking now, and since when; nothing while it waits before asking again.
    pub asking: Option<(usize, u64)>,
    /// The newest index it knows.
    pub seen: LogIndex,
    /// How often the present request was asked.
    pub tries: u64,
    croaks: u32,
    account: Option<ribbit::state::AccountId>,
}

pub fn text(client: usize, croak: u32) -> String {
    format!("croak {croak} of {client}")
}

impl Client {
    pub fn new(number: usize, croaks: u32, id: RequestId) -> Client {
        let command = Command::CreateAccount {
            username: format!("frog-{number}"),
            name: format!("Frog {number}"),
            email: "frog@pond".into(),
            password_hash: "hash".into(),
        };
        let request = Request { id, born: 0, command };
        Client {
            number,
            stage: Stage::Create,
            request,
            asking: None,
            seen: 0,
            tries: 0,
            croaks,
            account: None,
        }
    }

    fn session(&self) -> TokenHash {
        TokenHash([self.number as u8 + 1; 32])
    }

    /// Takes an outcome; answers the croak that it acknowledges.
    pub fn answered(
        &mut self,
        index: LogIndex,
        outcome: &Outcome,
        fresh: RequestId,
    ) -> Option<(LogIndex, String)> {
        self.asking = None;
        self.tries = 0;
        self.seen = self.seen.max(index);
        let reply = outcome.as_ref().unwrap_or_else(|denied| {
            panic!("client {} was refused at {:?}: {denied}", self.number, self.stage)
        });
        let mut acknowledged = None;
        let next = match (self.stage, reply) {
            (Stage::Create, Reply::Created { account }) => {
                self.account = Some(*account);
                Stage::LogIn
            }
            (Stage::LogIn, Reply::LoggedIn { .. }) => Stage::Croak(0),
            (Stage::Croak(number), Reply::Croaked { croak }) => {
                acknowledged = Some((*croak, text(self.number, number)));
                if number + 1 == self.croaks { Stage::Finished } else { Stage::Croak(number + 1) }
            }
            (stage, reply) => panic!("client {} got {reply:?} at {stage:?}", self.number),
        };
        self.stage = next;
        let command = match next {
            Stage::Croak(number) => {
                Command::Croak { session: self.session(), text: text(self.number, number) }
            }
            _ => Command::LogIn {
                account: self.account.expect("made before"),
                credential_version: 1,
                token: self.session(),
            },
        };
        self.request = Request { id: fresh, born: self.seen, command };
        acknowledged
    }
}

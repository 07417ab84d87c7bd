//! A person's client: one operation at a time, each under one request id until it is answered, on whichever node
//! answers. What it has seen travels with it as a token.

use super::check::Checker;
use super::history::{Asked, Done, Kind};
use super::random::Random;
use ribbit_state::{
    AccountId, Code, Command, Denied, LogIndex, MessageCommand, Outcome, Page, Query, Reply, Request,
    RequestId, TokenHash,
};

#[derive(Debug, Clone)]
pub enum Ask {
    Write(Request),
    Read { linearizable: bool, query: Query },
}

/// An operation under way.
#[derive(Debug, Clone)]
pub struct Pending {
    pub ask: Ask,
    pub asked: Asked,
    /// The node that it is asking now, and since when.
    pub at: Option<(usize, u64)>,
    pub tries: u64,
}

pub struct Client {
    pub number: usize,
    pub pending: Option<Pending>,
    /// Counts operations: what was meant for an earlier one is dropped.
    pub operation: u32,
    /// Number of the newest scheduled action; events of older actions are ignored.
    pub turn: u64,
    /// The newest index it knows.
    pub seen: LogIndex,
    account: Option<AccountId>,
    logged_in: bool,
    /// Sessions that it has ended: no token is used twice.
    sessions: u32,
    croaks: u32,
    /// It has just deleted its account.
    pub has_deleted: bool,
    /// Account that it had messages from when it last read its talks.
    talked_with: Option<AccountId>,
}

impl Client {
    pub fn new(number: usize) -> Client {
        Client {
            number,
            pending: None,
            operation: 0,
            turn: 0,
            seen: 0,
            account: None,
            logged_in: false,
            sessions: 0,
            croaks: 0,
            has_deleted: false,
            talked_with: None,
        }
    }

    fn session(&self) -> TokenHash {
        let mut token = [self.number as u8 + 1; 32];
        token[..4].copy_from_slice(&self.sessions.to_le_bytes());
        TokenHash(token)
    }

    fn end_session(&mut self) {
        self.logged_in = false;
        self.sessions += 1;
    }

    /// Decides what to do next and begins it.
    pub fn begin(&mut self, clients: usize, random: &mut Random, checker: &Checker) {
        self.operation += 1;
        let ask = match self.account {
            None => self.write(create(self.number), random),
            Some(account) if !self.logged_in => {
                let command = Command::LogIn {
                    account,
                    credential_version: 1,
                    token: self.session(),
                    device: String::new(),
                };
                self.write(command, random)
            }
            Some(_) => self.any(clients, random),
        };
        self.pending = Some(Pending { ask, asked: checker.ask(self.seen), at: None, tries: 0 });
    }

    fn write(&self, command: Command, random: &mut Random) -> Ask {
        let id = RequestId((u128::from(random.draw()) << 64) | u128::from(random.draw()));
        Ask::Write(Request { id, submitted_at: self.seen, command })
    }

    fn any(&mut self, clients: usize, random: &mut Random) -> Ask {
        let session = self.session();
        match random.between(0, 100) {
            0..30 => {
                self.croaks += 1;
                let text = format!("croak {} of {}", self.croaks, self.number);
                self.write(Command::croak(session, text), random)
            }
            30..36 => {
                let username = name(random.between(0, clients as u64) as usize);
                self.croaks += 1;
                let text = format!("message {} of {}", self.croaks, self.number);
                self.write(MessageCommand::Send { session, username, text }.into(), random)
            }
            36..38 if self.talked_with.is_some() => {
                let with = self.talked_with.unwrap_or(AccountId(0));
                let (delivered_through, read_through) = (self.seen, random.between(0, self.seen + 1));
                let mark = MessageCommand::Mark { session, with, delivered_through, read_through };
                self.write(mark.into(), random)
            }
            36..45 => {
                let username = name(random.between(0, clients as u64) as usize);
                let command = match random.permille(600) {
                    true => Command::AddFriend { session, username },
                    false => Command::RemoveFriend { session, username },
                };
                self.write(command, random)
            }
            45..46 => self.write(Command::IndexCroaks, random),
            46..47 => self.write(Command::DeleteAccount { session, credential_version: 1 }, random),
            47..48 => self.write(Command::LogOut { session }, random),
            48..75 => Ask::Read { linearizable: true, query: self.query(random) },
            _ => Ask::Read { linearizable: false, query: self.query(random) },
        }
    }

    fn query(&self, random: &mut Random) -> Query {
        let session = self.session();
        match random.between(0, 10) {
            0 => Query::Me { session },
            1..3 => Query::Friends { session, after: None },
            3 if random.permille(500) => Query::Unread { session },
            3 => Query::Talks { session, before: None, limit: 3 },
            4 => Query::Feed { session, before: Some(random.between(0, self.seen + 2)), limit: 5 },
            _ => Query::Feed { session, before: None, limit: 10 },
        }
    }

    /// The request of this id is this client's, and it is asking this node.
    pub fn asks(&self, node: usize, id: RequestId) -> bool {
        self.pending.as_ref().is_some_and(|pending| {
            pending.at.is_some_and(|(at, _)| at == node)
                && matches!(&pending.ask, Ask::Write(request) if request.id == id)
        })
    }

    /// Takes the outcome of the write under way.
    pub fn written(&mut self, index: LogIndex, outcome: &Outcome) -> Option<Done> {
        let Pending { ask: Ask::Write(request), asked, .. } = self.pending.take()? else { return None };
        match outcome {
            Ok(Reply::Created { account }) => self.account = Some(*account),
            Ok(Reply::LoggedIn { .. }) => self.logged_in = true,
            Ok(_) => match request.command {
                Command::DeleteAccount { .. } => {
                    self.account = None;
                    self.has_deleted = true;
                    self.talked_with = None;
                    self.end_session();
                }
                Command::LogOut { .. } => self.end_session(),
                _ => {}
            },
            Err(Denied { code, .. }) => assert!(
                matches!(
                    code,
                    Code::NoSuchUser
                        | Code::Yourself
                        | Code::AlreadyFriend
                        | Code::NotAFriend
                        | Code::MailboxFull
                        | Code::TooNew
                ),
                "client {} was refused: {code:?}",
                self.number
            ),
        }
        self.seen = self.seen.max(index);
        Some(Done { client: self.number, asked, index, kind: Kind::Write { request: request.id } })
    }

    /// Takes the answer of the read under way.
    pub fn shown(&mut self, index: LogIndex, page: Result<Page, Denied>) -> Option<Done> {
        let Pending { ask: Ask::Read { linearizable, query }, asked, .. } = self.pending.take()? else {
            return None;
        };
        self.seen = self.seen.max(index);
        if let Ok(Page::Talks { talks, .. }) = &page {
            self.talked_with = talks.first().map(|talk| talk.with_account);
        }
        Some(Done {
            client: self.number,
            asked,
            index,
            kind: Kind::Read { linearizable, query, page: Box::new(page) },
        })
    }
}

fn name(client: usize) -> String {
    format!("frog-{client}")
}

fn create(client: usize) -> Command {
    Command::CreateAccount {
        username: name(client),
        name: format!("Frog {client}"),
        email: "frog@pond".into(),
        password_hash: "hash".into(),
    }
}

//! A person's client: one operation at a time, each under one request id until it is answered, on whichever node
//! answers. What it has seen travels with it as a token.

use super::check::Checker;
use super::choices::{Memory, Person, name};
use super::contenders::Contender;
use super::history::{Asked, Done, Kind};
use super::random::Random;
use ribbit_state::{
    AccountId, Code, Command, Denied, LogIndex, Outcome, Page, Query, Reply, Request, RequestId, TokenHash,
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
    /// It has just deleted its account.
    pub has_deleted: bool,
    memory: Memory,
    /// Present in clients that contend for a lock and do nothing else.
    pub contender: Option<Box<Contender>>,
}

impl Client {
    pub fn new(number: usize, contends: bool) -> Client {
        Client {
            number,
            pending: None,
            operation: 0,
            turn: 0,
            seen: 0,
            account: None,
            logged_in: false,
            sessions: 0,
            has_deleted: false,
            memory: Memory::default(),
            contender: contends.then(Box::default),
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
    pub fn begin(&mut self, people: usize, now: u64, random: &mut Random, checker: &Checker) {
        self.operation += 1;
        let number = self.number;
        let contends = self.contender.as_mut().map(|contender| contender.next(number, now, random));
        let ask = match (contends, self.account) {
            (Some(command), _) => self.write(command, random),
            (None, None) => self.write(create(self.number), random),
            (None, Some(account)) if !self.logged_in => {
                let command = Command::LogIn {
                    account,
                    credential_version: 1,
                    token: self.session(),
                    device: String::new(),
                    app: None,
                };
                self.write(command, random)
            }
            (None, Some(_)) => self.any(people, random),
        };
        self.pending = Some(Pending { ask, asked: checker.ask(self.seen), at: None, tries: 0 });
    }

    /// Returns the command under way.
    pub fn command(&self) -> Option<Command> {
        match &self.pending.as_ref()?.ask {
            Ask::Write(request) => Some(request.command.clone()),
            Ask::Read { .. } => None,
        }
    }

    fn write(&self, command: Command, random: &mut Random) -> Ask {
        let id = RequestId((u128::from(random.draw()) << 64) | u128::from(random.draw()));
        Ask::Write(Request { id, submitted_at: self.seen, origin: None, command })
    }

    /// Two of five operations are writes; of the reads, half are linearizable.
    fn any(&mut self, clients: usize, random: &mut Random) -> Ask {
        let session = self.session();
        let Client { number, seen, memory, .. } = self;
        let mut person = Person { number: *number, session, seen: *seen, people: clients, memory };
        match random.between(0, 100) {
            0..48 => {
                let command = person.write(random);
                self.write(command, random)
            }
            48..75 => Ask::Read { linearizable: true, query: person.read(random) },
            _ => Ask::Read { linearizable: false, query: person.read(random) },
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
        if outcome.is_ok() {
            self.memory.did(&request.command);
        }
        match outcome {
            Ok(Reply::Created { account }) => self.account = Some(*account),
            Ok(Reply::LoggedIn { .. }) => self.logged_in = true,
            Ok(_) => match request.command {
                Command::DeleteAccount { .. } => {
                    self.account = None;
                    self.has_deleted = true;
                    self.end_session();
                }
                Command::LogOut { .. } => self.end_session(),
                _ => {}
            },
            Err(Denied { code, .. }) => {
                assert!(may_be_refused_as(*code), "client {} was refused: {code:?}", self.number);
            }
        }
        self.seen = self.seen.max(index);
        let kind = Kind::Write { request: request.id };
        let (name, accepted) = (variant(&request.command), outcome.is_ok());
        Some(Done { client: self.number, asked, index, kind, name, accepted })
    }

    /// Takes the answer of the read under way.
    pub fn shown(&mut self, index: LogIndex, page: Result<Page, Denied>) -> Option<Done> {
        let Pending { ask: Ask::Read { linearizable, query }, asked, .. } = self.pending.take()? else {
            return None;
        };
        self.seen = self.seen.max(index);
        if let Ok(page) = &page {
            self.memory.learn(page);
        }
        let (name, accepted) = (variant(&query), page.is_ok());
        let kind = Kind::Read { linearizable, query, page: Box::new(page) };
        Some(Done { client: self.number, asked, index, kind, name, accepted })
    }
}

fn create(client: usize) -> Command {
    Command::CreateAccount {
        username: name(client),
        name: format!("Frog {client}"),
        email: "frog@pond".into(),
        password_hash: "hash".into(),
        invitation: None,
    }
}

/// Returns the name of an enum's variant, with the group that it is in: `Conversation(Like`.
fn variant(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split([' ', '{']).next().unwrap_or(&text).to_owned()
}

/// Returns true if the rules may refuse an operation of `choices` with this code.
fn may_be_refused_as(code: Code) -> bool {
    matches!(
        code,
        Code::NoSuchUser
            | Code::Yourself
            | Code::AlreadyFriend
            | Code::NotAFriend
            | Code::MailboxFull
            | Code::TooNew
            | Code::NoSuchCroak
            | Code::NotYours
            | Code::NotShareable
            | Code::YouBlocked
            | Code::BlockedByThem
            | Code::NoSuchRoom
            | Code::RoomNameTaken
            | Code::NotInRoom
            | Code::AlreadyInRoom
            | Code::PersonNotInRoom
            | Code::RemovedFromRoom
            | Code::NotRoomModerator
            | Code::NotRoomOwner
            | Code::NotInvited
            | Code::NoSuchMessage
            | Code::LockHeld
            | Code::NotHeld
            | Code::LeaseOver
            | Code::StaleFence
    )
}

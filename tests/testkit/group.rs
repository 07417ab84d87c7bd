//! In-process fake cluster: the real rules on the in-memory model, behind the real wire protocol.
//!
//! It serves the client plane on its own port, compares passwords as plain text, sends events to subscribers, and simulates the
//! failures of a cluster ([`Mood`]).

use crate::keys::keys;
use ribbit_net::channel::ChannelWriter;
use ribbit_net::frame::{self, Plane};
use ribbit_net::handshake::{self, Accepted, Opening};
use ribbit_net::limits::FRAME_BYTES_MAX;
use ribbit_net::protocol::{
    Answer, AnswerFrame, Ask, AskFrame, HistoryLine, LapseReason, MemberInfo, NodeStatus, Password,
    StoreStatus, UnavailableReason,
};
use ribbit_net::secret::stored_token;
use ribbit_replica::event_ring::{EventReader, EventRing};
use ribbit_state::command::{Origin, Proposal};
use ribbit_state::facts::event;
use ribbit_state::lookup::{account_named, account_requested, session_account};
use ribbit_state::model::Model;
use ribbit_state::{
    AccessCommand, AccountCommand, ClusterId, Code, Command, Consistency, Denied, HistoryId, Interest,
    LogIndex, Page, Query, RequestId, Role, Stamp, Token, TokenHash, Topic, View,
};
use smol::future::FutureExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Simulated state of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// Every request is answered with this reason.
    Unavailable(UnavailableReason),
    /// Every request is refused as busy.
    Busy,
    /// Reads are answered as stale, writes are not answered.
    Minority,
    /// Writes are refused by the server before they reach the log.
    Refusing(Code),
    /// Writes are applied, but their answers are lost.
    Forgetful,
    /// Connections are closed before any byte is sent.
    Gone,
    /// A read closes its connection, as if it crashed the server.
    Mortal,
}

/// Capacity of the event ring, small enough that a test can overflow it.
pub const EVENTS_MAX: usize = 512;

struct Store {
    model: Model,
    live: Arc<EventRing>,
    index: LogIndex,
    history: u128,
    wall_ms: u64,
    /// Time that passed without a write, in milliseconds of cluster age.
    passed_ms: u64,
}

impl Store {
    fn token(&self) -> Token {
        Token { history: HistoryId(self.history), index: self.index }
    }

    fn write(&mut self, id: RequestId, submitted_at: LogIndex, command: Command) -> Answer {
        self.index += 1;
        let stamp = Stamp { wall_ms: self.wall_ms + self.index * 1000, age_ms: self.index + self.passed_ms };
        let origin = command
            .is_audited()
            .then(|| Box::new(Origin { operator: "operator@board".into(), address: "10.0.0.1".into() }));
        let proposal =
            Proposal { stamp, request: ribbit_state::Request { id, submitted_at, origin, command } };
        let applied = self.model.decide(self.index, &proposal);
        let event = event(self.index, &proposal.request.command, &applied.outcome, &applied.changes);
        self.model.commit(self.index, &applied.changes);
        self.live.publish(None, event, self.index);
        Answer::Written { token: self.token(), outcome: applied.outcome }
    }

    /// Writes a command of a session's owner, who has to know the password.
    fn write_checked(
        &mut self,
        (id, submitted_at, session): (RequestId, LogIndex, TokenHash),
        password: &Password,
        command: impl FnOnce(u32) -> Command,
    ) -> Answer {
        match session_account(&self.model, session, self.model.age_ms()).expect("a map can be read") {
            None => Answer::Refused(Denied::new(Code::NotLoggedIn)),
            Some((_, row)) if row.credential.password_hash() != Some(password.0.as_str()) => {
                Answer::Refused(Denied::new(Code::WrongPassword))
            }
            Some((_, row)) => self.write(id, submitted_at, command(row.credential_version)),
        }
    }

    /// Checks a request as a backend does before it proposes. The password is its own hash here.
    fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Write(request) => self.write(request.id, request.submitted_at, request.command),
            Ask::CreateAccount { id, submitted_at, form } => {
                let (username, name, email) = (form.username, form.name, form.email);
                let (password_hash, invitation) = (form.password.0, form.invitation);
                let command = Command::CreateAccount { username, name, email, password_hash, invitation };
                self.write(id, submitted_at, command)
            }
            Ask::LogIn { id, submitted_at, username, password, token, device, app } => {
                let username = match ribbit_state::text::fold_username(&username) {
                    Ok(username) => username,
                    Err(denied) => return Answer::Refused(denied),
                };
                match account_named(&self.model, &username).expect("a map can be read") {
                    None => match account_requested(&self.model, &username).expect("a map can be read") {
                        Some(_) => Answer::Refused(Denied::new(Code::AwaitingApproval)),
                        None => Answer::Refused(Denied::new(Code::NoSuchUser)),
                    },
                    Some((_, row)) if row.credential.password_hash().is_none() => {
                        Answer::Refused(Denied::new(Code::NoPassword))
                    }
                    Some((_, row)) if row.credential.password_hash() != Some(password.0.as_str()) => {
                        Answer::Refused(Denied::new(Code::WrongPassword))
                    }
                    Some((account, row)) => {
                        let credential_version = row.credential_version;
                        self.write(
                            id,
                            submitted_at,
                            Command::LogIn {
                                account,
                                credential_version,
                                token,
                                device,
                                app: app.map(|app| *app),
                            },
                        )
                    }
                }
            }
            Ask::DeleteAccount { id, submitted_at, session, password } => {
                self.write_checked((id, submitted_at, session), &password, |credential_version| {
                    Command::DeleteAccount { session, credential_version }
                })
            }
            Ask::Confirm { id, submitted_at, session, password } => {
                self.write_checked((id, submitted_at, session), &password, |credential_version| {
                    AccountCommand::Confirm { session, credential_version }.into()
                })
            }
            Ask::ChangePassword { id, submitted_at, session, old, new } => {
                self.write_checked((id, submitted_at, session), &old, |credential_version| {
                    AccountCommand::ChangePassword { session, credential_version, password_hash: new.0 }
                        .into()
                })
            }
            Ask::ResetPassword { id, submitted_at, code, password } => {
                let password_hash = password.0;
                self.write(id, submitted_at, AccessCommand::ResetPassword { code, password_hash }.into())
            }
            Ask::Read { seen, query, .. } => match seen {
                Some(seen) if seen.history.0 != self.history => {
                    Answer::Unavailable(UnavailableReason::OtherHistory)
                }
                // No server has issued this token.
                Some(seen) if seen.index > self.index => Answer::Unavailable(UnavailableReason::OtherHistory),
                Some(_) if matches!(query, Query::Front { unless: Some(unless), .. } if unless == self.index) => {
                    Answer::Read { token: self.token(), old: false, page: Ok(Page::Unchanged) }
                }
                _ => {
                    let mut query = query;
                    // Secrets stay as they are sent here, but the command that makes a feed address has its stored form.
                    if let Query::AddressedFeed { address } = &mut query {
                        *address = stored_token(*address);
                    }
                    Answer::Read { token: self.token(), old: false, page: self.model.answer(&query) }
                }
            },
            Ask::History => Answer::History(vec![HistoryLine {
                wall_ms: self.wall_ms,
                words: "backend-1 leads, since <nobody> else is there".into(),
            }]),
            // Served by balancers only.
            Ask::Directory(_) => Answer::Refused(Denied::new(Code::InvalidEntry)),
            Ask::NodeStatus
            | Ask::Join { .. }
            | Ask::Lose { .. }
            | Ask::Transfer { .. }
            | Ask::Subscribe { .. }
            | Ask::Renew { .. }
            | Ask::GetServer { .. }
            | Ask::SetPassword { .. }
            | Ask::NewestKey
            | Ask::TakeKey(_)
            | Ask::Pin(_) => {
                unreachable!("pages ask no such thing, or the mood has answered")
            }
        }
    }
}

/// A server that lags behind the newest entries.
struct Lagging {
    model: Model,
    index: LogIndex,
    /// Number of requests it answers as behind before it has caught up.
    behind: u32,
}

impl Lagging {
    /// Returns the lagging answer, or `None` for requests that do not depend on the lag.
    fn answer(&mut self, ask: &Ask, history: u128) -> Option<Answer> {
        let at_least = match ask {
            Ask::Read { seen, .. } => seen.map_or(0, |seen| seen.index),
            Ask::LogIn { submitted_at, .. } => *submitted_at,
            _ => return None,
        };
        if at_least > self.index {
            self.behind = self.behind.saturating_sub(1);
            return Some(Answer::Unavailable(UnavailableReason::Behind));
        }
        let token = Token { history: HistoryId(history), index: self.index };
        match ask {
            Ask::Read { query, .. } => {
                Some(Answer::Read { token, old: false, page: self.model.answer(query) })
            }
            Ask::LogIn { username, password, .. } => {
                match account_named(&self.model, username).expect("a map can be read") {
                    None => Some(Answer::Refused(Denied::new(Code::NoSuchUser))),
                    Some((_, row)) if row.credential.password_hash() != Some(password.0.as_str()) => {
                        Some(Answer::Refused(Denied::new(Code::WrongPassword)))
                    }
                    Some(_) => None,
                }
            }
            _ => None,
        }
    }
}

struct Shared {
    store: Store,
    mood: Mood,
    lagging: Option<Lagging>,
    /// Ids of the newest writes that were requested.
    asked: Vec<RequestId>,
    /// Number of queries for a single croak.
    croaks_read: usize,
}

/// A running fake cluster. Its thread lives as long as the test process.
pub struct Group {
    pub address: String,
    shared: Arc<Mutex<Shared>>,
}

impl Group {
    pub fn start() -> Group {
        let listener = smol::block_on(async_net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        // 2026-07-01, so that croaks have a time.
        let live = Arc::new(EventRing::new(0, EVENTS_MAX));
        let store = Store {
            model: Model::new(),
            live,
            index: 0,
            history: 0xf00d,
            wall_ms: 1_782_900_000_000,
            passed_ms: 0,
        };
        let shared = Shared { store, mood: Mood::Well, lagging: None, asked: Vec::new(), croaks_read: 0 };
        let shared = Arc::new(Mutex::new(shared));
        let serving = shared.clone();
        std::thread::spawn(move || {
            smol::block_on(async {
                while let Ok((stream, _)) = listener.accept().await {
                    smol::spawn(serve(stream, serving.clone())).detach();
                }
            });
        });
        Group { address, shared }
    }

    pub fn be(&self, mood: Mood) {
        self.shared.lock().unwrap().mood = mood;
    }

    /// Answers reads and password checks from the current state, until it was too old for `behind` requests.
    pub fn lag(&self, behind: u32) {
        let mut shared = self.shared.lock().unwrap();
        let Store { model, index, .. } = &shared.store;
        shared.lagging = Some(Lagging { model: model.clone(), index: *index, behind });
    }

    /// Continues with the same data under another history.
    pub fn refound(&self, history: u128) {
        self.shared.lock().unwrap().store.history = history;
    }

    /// Applies an operator's command.
    pub fn operate(&self, command: impl Into<Command>) {
        let store = &mut self.shared.lock().unwrap().store;
        let submitted_at = store.index;
        store.write(RequestId(u128::from(submitted_at) + 1), submitted_at, command.into());
    }

    /// Answers a query of an operator.
    pub fn read(&self, query: &Query) -> Page {
        self.shared.lock().unwrap().store.model.answer(query).expect("the query is answered")
    }

    /// Lets cluster age pass.
    pub fn wait(&self, ms: u64) {
        self.shared.lock().unwrap().store.passed_ms += ms;
    }

    /// Simulates clocks that were never set.
    pub fn forget_the_time(&self) {
        self.shared.lock().unwrap().store.wall_ms = 0;
    }

    /// Returns the number of queries for a single croak.
    pub fn croaks_read(&self) -> usize {
        self.shared.lock().unwrap().croaks_read
    }

    /// Returns the ids of the requested writes in order, including retries.
    pub fn asked(&self) -> Vec<RequestId> {
        self.shared.lock().unwrap().asked.clone()
    }
}

async fn serve(mut stream: async_net::TcpStream, shared: Arc<Mutex<Shared>>) -> Option<()> {
    let Opening::Ribbit(arrival) = handshake::read_opening(&mut stream).await.ok()? else { return None };
    if shared.lock().unwrap().mood == Mood::Gone {
        return None;
    }
    assert!(matches!(
        arrival.preface.plane,
        Plane::Client | Plane::Control | Plane::Status | Plane::Directory
    ));
    let Accepted { mut channel, .. } = handshake::accept(stream, arrival, &keys()).await.ok()?;
    loop {
        let AskFrame { tag, ask, .. } = frame::read(&mut channel.reader, FRAME_BYTES_MAX).await.ok()?;
        if let Ask::Subscribe { cursor, wanted } = ask {
            let end = follow(&mut channel.writer, tag, &shared, cursor, &wanted).await?;
            return frame::write(&mut channel.writer, &AnswerFrame { tag, answer: end }).await.ok();
        }
        let answer = answer(&mut shared.lock().unwrap(), ask)?;
        frame::write(&mut channel.writer, &AnswerFrame { tag, answer }).await.ok()?;
    }
}

/// Sends the subscribed events after the cursor, and returns the final answer.
async fn follow(
    stream: &mut ChannelWriter,
    tag: u32,
    shared: &Mutex<Shared>,
    cursor: Token,
    wanted: &Topic,
) -> Option<Answer> {
    let (live, follower) = {
        let shared = shared.lock().unwrap();
        let store = &shared.store;
        if shared.mood != Mood::Well {
            return Some(Answer::Unavailable(UnavailableReason::NotServing));
        }
        if cursor.history.0 != store.history {
            return Some(Answer::Lapsed { resume_at: store.token(), why: LapseReason::OtherHistory });
        }
        let interest = Interest::load(&store.model, wanted).expect("a map can be read");
        let Some(interest) = interest else {
            return Some(Answer::Refused(Denied::new(Code::NotLoggedIn)));
        };
        (store.live.clone(), EventReader::begin(&store.live, interest, store.index, cursor.index))
    };
    let Ok(mut follower) = follower else {
        let resume_at = shared.lock().unwrap().store.token();
        return Some(Answer::Lapsed { resume_at, why: LapseReason::Compacted });
    };
    loop {
        let Ok(batch) = follower.take(&live) else {
            let resume_at = shared.lock().unwrap().store.token();
            return Some(Answer::Lapsed { resume_at, why: LapseReason::Behind });
        };
        let behind = Token { index: batch.cursor, ..cursor };
        let answer = Answer::Live { cursor: behind, events: batch.events.to_vec() };
        frame::write(stream, &AnswerFrame { tag, answer }).await.ok()?;
        {
            let shared = shared.lock().unwrap();
            if !follower.interest().is_open(&shared.store.model).expect("a map can be read") {
                return Some(Answer::Refused(Denied::new(Code::NotLoggedIn)));
            }
            if shared.mood != Mood::Well {
                return None;
            }
        }
        let beat = async {
            smol::Timer::after(Duration::from_millis(200)).await;
        };
        live.beyond(batch.cursor).or(beat).await;
    }
}

fn answer(shared: &mut Shared, ask: Ask) -> Option<Answer> {
    let mood = shared.mood;
    let is_read = matches!(ask, Ask::Read { .. });
    let needs_majority = matches!(ask, Ask::Read { consistency: Consistency::Linearizable, .. });
    if let Ask::Write(request) = &ask {
        shared.asked.push(request.id);
    }
    if let Ask::CreateAccount { id, .. } = &ask {
        shared.asked.push(*id);
    }
    if let Ask::Read { query: Query::Croak { .. }, .. } = &ask {
        shared.croaks_read += 1;
    }
    if ask == Ask::NodeStatus {
        return Some(Answer::NodeStatus(Box::new(status(&shared.store, mood == Mood::Well))));
    }
    if let Some(lagging) = shared.lagging.as_mut().filter(|lagging| lagging.behind > 0)
        && let Some(answer) = lagging.answer(&ask, shared.store.history)
    {
        return Some(answer);
    }
    let ahead = |seen: &Token| seen.index > shared.store.index;
    match mood {
        Mood::Gone => None,
        Mood::Mortal if is_read => None,
        Mood::Unavailable(why) => Some(Answer::Unavailable(why)),
        Mood::Busy if !is_read => Some(Answer::Refused(Denied::new(Code::Busy))),
        Mood::Refusing(code) if !is_read => Some(Answer::Refused(Denied::new(code))),
        Mood::Minority if !is_read || needs_majority => {
            Some(Answer::Unavailable(UnavailableReason::NoLeader))
        }
        // Without a majority, it is unknown whether this token was ever issued.
        Mood::Minority if matches!(&ask, Ask::Read { seen: Some(seen), .. } if ahead(seen)) => {
            Some(Answer::Unavailable(UnavailableReason::Behind))
        }
        Mood::Forgetful if !is_read => {
            shared.store.answer(ask);
            Some(Answer::Unavailable(UnavailableReason::NoLeader))
        }
        _ => match shared.store.answer(ask) {
            Answer::Read { token, page, .. } => {
                Some(Answer::Read { token, old: mood == Mood::Minority, page })
            }
            answer => Some(answer),
        },
    }
}

fn status(store: &Store, well: bool) -> NodeStatus {
    let me = MemberInfo {
        raft_id: 1,
        role: Role::Backend,
        id: 1,
        address: String::new(),
        machine: String::new(),
        pid: std::process::id(),
        applied: store.index,
        clients: 1,
        rules_level: 1,
        key: Default::default(),
        ..MemberInfo::default()
    };
    NodeStatus {
        cluster: ClusterId(1),
        history: Some(HistoryId(store.history)),
        me,
        leader: well.then_some(1),
        term: 1,
        voters: vec![1],
        learners: Vec::new(),
        in_sync: well,
        stalled_s: 0,
        lagging: Vec::new(),
        others: Vec::new(),
        store: StoreStatus {
            bytes: 20 << 20,
            quota_bytes: 1 << 30,
            free_bytes: 8 << 30,
            written_bytes: 300 << 20,
            written_s: 86_400,
            ..StoreStatus::default()
        },
        leases: Default::default(),
        accepts_old_key: false,
        build: "0.1.0 (1a2b3c4d, aarch64-unknown-linux-musl)".into(),
        rules_level: 1,
        auto_finish: false,
    }
}

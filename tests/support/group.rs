//! A group in a box: the real rules over the model, behind the real wire, in this process.
//!
//! It speaks the client plane on a port of its own, checks passwords by comparing them, tells followers what happens,
//! and can be told to be out of order in the ways a group can be.

use crate::keys::keys;
use ribbit_net::channel::ChannelWriter;
use ribbit_net::frame::{self, Plane};
use ribbit_net::handshake::{self, Accepted, Opening};
use ribbit_net::limits::FRAME_BYTES_MAX;
use ribbit_net::protocol::{
    Answer, AnswerFrame, Ask, AskFrame, HistoryLine, LapseReason, MemberInfo, NodeStatus, UnavailableReason,
};
use ribbit_replica::event_ring::{EventReader, EventRing};
use ribbit_state::command::Proposal;
use ribbit_state::events::event_kind;
use ribbit_state::model::Model;
use ribbit_state::social::{account_named, session_account};
use ribbit_state::{
    AccountCommand, ClusterId, Code, Command, Denied, HistoryId, Interest, LogIndex, OperatorCommand,
    RequestId, Role, Stamp, Token, Topic, View,
};
use smol::future::FutureExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How the group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// Every question is answered so.
    Unavailable(UnavailableReason),
    /// A queue is full: said as a refusal.
    Busy,
    /// Reads are answered and marked old, writes are not.
    Minority,
    /// Writes are refused by the server that is asked; the log decides nothing.
    Refusing(Code),
    /// Writes are carried out, but their answers get lost.
    Forgetful,
    /// Connections are closed before a word is said.
    Gone,
    /// A read ends its connection, as it does where it ends the server.
    Mortal,
}

/// Events that are remembered, few enough that a test can outrun them.
pub const EVENTS_MAX: usize = 512;

struct Store {
    model: Model,
    live: Arc<EventRing>,
    index: LogIndex,
    history: u128,
    wall_ms: u64,
}

impl Store {
    fn token(&self) -> Token {
        Token { history: HistoryId(self.history), index: self.index }
    }

    fn write(&mut self, id: RequestId, submitted_at: LogIndex, command: Command) -> Answer {
        self.index += 1;
        let stamp = Stamp { wall_ms: self.wall_ms + self.index * 1000, age_ms: self.index };
        let proposal = Proposal { stamp, request: ribbit_state::Request { id, submitted_at, command } };
        let applied = self.model.decide(self.index, &proposal);
        let what = event_kind(&proposal.request.command, &applied);
        self.model.commit(&applied.changes);
        self.live.publish(None, [(self.index, what)], self.index);
        Answer::Written { token: self.token(), outcome: applied.outcome }
    }

    /// What a backend does before it proposes: the password is its own hash here.
    fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Write(request) => self.write(request.id, request.submitted_at, request.command),
            Ask::CreateAccount { id, submitted_at, form } => {
                let (username, name, email) = (form.username, form.name, form.email);
                let password_hash = form.password.0;
                self.write(id, submitted_at, Command::CreateAccount { username, name, email, password_hash })
            }
            Ask::LogIn { id, submitted_at, username, password, token } => {
                let username = match ribbit_state::text::fold_username(&username) {
                    Ok(username) => username,
                    Err(denied) => return Answer::Refused(denied),
                };
                match account_named(&self.model, &username).expect("a map can be read") {
                    None => Answer::Refused(Denied::new(Code::NoSuchUser)),
                    Some((_, row)) if row.password_hash != password.0 => {
                        Answer::Refused(Denied::new(Code::WrongPassword))
                    }
                    Some((account, row)) => {
                        let credential_version = row.credential_version;
                        self.write(id, submitted_at, Command::LogIn { account, credential_version, token })
                    }
                }
            }
            Ask::DeleteAccount { id, submitted_at, session, password } => {
                match session_account(&self.model, session, self.model.age_ms()).expect("a map can be read") {
                    None => Answer::Refused(Denied::new(Code::NotLoggedIn)),
                    Some((_, row)) if row.password_hash != password.0 => {
                        Answer::Refused(Denied::new(Code::WrongPassword))
                    }
                    Some((_, row)) => {
                        let credential_version = row.credential_version;
                        self.write(id, submitted_at, Command::DeleteAccount { session, credential_version })
                    }
                }
            }
            Ask::ChangePassword { id, submitted_at, session, old, new } => {
                match session_account(&self.model, session, self.model.age_ms()).expect("a map can be read") {
                    None => Answer::Refused(Denied::new(Code::NotLoggedIn)),
                    Some((_, row)) if row.password_hash != old.0 => {
                        Answer::Refused(Denied::new(Code::WrongPassword))
                    }
                    Some((_, row)) => {
                        let (credential_version, password_hash) = (row.credential_version, new.0);
                        let change =
                            AccountCommand::ChangePassword { session, credential_version, password_hash };
                        self.write(id, submitted_at, change.into())
                    }
                }
            }
            Ask::Read { seen, query, .. } => match seen {
                Some(seen) if seen.history.0 != self.history => {
                    Answer::Unavailable(UnavailableReason::OtherHistory)
                }
                // No server gave that out.
                Some(seen) if seen.index > self.index => Answer::Unavailable(UnavailableReason::OtherHistory),
                _ => Answer::Read { token: self.token(), old: false, page: self.model.answer(&query) },
            },
            Ask::History => Answer::History(vec![HistoryLine {
                wall_ms: self.wall_ms,
                words: "backend-1 leads, since <nobody> else is there".into(),
            }]),
            Ask::NodeStatus
            | Ask::Join { .. }
            | Ask::Lose { .. }
            | Ask::Drain { .. }
            | Ask::Transfer { .. }
            | Ask::Subscribe { .. }
            | Ask::Renew { .. }
            | Ask::GetServer { .. }
            | Ask::SetPassword { .. }
            | Ask::Pin(_)
            | Ask::Directory(_) => {
                unreachable!("pages ask no such thing, or the mood has answered")
            }
        }
    }
}

/// A server that has not applied the newest entries yet.
struct Lagging {
    model: Model,
    index: LogIndex,
    /// How many times it says so before it has caught up.
    behind: u32,
}

impl Lagging {
    /// Its answer; nothing where it is not to judge.
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
                    Some((_, row)) if row.password_hash != password.0 => {
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
    /// The newest writes that were asked for.
    asked: Vec<RequestId>,
}

/// A running group; its thread lives as long as the test process.
pub struct Group {
    pub address: String,
    shared: Arc<Mutex<Shared>>,
}

impl Group {
    pub fn start() -> Group {
        let listener = smol::block_on(async_net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        // 2026-07-01, so that croaks show a time.
        let live = Arc::new(EventRing::new(0, EVENTS_MAX));
        let store =
            Store { model: Model::new(), live, index: 0, history: 0xf00d, wall_ms: 1_782_900_000_000 };
        let shared = Shared { store, mood: Mood::Well, lagging: None, asked: Vec::new() };
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

    /// Reads, and passwords, are answered from the state as it is now, until that was too old for this many questions.
    pub fn lag(&self, behind: u32) {
        let mut shared = self.shared.lock().unwrap();
        let Store { model, index, .. } = &shared.store;
        shared.lagging = Some(Lagging { model: model.clone(), index: *index, behind });
    }

    /// Everything is as it was, in another history.
    pub fn refound(&self, history: u128) {
        self.shared.lock().unwrap().store.history = history;
    }

    /// An operator's command is carried out.
    pub fn operate(&self, command: OperatorCommand) {
        let store = &mut self.shared.lock().unwrap().store;
        let submitted_at = store.index;
        store.write(RequestId(u128::from(submitted_at) + 1), submitted_at, command.into());
    }

    /// The clocks have never been set.
    pub fn forget_the_time(&self) {
        self.shared.lock().unwrap().store.wall_ms = 0;
    }

    /// The ids of the writes asked for, in order, retries included.
    pub fn asked(&self) -> Vec<RequestId> {
        self.shared.lock().unwrap().asked.clone()
    }
}

async fn serve(mut stream: async_net::TcpStream, shared: Arc<Mutex<Shared>>) -> Option<()> {
    let Opening::Ribbit(arrival) = handshake::read_opening(&mut stream).await.ok()? else { return None };
    if shared.lock().unwrap().mood == Mood::Gone {
        return None;
    }
    assert!(matches!(arrival.preface.plane, Plane::Client | Plane::Control | Plane::Status));
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

/// Tells what is wanted behind the cursor; gives the last word.
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
    if let Ask::Write(request) = &ask {
        shared.asked.push(request.id);
    }
    if let Ask::CreateAccount { id, .. } = &ask {
        shared.asked.push(*id);
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
        Mood::Minority if !is_read => Some(Answer::Unavailable(UnavailableReason::NoLeader)),
        // Without a majority it cannot be known whether that was ever given out.
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
        store: Default::default(),
        leases: Default::default(),
    }
}

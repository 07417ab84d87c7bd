//! Users that post croaks and send each other messages, one request at a time.
//!
//! An undecided request is retried with the same idempotency key, however long it takes. So in the end almost every request
//! is acknowledged or refused; the rest count as undecided. Now and then a writer checks that it can read its newest
//! acknowledged croak: a session never goes back in time.

use super::Options;
use super::activities::{self, Activities};
use super::progress::Progress;
use ribbit_net::client::Client;
use ribbit_net::keys::Keys;
use ribbit_net::protocol::{Answer, Ask, NewAccount, Password};
use ribbit_net::secret::{new_request_id, new_token, to_hex, token_hash};
use ribbit_state::query::TalkPartner;
use ribbit_state::{
    AccountId, Code, Command, Consistency, LogIndex, MessageCommand, Page, Query, Reply, Request, TokenHash,
};
use smol::{LocalExecutor, Timer};
use std::cell::RefCell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};
use testkit::history::{History, Kind, Outcome};

/// Timeout of a request.
const ANSWER_MAX: Duration = Duration::from_secs(4);
/// Pause before a retry.
pub const PAUSE: Duration = Duration::from_millis(100);
/// Pause after a refusal by the rate limit.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);
/// Time after the end for requests in flight to be decided.
const LAST_MAX: Duration = Duration::from_secs(90);
/// Ratio of writes to messages: one in this many writes is a message to the partner.
const MESSAGE_EACH: u32 = 3;
/// Number of writes between two marks of the partner's messages as read.
const MARK_EACH: u32 = 20;
/// Number of writes between two checks of the writer's newest croak.
const LOOK_EACH: u32 = 25;
/// Number of writes between two further activities.
const ACTIVITY_EACH: u32 = 2;
/// Number of writes between two croaks that answer the partner's newest one.
const REPLY_EACH: u32 = 5;
/// Number of croaks or messages per page.
const PAGE: u16 = 50;

/// A user.
pub struct Writer {
    pub number: usize,
    pub client: Client,
    pub username: String,
    pub session: TokenHash,
    /// Recipient of its messages.
    partner: TalkPartner,
    pub partner_name: String,
    partner_number: usize,
    activities: Activities,
}

type Shared = Rc<RefCell<History>>;

/// Runs all writers until the time is over and all requests are decided.
pub fn run(
    options: &Options,
    balancers: &[String],
    keys: &Keys,
    folder: &Path,
    time: Duration,
    progress: &Progress,
) -> History {
    let file = File::create(folder.join("history.jsonl")).expect("the history can be written");
    let history = Rc::new(RefCell::new(History::new(options.writers, BufWriter::new(file))));
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(async {
        let writers = join(options, balancers, keys, &executor).await;
        println!("{} users have logged in", writers.len());
        let end = Instant::now() + time;
        let each = Duration::from_secs_f64(1.0 / (options.rate * options.pace));
        let tasks: Vec<_> = writers
            .into_iter()
            .map(|writer| executor.spawn(write(writer, history.clone(), end, each, progress)))
            .collect();
        let people: Vec<Writer> = all(tasks).await;
        history.borrow_mut().people = people.iter().map(|who| (who.username.clone(), who.session)).collect();
    }));
    drop(executor);
    let mut history = Rc::into_inner(history).expect("all writers have ended").into_inner();
    history.file.flush().expect("the history can be written");
    history
}

async fn all<T>(tasks: Vec<smol::Task<T>>) -> Vec<T> {
    let mut done = Vec::with_capacity(tasks.len());
    for task in tasks {
        done.push(task.await);
    }
    done
}

/// Creates the accounts, in the order of their writers; partners are neighbours.
async fn join(
    options: &Options,
    balancers: &[String],
    keys: &Keys,
    executor: &LocalExecutor<'_>,
) -> Vec<Writer> {
    let tag = &to_hex(&new_token())[..6];
    let name = |number: usize| format!("soak-{tag}-{number}");
    let tasks = (0..options.writers).map(|number| {
        let client = Client::new(balancers.to_vec(), keys.clone());
        executor.spawn(account(client, name(number)))
    });
    let people = all(tasks.collect()).await;
    let accounts: Vec<AccountId> = people.iter().map(|(_, account, _)| *account).collect();
    let writer = |(number, (client, _, session)): (usize, (Client, AccountId, TokenHash))| {
        let partner = if number ^ 1 < accounts.len() { number ^ 1 } else { 0 };
        let (partner_number, partner_name) = (partner, name(partner));
        let partner = TalkPartner::Account(accounts[partner]);
        let (username, activities) = (name(number), Activities::default());
        Writer { number, client, username, session, partner, partner_name, partner_number, activities }
    };
    let writers: Vec<Writer> = people.into_iter().enumerate().map(writer).collect();
    activities::prepare(&writers[0]).await;
    writers
}

pub async fn account(client: Client, username: String) -> (Client, AccountId, TokenHash) {
    let password = || Password("frogs all the way".into());
    let form = NewAccount {
        name: "Soaked".into(),
        username: username.clone(),
        email: "soak@localhost".into(),
        password: password(),
        invitation: None,
    };
    let submitted_at = submitted_at(&client).await;
    let ask = Ask::CreateAccount { id: new_request_id(), submitted_at, form };
    let Decided::Done(Reply::Created { account }, _) = decide(&client, ask, None).await else {
        panic!("no account for {username}")
    };
    let session = token_hash(&new_token());
    let submitted_at = self::submitted_at(&client).await;
    let ask = Ask::LogIn {
        id: new_request_id(),
        submitted_at,
        username,
        password: password(),
        token: session,
        device: String::new(),
        app: None,
    };
    let Decided::Done(Reply::LoggedIn { .. }, _) = decide(&client, ask, None).await else {
        panic!("no session")
    };
    (client, account, session)
}

pub async fn submitted_at(client: &Client) -> LogIndex {
    loop {
        match client.position(ANSWER_MAX).await {
            Ok(token) => return token.index,
            Err(_) => drop(Timer::after(PAUSE).await),
        }
    }
}

pub enum Decided {
    /// Number of attempts.
    Done(Reply, u32),
    Refused(Code),
    Undecided,
}

/// Retries a request with the same idempotency key until it is decided, or `end`.
pub async fn decide(client: &Client, ask: Ask, end: Option<Instant>) -> Decided {
    let mut tries = 0;
    loop {
        tries += 1;
        match client.ask(ask.clone(), ANSWER_MAX).await {
            Ok(Answer::Written { outcome: Ok(reply), .. }) => return Decided::Done(reply, tries),
            Ok(Answer::Written { outcome: Err(denied), .. } | Answer::Refused(denied)) => match denied.code {
                Code::OutcomeUnknown => return Decided::Undecided,
                // The request itself was rejected, so nothing was decided.
                Code::Busy | Code::Unavailable => {}
                code => return Decided::Refused(code),
            },
            _ => {}
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            return Decided::Undecided;
        }
        Timer::after(PAUSE).await;
    }
}

async fn write(
    mut writer: Writer,
    history: Shared,
    end: Instant,
    each: Duration,
    progress: &Progress,
) -> Writer {
    let mut number = 0;
    while Instant::now() < end {
        let began = Instant::now();
        number += 1;
        let kind = if number % MESSAGE_EACH == 0 { Kind::Message } else { Kind::Croak };
        let text = History::text(writer.number, number, kind);
        let session = writer.session;
        let command = match kind {
            Kind::Croak => {
                let to = history.borrow().newest_croak(writer.partner_number);
                let reply_to = to.filter(|_| number % REPLY_EACH == 0);
                Command::Croak { session, text, reply_to, audience: None }
            }
            Kind::Message => {
                let username = writer.partner_name.clone();
                Command::Message(MessageCommand::Send { session, username, text })
            }
        };
        let submitted_at = submitted_at(&writer.client).await;
        let request = Request { id: new_request_id(), submitted_at, origin: None, command };
        let decided = decide(&writer.client, Ask::Write(request), Some(end + LAST_MAX)).await;
        let outcome = match decided {
            Decided::Done(Reply::Croaked { croak }, tries) => Outcome::Acknowledged(croak, tries),
            Decided::Done(Reply::Sent { message }, tries) => Outcome::Acknowledged(message, tries),
            Decided::Done(reply, _) => panic!("{reply:?} to a croak or a message"),
            Decided::Refused(code) => {
                Timer::after(REFUSED_PAUSE).await;
                Outcome::Refused(code)
            }
            Decided::Undecided => Outcome::Undecided,
        };
        history.borrow_mut().add(writer.number, number, kind, outcome, began.elapsed());
        progress.answered(began.elapsed());
        if number % MARK_EACH == 0 {
            mark(&writer).await;
        }
        if number % LOOK_EACH == 0 {
            look(&writer, &history).await;
        }
        if number % ACTIVITY_EACH == 0 {
            let croak = history.borrow().newest_croak(writer.partner_number);
            let mut activities = std::mem::take(&mut writer.activities);
            activities.next(&writer, croak, end + LAST_MAX, progress).await;
            writer.activities = activities;
        }
        Timer::after(each.saturating_sub(began.elapsed())).await;
    }
    writer
}

/// Marks the partner's messages as read.
async fn mark(writer: &Writer) {
    let TalkPartner::Account(with) = writer.partner else { return };
    let submitted_at = submitted_at(&writer.client).await;
    let (delivered_through, read_through) = (LogIndex::MAX, LogIndex::MAX);
    let command = MessageCommand::Mark { session: writer.session, with, delivered_through, read_through };
    let request =
        Request { id: new_request_id(), submitted_at, origin: None, command: Command::Message(command) };
    // A failure shows in refused messages.
    decide(&writer.client, Ask::Write(request), Some(Instant::now() + ANSWER_MAX)).await;
}

/// Checks that every server shows the newest acknowledged croak.
async fn look(writer: &Writer, history: &Shared) {
    let Some(newest) = history.borrow().newest_croak(writer.number) else { return };
    let (session, username) = (writer.session, writer.username.clone());
    let query = Query::Profile { session, username, before: None, limit: 1 };
    let ask = Ask::Read { seen: writer.client.seen(), consistency: Consistency::Session, query };
    let Ok(Answer::Read { page: Ok(Page::Profile { croaks, .. }), .. }) =
        writer.client.ask(ask, ANSWER_MAX).await
    else {
        return history.borrow_mut().could_not_look();
    };
    let found = croaks.first().map_or(0, |croak| croak.id);
    history.borrow_mut().looked(writer.number, newest, found);
}

/// Reads the final state and compares it with the answers.
pub fn check(history: &mut History, balancers: &[String], keys: &Keys) {
    let people = history.people.clone();
    smol::block_on(async {
        let client = Client::new(balancers.to_vec(), keys.clone());
        for (number, (username, session)) in people.iter().enumerate() {
            let croaks = croaks(&client, username, *session).await;
            history.found(number, Kind::Croak, &croaks);
            let with = people[if number ^ 1 < people.len() { number ^ 1 } else { 0 }].0.clone();
            let messages = messages(&client, with, *session).await;
            history.found(number, Kind::Message, &messages);
        }
    });
}

async fn page(client: &Client, query: Query) -> Page {
    loop {
        let ask =
            Ask::Read { seen: client.seen(), consistency: Consistency::Linearizable, query: query.clone() };
        match client.ask(ask, ANSWER_MAX).await {
            Ok(Answer::Read { page: Ok(page), .. }) => return page,
            Ok(Answer::Read { page: Err(denied), .. }) => panic!("{query:?} is refused: {denied}"),
            _ => drop(Timer::after(PAUSE).await),
        }
    }
}

/// Returns ids and texts of a user's croaks, oldest first.
async fn croaks(client: &Client, username: &str, session: TokenHash) -> Vec<(LogIndex, String)> {
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let query = Query::Profile { session, username: username.to_string(), before, limit: PAGE };
        let Page::Profile { croaks, older, .. } = page(client, query).await else {
            panic!("the answer does not fit the request")
        };
        found.extend(croaks.into_iter().map(|croak| (croak.id, own_words(croak.body.text))));
        before = older;
        if before.is_none() {
            found.reverse();
            return found;
        }
    }
}

/// Returns the text of a croak without the mention that the rules put before a reply.
fn own_words(text: String) -> String {
    match text.strip_prefix('@').and_then(|rest| rest.split_once(' ')) {
        Some((_, words)) => words.to_string(),
        None => text,
    }
}

/// Returns ids and texts of the messages a user sent, oldest first.
async fn messages(client: &Client, with: String, session: TokenHash) -> Vec<(LogIndex, String)> {
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let query = Query::Talk { session, with: TalkPartner::Named(with.clone()), before, limit: PAGE };
        let Page::Talk(talk) = page(client, query).await else {
            panic!("the answer does not fit the request")
        };
        found.extend(
            talk.messages
                .into_iter()
                .filter(|message| message.mine)
                .map(|message| (message.id, message.text)),
        );
        before = talk.older;
        if before.is_none() {
            found.reverse();
            return found;
        }
    }
}

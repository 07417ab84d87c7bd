//! Properties of every history: random commands of a few people under small bounds. An oracle that knows no tables judges
//! them by the accounts, friendships and croaks that must exist.

use super::*;
use crate::code::{Code, Denied};
use crate::command::AccountCommand;
use crate::command::{NewMember, OperatorCommand, Role};
use crate::ids::{HistoryId, KeyId};
use crate::limits::RULES_LEVEL;
use crate::lookup::{account_named, profile_of};
use crate::query::{FeedCroak, Person};
use crate::rows::{
    Accounts, Croaks, CroaksBy, Followers, Friends, Key, Requests, Sessions, SessionsOf, StoredCroak, Sweeps,
    books, decode,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const PEOPLE: [&str; 6] = ["ada", "bob", "carl", "dora", "emil", "fred"];

/// The same histories in every run; PROPTEST_CASES asks for more of them.
pub(super) fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = asked.unwrap_or(96);
    ProptestConfig { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(2), ..Default::default() }
}

/// One step of a history. People are positions in `PEOPLE`.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Create(usize),
    LogIn(usize),
    LogOut(usize),
    Croak(usize, String),
    /// Pins one of the croaks, of anyone.
    Pin(usize, Index),
    /// Deletes one of the croaks, of anyone.
    Uncroak(usize, Index),
    Befriend(usize, usize),
    Unfriend(usize, usize),
    Delete(usize),
    Sweep(Index),
    IndexCroaks,
    Age(u64),
    /// Every member understands the newest rules level, and it is raised.
    Raise,
    /// A retry: the request of an earlier entry.
    Retry(Index),
}

fn step() -> impl Strategy<Value = Step> {
    let person = || 0..PEOPLE.len();
    prop_oneof![
        3 => person().prop_map(Step::Create),
        3 => person().prop_map(Step::LogIn),
        1 => person().prop_map(Step::LogOut),
        16 => (person(), text()).prop_map(|(who, text)| Step::Croak(who, text)),
        2 => (person(), any::<Index>()).prop_map(|(who, which)| Step::Pin(who, which)),
        1 => (person(), any::<Index>()).prop_map(|(who, which)| Step::Uncroak(who, which)),
        8 => (person(), person()).prop_map(|(who, whom)| Step::Befriend(who, whom)),
        2 => (person(), person()).prop_map(|(who, whom)| Step::Unfriend(who, whom)),
        1 => person().prop_map(Step::Delete),
        3 => any::<Index>().prop_map(Step::Sweep),
        3 => Just(Step::IndexCroaks),
        1 => (0..2 * SMALL.dedup_age_ms).prop_map(Step::Age),
        1 => Just(Step::Raise),
        3 => any::<Index>().prop_map(Step::Retry),
    ]
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 0..120)
}

/// Returns texts about as long as a croak may be, with the characters that editors and browsers mangle.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => any::<char>().prop_map(String::from),
        1 => proptest::sample::select(vec!["\r\n", "\r", "\n", " ", ",", "\"", "\0", "🐸", "\u{301}"])
            .prop_map(String::from),
    ];
    let pieces = |count| proptest::collection::vec(piece.clone(), count).prop_map(|pieces| pieces.concat());
    prop_oneof![8 => pieces(0..8), 1 => pieces(90..104)]
}

/// The oracle: expected accounts, friendships and croaks.
#[derive(Debug, Default)]
struct Oracle {
    people: BTreeMap<String, AccountId>,
    follows: BTreeSet<(AccountId, AccountId)>,
    croaks: Vec<(LogIndex, AccountId, String)>,
    pinned: BTreeMap<AccountId, LogIndex>,
    /// The newest session of each person that has not logged out.
    sessions: BTreeMap<AccountId, TokenHash>,
}

impl Oracle {
    fn session(&self, person: &str) -> TokenHash {
        let account = self.people.get(person);
        account.and_then(|id| self.sessions.get(id)).copied().unwrap_or(token("nobody"))
    }

    fn owner(&self, token: TokenHash) -> AccountId {
        *self.sessions.iter().find(|(_, session)| **session == token).expect("a session that worked").0
    }

    /// Follows a command that was carried out.
    fn follow(&mut self, command: &Command, reply: &Reply) {
        match (command, reply) {
            (Command::CreateAccount { username, .. }, Reply::Created { account }) => {
                assert_eq!(self.people.insert(username.clone(), *account), None, "taken names are refused");
            }
            (Command::LogIn { account, token, .. }, _) => {
                self.sessions.insert(*account, *token);
            }
            (Command::LogOut { session }, _) => {
                self.sessions.remove(&self.owner(*session));
            }
            (Command::Croak { session, text, .. }, Reply::Croaked { croak }) => {
                self.croaks.push((*croak, self.owner(*session), lines(text)));
            }
            (Command::Account(AccountCommand::Pin { session, croak, .. }), _) => {
                self.pinned.insert(self.owner(*session), *croak);
            }
            (Command::Account(AccountCommand::RemoveCroak { croak, .. }), _) => {
                self.croaks.retain(|(id, ..)| id != croak);
                self.pinned.retain(|_, pinned| pinned != croak);
            }
            (Command::AddFriend { session, username }, _) => {
                assert!(self.follows.insert((self.owner(*session), self.people[username])));
            }
            (Command::RemoveFriend { session, username }, _) => {
                assert!(self.follows.remove(&(self.owner(*session), self.people[username])));
            }
            (Command::DeleteAccount { session, .. }, _) => {
                let gone = self.owner(*session);
                self.people.retain(|_, account| *account != gone);
                self.follows.retain(|(who, whom)| *who != gone && *whom != gone);
                self.croaks.retain(|(_, author, _)| *author != gone);
                self.pinned.remove(&gone);
                self.sessions.remove(&gone);
            }
            _ => {}
        }
    }

    fn feed(&self, me: AccountId) -> Vec<(LogIndex, AccountId, String)> {
        let mine = |author: AccountId| author == me || self.follows.contains(&(me, author));
        self.croaks.iter().rev().filter(|(_, author, _)| mine(*author)).cloned().collect()
    }

    /// Returns the id of one of the croaks, or 0 if there is none.
    fn croak(&self, which: Index) -> LogIndex {
        if self.croaks.is_empty() { 0 } else { which.get(&self.croaks).0 }
    }

    fn friends(&self, me: AccountId) -> Vec<AccountId> {
        self.follows.iter().filter(|(who, _)| *who == me).map(|(_, whom)| *whom).collect()
    }
}

/// Returns the text with its line ends as they are stored, computed in the simplest way.
fn lines(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\r' {
            chars.next_if_eq(&'\n');
            out.push('\n');
        } else {
            out.push(char);
        }
    }
    out
}

/// A log, the outcomes of its entries, and the oracle.
pub(super) struct History {
    pub(super) log: Log,
    outcomes: Vec<Outcome>,
    /// Entries that are no retries.
    fresh: usize,
    oracle: Oracle,
}

impl History {
    pub(super) fn of(steps: &[Step]) -> History {
        let (log, oracle) = (Log::small(), Oracle::default());
        let mut history = History { log, outcomes: Vec::new(), fresh: 0, oracle };
        // Starts under the oldest rules level, so that rows written under it exist when the level is raised.
        let member = NewMember {
            role: Role::Backend,
            id: 1,
            address: String::new(),
            machine: String::new(),
            rules_level: 1,
            key: KeyId::default(),
        };
        history.run(Command::FoundCluster { history: HistoryId(7), member }).unwrap();
        // Begins with some people: random steps alone would mostly create accounts.
        for who in 0..PEOPLE.len() {
            history.take(&Step::Create(who));
            history.take(&Step::LogIn(who));
            history.take(&Step::Befriend(who, 0));
        }
        for step in steps {
            history.take(step);
        }
        history
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Age(ms) => self.log.age_ms += ms,
            Step::Retry(_) if self.log.proposals.is_empty() => {}
            Step::Retry(which) => self.retry(which.index(self.log.proposals.len())),
            Step::Raise => {
                let (address, machine) = (String::new(), String::new());
                let rules_level = RULES_LEVEL;
                self.run(Command::DescribeMember {
                    raft_id: 1,
                    address,
                    machine,
                    rules_level,
                    key: KeyId::default(),
                })
                .unwrap();
                self.run(OperatorCommand::RaiseRules { level: rules_level }.into()).unwrap();
            }
            step => drop(self.run(self.command(step))),
        }
    }

    fn run(&mut self, command: Command) -> Outcome {
        let outcome = self.log.run(command.clone());
        if let Ok(reply) = &outcome {
            self.oracle.follow(&command, reply);
        }
        self.outcomes.push(outcome.clone());
        self.fresh += 1;
        outcome
    }

    fn finish(&mut self, command: &Command) {
        while self.run(command.clone()) != Ok(Reply::Stepped { more: false }) {
            assert!(self.fresh < 10_000, "{command:?} does not end");
        }
    }

    fn command(&self, step: &Step) -> Command {
        let session = |who: usize| self.oracle.session(PEOPLE[who]);
        match step {
            Step::Create(who) => create(PEOPLE[*who]),
            Step::LogIn(who) => Command::LogIn {
                account: account_named(&self.log.model, PEOPLE[*who])
                    .unwrap()
                    .map_or(AccountId(0), |(account, _)| account),
                credential_version: 1,
                token: token(&format!("session {}", self.log.index() + 1)),
                device: String::new(),
                app: None,
            },
            Step::Pin(who, which) => {
                let croak = self.oracle.croak(*which);
                AccountCommand::Pin { session: session(*who), croak, pinned: true }.into()
            }
            Step::Uncroak(who, which) => {
                let croak = self.oracle.croak(*which);
                AccountCommand::RemoveCroak { session: session(*who), croak }.into()
            }
            Step::LogOut(who) => Command::LogOut { session: session(*who) },
            Step::Croak(who, text) => Command::croak(session(*who), text.clone()),
            Step::Befriend(who, whom) => {
                Command::AddFriend { session: session(*who), username: PEOPLE[*whom].into() }
            }
            Step::Unfriend(who, whom) => {
                Command::RemoveFriend { session: session(*who), username: PEOPLE[*whom].into() }
            }
            Step::Delete(who) => Command::DeleteAccount { session: session(*who), credential_version: 1 },
            Step::Sweep(which) => {
                let sweeps = table::<Sweeps>(&self.log.model);
                let account = match sweeps.len() {
                    0 => AccountId(1),
                    len => AccountId::from_bytes(&sweeps[which.index(len)].0).unwrap(),
                };
                Command::Sweep { account }
            }
            Step::IndexCroaks => Command::IndexCroaks,
            Step::Age(_) | Step::Raise | Step::Retry(_) => unreachable!("not commands"),
        }
    }

    /// Applies a retry. It answers with the first outcome, or that the outcome is no longer known, and changes nothing.
    fn retry(&mut self, entry: usize) {
        let request = self.log.proposals[entry].request.clone();
        let before: Vec<_> = self.log.model.rows().map(|(t, k, r)| (t, k.to_vec(), r.to_vec())).collect();
        let outcome = self.log.propose(request.clone());
        let first = self.outcomes[entry].clone();
        let remembered = self.requests().contains(&request.id);
        let unknown = Err(Denied::new(Code::OutcomeUnknown));
        assert_eq!(outcome, if remembered { first } else { unknown });
        let after: Vec<_> = self.log.model.rows().map(|(t, k, r)| (t, k.to_vec(), r.to_vec())).collect();
        assert_eq!(before, after);
        self.outcomes.push(outcome);
    }

    /// Returns the ids of the requests in the deduplication window, according to the rows.
    fn requests(&self) -> BTreeSet<RequestId> {
        let through = books(&self.log.model).unwrap().expired_through;
        let rows = table::<Requests>(&self.log.model);
        let rows = rows.iter().map(|(_, row)| decode::<crate::rows::RequestRecord>(row).unwrap().id);
        let croaks = table::<Croaks>(&self.log.model);
        let young = croaks.iter().filter(|(key, _)| LogIndex::from_bytes(key).unwrap() > through);
        rows.chain(young.map(|(_, row)| RequestId(decode::<StoredCroak>(row).unwrap().record.id))).collect()
    }

    fn sweep_all(&mut self) {
        for (key, _) in table::<Sweeps>(&self.log.model) {
            let account = AccountId::from_bytes(&key).unwrap();
            self.finish(&Command::Sweep { account });
        }
    }
}

/// Opens a new session for each live account.
fn sessions(history: &mut History) -> Vec<(AccountId, TokenHash)> {
    let people: Vec<_> = history.oracle.people.clone().into_values().collect();
    let open = |account: AccountId| {
        let token = token(&format!("reader {}", history.log.index()));
        history
            .run(Command::LogIn { account, credential_version: 1, token, device: String::new(), app: None })
            .unwrap();
        (account, token)
    };
    people.into_iter().map(open).collect()
}

/// Reads the whole feed, page by page.
fn read_feed(model: &Model, session: TokenHash, limit: u16) -> Vec<FeedCroak> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let query = Query::Feed { session, before, limit };
        let Ok(Page::Feed { croaks, older, .. }) = model.answer(&query) else { panic!("a feed is readable") };
        let full = croaks.len() == usize::from(limit);
        assert!(full || older.is_none(), "a page that is not full is the last");
        assert!(!croaks.is_empty() || all.is_empty(), "a promised page holds something");
        all.extend(croaks);
        match older {
            None => return all,
            older => before = older,
        }
    }
}

fn check_feeds(history: &mut History, limit: u16) {
    for (account, session) in sessions(history) {
        let read = read_feed(&history.log.model, session, limit);
        let read: Vec<_> =
            read.into_iter().map(|croak| (croak.id, croak.author.account, croak.body.text)).collect();
        assert_eq!(read, history.oracle.feed(account));
        let friends = match history.log.model.answer(&Query::Friends { session, after: None }) {
            Ok(Page::Friends { friends, more: None, .. }) => friends,
            other => panic!("{other:?}"),
        };
        let friends: Vec<_> = friends.iter().map(|Person { account, .. }| *account).collect();
        assert_eq!(friends, history.oracle.friends(account));
        let pinned = profile_of(&history.log.model, account).unwrap().pinned;
        assert_eq!(pinned, history.oracle.pinned.get(&account).copied());
    }
}

fn pairs<T: Table>(model: &Model) -> BTreeSet<(AccountId, u64)> {
    table::<T>(model).iter().map(|(key, _)| Key::from_bytes(key).unwrap()).collect()
}

fn check_mirror(model: &Model) {
    let followers = pairs::<Followers>(model);
    let mirrored: BTreeSet<_> = followers.into_iter().map(|(whom, who)| (AccountId(who), whom.0)).collect();
    assert_eq!(pairs::<Friends>(model), mirrored);
}

proptest! {
    #![proptest_config(config())]

    /// The same entries give the same rows and outcomes wherever a member crashes and restarts.
    #[test]
    fn members_agree(steps in steps(), cuts in proptest::collection::vec(any::<Index>(), 0..6)) {
        let history = History::of(&steps);
        let proposals = &history.log.proposals;
        let cuts: BTreeSet<usize> = cuts.iter().map(|cut| cut.index(proposals.len() + 1)).collect();
        let mut durable = Model::within(SMALL, 7);
        let mut from = 0;
        for cut in cuts.into_iter().chain([proposals.len()]) {
            // Applied, lost in a power failure, applied again.
            let mut model = durable.clone();
            for _ in 0..2 {
                model = durable.clone();
                model.reopen();
                for (at, proposal) in proposals.iter().enumerate().take(cut).skip(from) {
                    prop_assert_eq!(&model.apply(at as LogIndex + 1, proposal), &history.outcomes[at]);
                }
            }
            (durable, from) = (model, cut);
        }
        prop_assert!(durable.rows().eq(history.log.model.rows()));
        prop_assert_eq!(durable.window_len(), history.requests().len());
    }

    /// At every prefix, the feed read in pages of any size equals the oracle's, and so do the friends.
    #[test]
    fn feeds_have_no_skips_or_doubles(steps in steps(), limit in 1..5_u16) {
        let mut history = History::of(&steps);
        check_feeds(&mut history, limit);
        history.log.model.reopen();
        check_feeds(&mut history, limit);
        history.finish(&Command::IndexCroaks);
        check_feeds(&mut history, limit);
        prop_assert!(history.log.model.ring().len() <= 3, "an indexed ring settles");
        history.sweep_all();
        check_feeds(&mut history, limit);
    }

    /// A page's cursor continues exactly where the page ended although croaks are written, indexed and swept in between.
    #[test]
    fn a_cursor_stays_true(steps in steps(), more in steps(), limit in 1..4_u16) {
        let mut history = History::of(&steps);
        let readers = sessions(&mut history);
        let pages: Vec<_> = readers
            .iter()
            .map(|(account, session)| {
                let query = Query::Feed { session: *session, before: None, limit };
                let Ok(Page::Feed { older, .. }) = history.log.model.answer(&query) else { panic!() };
                (*account, older)
            })
            .collect();
        for step in &more {
            history.take(step);
        }
        for (account, session) in sessions(&mut history) {
            let older = pages.iter().find(|(reader, _)| *reader == account).and_then(|(_, older)| *older);
            let Some(before) = older else { continue };
            let query = Query::Feed { session, before: Some(before), limit: 50 };
            let Ok(Page::Feed { croaks, .. }) = history.log.model.answer(&query) else { panic!() };
            let expected = history.oracle.feed(account).into_iter().filter(|(id, ..)| *id < before).take(50);
            let read = croaks.into_iter().map(|croak| (croak.id, croak.author.account, croak.body.text));
            prop_assert!(read.eq(expected));
        }
    }

    /// Friends and followers are mirror images at every step. No row of a deleted account survives sweep and indexing.
    #[test]
    fn nothing_of_the_deleted_stays(steps in steps()) {
        let mut history = History::of(&[]);
        for step in &steps {
            history.take(step);
            check_mirror(&history.log.model);
            let remembered = history.log.model.window_len();
            prop_assert!(remembered <= SMALL.dedup_requests_max);
            prop_assert!(remembered >= SMALL.dedup_requests_min.min(history.fresh));
        }
        history.sweep_all();
        history.finish(&Command::IndexCroaks);
        history.sweep_all();
        check_mirror(&history.log.model);
        let model = &history.log.model;
        let living: BTreeSet<u64> = history.oracle.people.values().map(|account| account.0).collect();
        prop_assert!(table::<Sweeps>(model).is_empty());
        for keys in [pairs::<Friends>(model), pairs::<SessionsOf>(model), pairs::<CroaksBy>(model)] {
            prop_assert!(keys.iter().all(|(account, _)| living.contains(&account.0)));
        }
        prop_assert_eq!(table::<Sessions>(model).len(), pairs::<SessionsOf>(model).len());
        let croaks = table::<Croaks>(model).len();
        prop_assert_eq!(croaks, history.oracle.croaks.len());
        prop_assert_eq!(table::<CroaksBy>(model).len(), history.oracle.croaks.len());
        let accounts = table::<Accounts>(model);
        let record = accounts.iter().filter(|(_, row)| decode::<crate::rows::Account>(row).unwrap().deleted);
        prop_assert_eq!(accounts.len() - record.count(), living.len());
    }
}

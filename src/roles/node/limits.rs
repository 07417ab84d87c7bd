//! How much one account may do here: tries of its password, and what is written in its name. And how many accounts may
//! be made.
//!
//! ```text
//!   who ──▶ a place by its keyed hash ──▶ is a try left there?  one comes back each `every`, `burst` at most wait
//! ```
//!
//! - In memory, on each node for itself: a restart forgets, and who goes from node to node has each node's tries.
//! - The places are fixed in number and shared by whoever falls on them, two for each, of which the better one counts.
//!   So nothing is ever pushed out, least of all by somebody who wants to be forgotten; where one falls is secret.
//! - A retry of the same request costs nothing, up to a bound.
//! - Names that nobody has are counted as those that somebody has.
//!
//! - An address, too, has so many tries of all names together, and so on. That is generous, since there may be a school behind
//!   it; who is not limited so (web processes, which limit people's addresses themselves) is the caller's to know.

use crate::net::crowd::household;
use crate::net::protocol::Ask;
use crate::state::{AccountId, Code, Command, MessageCommand, RequestId, TokenHash};
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often something may be done, and how many times at once after a rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub every: Duration,
    pub burst: u32,
}

/// Tries of one name's password.
pub const LOG_INS: Rate = Rate { every: Duration::from_secs(10), burst: 10 };
/// Passwords that the owner of an account is asked for again, to change or delete something of it: counted apart, so that
/// strangers who try a name do not stand in its owner's way.
pub const OWNER_CHECKS: Rate = LOG_INS;
/// The same of all names, from one address.
pub const LOG_INS_OF_ADDRESS: Rate = Rate { every: Duration::from_secs(1), burst: 120 };
/// Accounts made from one address,
pub const NEW_ACCOUNTS_OF_ADDRESS: Rate = Rate { every: Duration::from_secs(10), burst: 50 };
/// and everything that is written from there.
pub const WRITES_OF_ADDRESS: Rate = Rate { every: Duration::from_millis(50), burst: 1_200 };
/// Accounts made here, by all together.
pub const NEW_ACCOUNTS: Rate = Rate { every: Duration::from_secs(10), burst: 100 };
/// What leaves little behind (read marks, friends taken back, log-outs) may be written so many times as often as posts.
const SMALL_WRITES_PER_POST: u32 = 10;
/// Tries of one request that cost nothing after the first.
const RETRIES_MAX: u8 = 16;

/// Places that accounts fall on,
const PLACES: usize = 4_096;
/// and requests that are remembered.
const REQUESTS: usize = 4_096;
/// Sessions whose owners are remembered.
const SESSIONS: usize = 1_024;

const _: () = assert!(REQUESTS.is_power_of_two() && PLACES.is_power_of_two() && SESSIONS.is_power_of_two());

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    LogIn,
    OwnerCheck,
    NewAccount,
    Post,
    SmallWrite,
    LogInFrom,
    NewAccountFrom,
    WriteFrom,
}

impl What {
    fn refusal(self) -> Code {
        match self {
            What::LogIn | What::OwnerCheck | What::LogInFrom => Code::TooManyTries,
            What::NewAccount | What::NewAccountFrom => Code::TooManyAccounts,
            What::Post | What::SmallWrite | What::WriteFrom => Code::TooMuchWritten,
        }
    }
}

/// One node's counts.
pub struct Limits {
    began: Instant,
    key: RandomState,
    /// Nothing: as much as comes.
    posts: Option<Rate>,
    counts: Mutex<Counts>,
}

struct Counts {
    log_ins: Meter,
    owner_checks: Meter,
    new_accounts: Meter,
    posts: Meter,
    small_writes: Meter,
    log_ins_from: Meter,
    new_accounts_from: Meter,
    writes_from: Meter,
    /// What a request is known by, and how many tries it has left for nothing.
    requests: Box<[(u64, u8)]>,
    owners: Box<[Option<(TokenHash, AccountId)>]>,
}

impl Limits {
    /// `posts_per_minute` of one account; 0 is as many as come.
    pub fn new(posts_per_minute: u32) -> Limits {
        let minute = Duration::from_secs(60);
        let rate = |per_minute| Rate { every: minute / per_minute, burst: per_minute };
        let posts = (posts_per_minute > 0).then(|| rate(posts_per_minute));
        let small = rate(posts_per_minute.max(1).saturating_mul(SMALL_WRITES_PER_POST));
        // Without a limit there is nothing to count.
        let places = if posts.is_some() { PLACES } else { 1 };
        let counts = Counts {
            log_ins: Meter::new(LOG_INS, PLACES),
            owner_checks: Meter::new(OWNER_CHECKS, PLACES),
            new_accounts: Meter::new(NEW_ACCOUNTS, 1),
            posts: Meter::new(posts.unwrap_or(small), places),
            small_writes: Meter::new(small, places),
            log_ins_from: Meter::new(LOG_INS_OF_ADDRESS, PLACES),
            new_accounts_from: Meter::new(NEW_ACCOUNTS_OF_ADDRESS, PLACES),
            writes_from: Meter::new(WRITES_OF_ADDRESS, places),
            requests: vec![(0, 0); REQUESTS].into(),
            owners: vec![None; SESSIONS].into(),
        };
        Limits { began: Instant::now(), key: RandomState::new(), posts, counts: Mutex::new(counts) }
    }

    /// Whether this name's password may be tried. The password is part of what makes two tries the same.
    ///
    /// # Errors
    /// The code of the refusal.
    pub fn log_in(&self, username: &str, id: RequestId, password: &str) -> Result<(), Code> {
        self.admit(What::LogIn, username, (id.0, password))
    }

    /// Whether somebody who is logged in may be asked for this account's password again. Each of the passwords is hashed,
    /// so all of them are part of what makes two tries the same.
    ///
    /// # Errors
    /// The code of the refusal.
    pub fn owner_check(&self, account: AccountId, id: RequestId, passwords: [&str; 2]) -> Result<(), Code> {
        self.admit(What::OwnerCheck, account, (id.0, passwords))
    }

    /// Whether one more account may be made. The password is hashed, so another one is another try.
    ///
    /// # Errors
    /// The code of the refusal.
    pub fn new_account(&self, id: RequestId, password: &str) -> Result<(), Code> {
        self.admit(What::NewAccount, (), (id.0, password))
    }

    /// Whether this may be written in the name of this account, or of nobody that is known here.
    ///
    /// # Errors
    /// The code of the refusal.
    pub fn write(&self, command: &Command, account: Option<AccountId>, id: RequestId) -> Result<(), Code> {
        let what = match command {
            Command::Croak { .. }
            | Command::AddFriend { .. }
            | Command::Message(MessageCommand::Send { .. }) => What::Post,
            _ => What::SmallWrite,
        };
        self.admit(what, account, id.0)
    }

    /// Whether this may be asked from this address.
    ///
    /// # Errors
    /// The code of the refusal.
    pub fn address(&self, from: IpAddr, ask: &Ask) -> Result<(), Code> {
        let from = household(from);
        match ask {
            Ask::LogIn { id, password, .. } => self.admit(What::LogInFrom, from, (id.0, &password.0)),
            Ask::CreateAccount { id, form, .. } => {
                self.admit(What::NewAccountFrom, from, (id.0, &form.password.0))
            }
            Ask::Write(request) if self.count_writes() => self.admit(What::WriteFrom, from, request.id.0),
            _ => Ok(()),
        }
    }

    /// Whether what is written is counted at all.
    pub fn count_writes(&self) -> bool {
        self.posts.is_some()
    }

    /// Whose session this is, if it was learned lately. One that is over meanwhile still says who pays.
    pub fn owner(&self, session: TokenHash) -> Option<AccountId> {
        let place = self.place(session, SESSIONS);
        let counts = self.counts.lock().expect("nobody panics while it holds this lock");
        counts.owners[place].filter(|(known, _)| *known == session).map(|(_, account)| account)
    }

    pub fn learn_owner(&self, session: TokenHash, account: AccountId) {
        let place = self.place(session, SESSIONS);
        self.counts.lock().expect("nobody panics while it holds this lock").owners[place] =
            Some((session, account));
    }

    fn place(&self, what: impl Hash, places: usize) -> usize {
        self.key.hash_one(what) as usize & (places - 1)
    }

    fn admit(&self, what: What, who: impl Hash, request: impl Hash) -> Result<(), Code> {
        let now_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.admit_at(now_us, what, self.key.hash_one((what, who)), self.key.hash_one((what, request)))
    }

    fn admit_at(&self, now_us: u64, what: What, who: u64, request: u64) -> Result<(), Code> {
        let mut counts = self.counts.lock().expect("nobody panics while it holds this lock");
        let known = request as usize & (REQUESTS - 1);
        if let (its, retries) = &mut counts.requests[known]
            && *its == request
            && *retries > 0
        {
            *retries -= 1;
            return Ok(());
        }
        let meter = match what {
            What::LogIn => &mut counts.log_ins,
            What::OwnerCheck => &mut counts.owner_checks,
            What::NewAccount => &mut counts.new_accounts,
            What::Post => &mut counts.posts,
            What::SmallWrite => &mut counts.small_writes,
            What::LogInFrom => &mut counts.log_ins_from,
            What::NewAccountFrom => &mut counts.new_accounts_from,
            What::WriteFrom => &mut counts.writes_from,
        };
        if !meter.take(now_us, who) {
            return Err(what.refusal());
        }
        counts.requests[known] = (request, RETRIES_MAX);
        Ok(())
    }
}

/// Tries left, for many at once. A place holds when all of its tries will be back: one number.
struct Meter {
    every_us: u64,
    /// How far ahead of now that may be.
    ahead_us_max: u64,
    full_at_us: Box<[u64]>,
}

impl Meter {
    fn new(rate: Rate, places: usize) -> Meter {
        let every_us = u64::try_from(rate.every.as_micros()).unwrap_or(u64::MAX).max(1);
        let ahead_us_max = every_us.saturating_mul(rate.burst.into());
        Meter { every_us, ahead_us_max, full_at_us: vec![0; places].into() }
    }

    /// Takes a try of the two places that this one falls on, if one of them has one left. Who shares one place with
    /// somebody greedy has the other.
    fn take(&mut self, now_us: u64, who: u64) -> bool {
        let mask = self.full_at_us.len() - 1;
        let places = [who as usize & mask, (who >> 32) as usize & mask];
        let [one, other] = places.map(|place| self.full_at_us[place]);
        let full_at_us = one.min(other).max(now_us).saturating_add(self.every_us);
        if full_at_us - now_us > self.ahead_us_max {
            return false;
        }
        for place in places {
            self.full_at_us[place] = self.full_at_us[place].max(full_at_us);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::protocol::{NewAccount, Password};

    const SECOND_US: u64 = 1_000_000;

    fn tries(limits: &Limits, now_us: u64, what: What, who: u64, from: u64) -> usize {
        (from..).take_while(|request| limits.admit_at(now_us, what, who, 1 << 40 | request).is_ok()).count()
    }

    #[test]
    fn so_many_at_once_and_then_one_after_the_other() {
        let limits = Limits::new(60);
        let who = 0x0000_0001_0000_0002;
        assert_eq!(tries(&limits, 0, What::LogIn, who, 0), 10);
        assert_eq!(limits.admit_at(9 * SECOND_US, What::LogIn, who, 1 << 41), Err(Code::TooManyTries));
        assert_eq!(tries(&limits, 10 * SECOND_US, What::LogIn, who, 100), 1);
        assert_eq!(tries(&limits, 35 * SECOND_US, What::LogIn, who, 200), 2);
        assert_eq!(
            tries(&limits, 3_600 * SECOND_US, What::LogIn, who, 300),
            10,
            "no more than a burst waits"
        );
        // Others, and other things, are as they were.
        assert_eq!(tries(&limits, 0, What::LogIn, 0x0000_0003_0000_0004, 400), 10);
        assert_eq!(tries(&limits, 0, What::Post, who, 500), 60);
        assert_eq!(tries(&limits, 0, What::NewAccount, who, 600), 100);
        assert_eq!(tries(&limits, 0, What::NewAccount, 77, 800), 0, "all together");
    }

    #[test]
    fn the_same_request_costs_nothing_again_up_to_a_bound() {
        let limits = Limits::new(60);
        for _ in 0..=RETRIES_MAX {
            assert_eq!(limits.admit_at(0, What::Post, 7, 99), Ok(()));
        }
        assert_eq!(tries(&limits, 0, What::Post, 7, 0), 59, "one was paid for");
        assert_eq!(
            limits.admit_at(0, What::Post, 7, 99),
            Err(Code::TooMuchWritten),
            "forgotten: it is paid for anew"
        );
        // Another password under the same request is another try.
        let guesses =
            (0..100).filter(|guess| limits.log_in("ada", RequestId(1), &format!("guess {guess}")).is_ok());
        assert_eq!(guesses.count(), 10);
        // Each other password is hashed: no request id makes that cost nothing.
        let word = |number: usize| format!("password {number}");
        let made = (0..1_000).filter(|number| limits.new_account(RequestId(2), &word(*number)).is_ok());
        assert_eq!(made.count(), NEW_ACCOUNTS.burst as usize);
        let change = |old: usize, new: usize| {
            limits.owner_check(AccountId(7), RequestId(3), [&word(old), &word(new)]).is_ok()
        };
        assert_eq!((0..100).filter(|number| change(0, *number)).count(), OWNER_CHECKS.burst as usize);
        let from: IpAddr = "192.0.2.9".parse().unwrap();
        let create = |number: usize| {
            let (name, username, email) = ("a".to_string(), "a".to_string(), "a@b".to_string());
            let form = NewAccount { name, username, email, password: Password(word(number)) };
            limits.address(from, &Ask::CreateAccount { id: RequestId(4), born: 0, form }).is_ok()
        };
        let made = (0..1_000).filter(|number| create(*number)).count();
        assert_eq!(made, NEW_ACCOUNTS_OF_ADDRESS.burst as usize);
    }

    #[test]
    fn an_address_has_so_many_tries_of_all_names_together() {
        let limits = Limits::new(60);
        let log_in = |number: u128, from: &str| {
            let ask = Ask::LogIn {
                id: RequestId(number),
                born: 0,
                username: format!("frog{number}"),
                password: Password("guess".into()),
                token: TokenHash([0; 32]),
            };
            limits.address(from.parse().unwrap(), &ask)
        };
        let tries = (0..1_000).take_while(|number| log_in(*number, "192.0.2.7").is_ok()).count();
        assert!((120..130).contains(&tries), "{tries}");
        assert_eq!(log_in(2_000, "192.0.2.7"), Err(Code::TooManyTries));
        assert_eq!(log_in(2_001, "192.0.2.8"), Ok(()));
        assert_eq!(limits.address("192.0.2.7".parse().unwrap(), &Ask::NodeStatus), Ok(()));
    }

    #[test]
    fn nobody_is_forgotten_by_being_crowded_out() {
        let limits = Limits::new(60);
        assert_eq!((0..99).filter(|id| limits.log_in("ada", RequestId(*id), "guess").is_ok()).count(), 10);
        for other in 0..20_000 {
            let _ = limits.log_in(&format!("nobody {other}"), RequestId(other), "guess");
        }
        assert_eq!(limits.log_in("ada", RequestId(1 << 64), "guess"), Err(Code::TooManyTries));
    }

    #[test]
    fn who_shares_a_place_with_somebody_greedy_has_another() {
        let mut meter = Meter::new(LOG_INS, PLACES);
        let (greedy, neighbour) = (0x0000_0001_0000_0002, 0x0000_0001_0000_0003);
        while meter.take(0, greedy) {}
        assert!((0..10).all(|_| meter.take(0, neighbour)) && !meter.take(0, neighbour));
    }

    #[test]
    fn owners_are_remembered_and_zero_is_no_limit() {
        let limits = Limits::new(0);
        let (session, other) = (TokenHash([1; 32]), TokenHash([2; 32]));
        limits.learn_owner(session, AccountId(7));
        assert_eq!((limits.owner(session), limits.owner(other)), (Some(AccountId(7)), None));
        assert!(!limits.count_writes() && Limits::new(60).count_writes());
    }

    /// The words of the codes say ten seconds.
    #[test]
    fn after_ten_seconds_there_is_a_try_again() {
        let ten = Duration::from_secs(10);
        let slowest = Rate {
            every: Duration::from_secs(60) / crate::roles::cli::flags::POSTS_PER_MINUTE_MIN,
            burst: 6,
        };
        assert!([LOG_INS, OWNER_CHECKS, NEW_ACCOUNTS, slowest].iter().all(|rate| rate.every <= ten));
        for code in [Code::TooManyTries, Code::TooManyAccounts, Code::TooMuchWritten] {
            assert!(code.words().contains("wait ten seconds"), "{code}");
        }
    }
}

//! Rate limits of one node: password attempts, sign-ups and writes, per account and per address.
//!
//! ```text
//!   account, name or address ──▶ keyed hash ──▶ two slots ──▶ a token left?   refilled each `every`, at most `burst` tokens
//! ```
//!
//! - The counters are in memory and local to one node. A restart resets them, and a client that uses several nodes has the
//!   allowance of each.
//! - The number of slots is fixed, and keys share them. Each key has two slots, and the one with more tokens counts. So no
//!   counter is ever evicted, not even by an attacker who floods the table. The hash key is random and secret.
//! - A retry of the same request costs nothing, up to `RETRIES_MAX` times.
//! - Unknown user names are limited like existing ones.
//! - Addresses are limited over all names together, generously, because a whole school may share one address. The caller
//!   exempts the addresses of trusted proxies: web processes limit their users' addresses themselves.

use crate::common::rate_limit::{Rate, TokenBucket, micros};
use ribbit_net::address_limit::address_key;
use ribbit_net::protocol::Ask;
use ribbit_state::facts::CommandRate;
use ribbit_state::sync::MutexExt;
use ribbit_state::{AccountId, Code, Command, RequestId, TokenHash};
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Limit of log-in attempts per user name.
pub(crate) const LOG_INS: Rate = Rate { every: Duration::from_secs(10), burst: 10 };

/// Limit of password checks per account for changes by its logged-in owner. Separate from `LOG_INS`, so that strangers who
/// try to log in do not lock the owner out.
pub(crate) const OWNER_CHECKS: Rate = LOG_INS;

/// Limit of log-in attempts per address, over all user names.
pub(crate) const LOG_INS_OF_ADDRESS: Rate = Rate { every: Duration::from_secs(1), burst: 120 };

/// Limit of sign-ups per address.
pub(crate) const NEW_ACCOUNTS_OF_ADDRESS: Rate = Rate { every: Duration::from_secs(10), burst: 50 };

/// Limit of writes per address.
pub(crate) const WRITES_OF_ADDRESS: Rate = Rate { every: Duration::from_millis(50), burst: 1_200 };

/// Limit of sign-ups on this node, over all addresses.
pub(crate) const NEW_ACCOUNTS: Rate = Rate { every: Duration::from_secs(10), burst: 100 };

/// Ratio of the limit of small writes (read marks, removed friends, log-outs) to the limit of posts.
const SMALL_WRITES_PER_POST: u32 = 10;

/// Number of free retries of one request.
const RETRIES_MAX: u8 = 16;

/// Number of slots per rate limit. A power of two.
const SLOTS: usize = 4_096;

/// Number of requests that are remembered for free retries. A power of two.
const REQUESTS: usize = 4_096;

/// Number of sessions with a cached account. A power of two.
const SESSIONS: usize = 1_024;

const _: () = assert!(REQUESTS.is_power_of_two() && SLOTS.is_power_of_two() && SESSIONS.is_power_of_two());

/// Rate classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum RateClass {
    /// Log-in attempts per user name.
    LogIn,
    /// Password checks per account, for its logged-in owner.
    OwnerCheck,
    /// Sign-ups on this node.
    NewAccount,
    /// Croaks, messages and new friends per account.
    Post,
    /// All other writes per account.
    SmallWrite,
    /// Log-in attempts per address.
    LogInFrom,
    /// Sign-ups per address.
    NewAccountFrom,
    /// Writes per address.
    WriteFrom,
}

impl RateClass {
    /// Returns the rate class of a command per account.
    fn of_command(command: &Command) -> RateClass {
        match command.facts().rate {
            CommandRate::Post => RateClass::Post,
            CommandRate::SmallWrite => RateClass::SmallWrite,
        }
    }

    /// Returns the code of a refusal.
    fn refusal(self) -> Code {
        match self {
            RateClass::LogIn | RateClass::OwnerCheck | RateClass::LogInFrom => Code::TooManyTries,
            RateClass::NewAccount | RateClass::NewAccountFrom => Code::TooManyAccounts,
            RateClass::Post | RateClass::SmallWrite | RateClass::WriteFrom => Code::TooMuchWritten,
        }
    }
}

/// The rate limits of one node.
pub(crate) struct RateLimits {
    /// Origin of the time stamps in the slots.
    began: Instant,
    /// Secret key of the hashes.
    key: RandomState,
    /// Limit of posts per account. `None`: writes are not limited.
    posts: Option<Rate>,
    counts: Mutex<Counts>,
}

struct Counts {
    log_ins: SlotTable,
    owner_checks: SlotTable,
    new_accounts: SlotTable,
    posts: SlotTable,
    small_writes: SlotTable,
    log_ins_from: SlotTable,
    new_accounts_from: SlotTable,
    writes_from: SlotTable,
    /// Admitted requests: hash and remaining free retries. A newer request replaces an older one with the same slot.
    requests: Box<[(u64, u8)]>,
    /// Accounts of recently seen sessions.
    owners: Box<[Option<(TokenHash, AccountId)>]>,
}

impl RateLimits {
    /// Returns fresh limits. `posts_per_minute` applies to one account; 0 means no limit of writes.
    pub(crate) fn new(posts_per_minute: u32) -> RateLimits {
        let minute = Duration::from_secs(60);
        let rate = |per_minute| Rate { every: minute / per_minute, burst: per_minute };
        let posts = (posts_per_minute > 0).then(|| rate(posts_per_minute));
        let small = rate(posts_per_minute.max(1).saturating_mul(SMALL_WRITES_PER_POST));
        // Without a limit of writes the slots for writes are never used.
        let slots = if posts.is_some() { SLOTS } else { 1 };
        let counts = Counts {
            log_ins: SlotTable::new(LOG_INS, SLOTS),
            owner_checks: SlotTable::new(OWNER_CHECKS, SLOTS),
            new_accounts: SlotTable::new(NEW_ACCOUNTS, 1),
            posts: SlotTable::new(posts.unwrap_or(small), slots),
            small_writes: SlotTable::new(small, slots),
            log_ins_from: SlotTable::new(LOG_INS_OF_ADDRESS, SLOTS),
            new_accounts_from: SlotTable::new(NEW_ACCOUNTS_OF_ADDRESS, SLOTS),
            writes_from: SlotTable::new(WRITES_OF_ADDRESS, slots),
            requests: vec![(0, 0); REQUESTS].into(),
            owners: vec![None; SESSIONS].into(),
        };
        RateLimits { began: Instant::now(), key: RandomState::new(), posts, counts: Mutex::new(counts) }
    }

    /// Admits a log-in attempt. The password is part of the retry key, so another password is another attempt.
    ///
    /// # Errors
    /// `TooManyTries` when the limit is exceeded.
    pub(crate) fn log_in(&self, username: &str, id: RequestId, password: &str) -> Result<(), Code> {
        self.admit(RateClass::LogIn, username, (id.0, password))
    }

    /// Admits a password check for the logged-in owner of an account. Each of the passwords costs a hash, so all of them
    /// are part of the retry key.
    ///
    /// # Errors
    /// `TooManyTries` when the limit is exceeded.
    pub(crate) fn owner_check(
        &self,
        account: AccountId,
        id: RequestId,
        passwords: [&str; 2],
    ) -> Result<(), Code> {
        self.admit(RateClass::OwnerCheck, account, (id.0, passwords))
    }

    /// Admits a sign-up. The password costs a hash, so another password is another attempt.
    ///
    /// # Errors
    /// `TooManyAccounts` when the limit is exceeded.
    pub(crate) fn new_account(&self, id: RequestId, password: &str) -> Result<(), Code> {
        self.admit(RateClass::NewAccount, (), (id.0, password))
    }

    /// Admits a write of this account. All unknown sessions (`None`) share one allowance.
    ///
    /// # Errors
    /// `TooMuchWritten` when the limit is exceeded.
    pub(crate) fn write(
        &self,
        command: &Command,
        account: Option<AccountId>,
        id: RequestId,
    ) -> Result<(), Code> {
        self.admit(RateClass::of_command(command), account, id.0)
    }

    /// Admits a request from this address. IPv6 addresses count by their network.
    ///
    /// # Errors
    /// `TooManyTries`, `TooManyAccounts` or `TooMuchWritten` when the limit of this kind of request is exceeded.
    pub(crate) fn address(&self, from: IpAddr, ask: &Ask) -> Result<(), Code> {
        let from = address_key(from);
        match ask {
            Ask::LogIn { id, password, .. } | Ask::ResetPassword { id, password, .. } => {
                self.admit(RateClass::LogInFrom, from, (id.0, &password.0))
            }
            Ask::CreateAccount { id, form, .. } => {
                self.admit(RateClass::NewAccountFrom, from, (id.0, &form.password.0))
            }
            Ask::Write(request) if self.limits_writes() => {
                self.admit(RateClass::WriteFrom, from, request.id.0)
            }
            // `DeleteAccount`, `ChangePassword` and `Confirm` are limited per account, by `owner_check`.
            Ask::Write(_)
            | Ask::DeleteAccount { .. }
            | Ask::ChangePassword { .. }
            | Ask::Confirm { .. }
            | Ask::NodeStatus
            | Ask::Join { .. }
            | Ask::Lose { .. }
            | Ask::Transfer { .. }
            | Ask::Read { .. }
            | Ask::Subscribe { .. }
            | Ask::Renew { .. }
            | Ask::GetServer { .. }
            | Ask::History
            | Ask::Directory(_)
            | Ask::SetPassword { .. }
            | Ask::NewestKey
            | Ask::TakeKey(_)
            | Ask::Pin(_) => Ok(()),
        }
    }

    /// Returns true if writes are limited.
    pub(crate) fn limits_writes(&self) -> bool {
        self.posts.is_some()
    }

    /// Returns the account of this session from the cache. A session that has ended meanwhile still counts against its
    /// account's limit.
    pub(crate) fn owner(&self, session: TokenHash) -> Option<AccountId> {
        let slot = self.slot(session, SESSIONS);
        let counts = self.counts.locked();
        counts.owners[slot].filter(|(known, _)| *known == session).map(|(_, account)| account)
    }

    /// Caches the account of a session.
    pub(crate) fn cache_owner(&self, session: TokenHash, account: AccountId) {
        let slot = self.slot(session, SESSIONS);
        self.counts.locked().owners[slot] = Some((session, account));
    }

    fn slot(&self, what: impl Hash, slots: usize) -> usize {
        self.key.hash_one(what) as usize & (slots - 1)
    }

    fn admit(&self, class: RateClass, who: impl Hash, request: impl Hash) -> Result<(), Code> {
        let now_us = micros(self.began.elapsed());
        self.admit_at(now_us, class, self.key.hash_one((class, who)), self.key.hash_one((class, request)))
    }

    fn admit_at(&self, now_us: u64, class: RateClass, who: u64, request: u64) -> Result<(), Code> {
        let mut counts = self.counts.locked();
        let known = request as usize & (REQUESTS - 1);
        if let (its, retries) = &mut counts.requests[known]
            && *its == request
            && *retries > 0
        {
            *retries -= 1;
            return Ok(());
        }
        let table = match class {
            RateClass::LogIn => &mut counts.log_ins,
            RateClass::OwnerCheck => &mut counts.owner_checks,
            RateClass::NewAccount => &mut counts.new_accounts,
            RateClass::Post => &mut counts.posts,
            RateClass::SmallWrite => &mut counts.small_writes,
            RateClass::LogInFrom => &mut counts.log_ins_from,
            RateClass::NewAccountFrom => &mut counts.new_accounts_from,
            RateClass::WriteFrom => &mut counts.writes_from,
        };
        if !table.take(now_us, who) {
            return Err(class.refusal());
        }
        counts.requests[known] = (request, RETRIES_MAX);
        Ok(())
    }
}

/// Token buckets of one rate class, shared by all keys.
struct SlotTable {
    rate: Rate,
    slots: Box<[TokenBucket]>,
}

impl SlotTable {
    fn new(rate: Rate, slots: usize) -> SlotTable {
        SlotTable { rate, slots: vec![TokenBucket::default(); slots].into() }
    }

    /// Takes a token from both slots of the key `who` if either has one left. Returns false if neither has. A key that shares
    /// one slot with a greedy key still has its other slot.
    fn take(&mut self, now_us: u64, who: u64) -> bool {
        let mask = self.slots.len() - 1;
        let slots = [who as usize & mask, (who >> 32) as usize & mask];
        let [one, other] = slots.map(|slot| self.slots[slot]);
        let mut fuller = one.min(other);
        if fuller.take(self.rate, now_us).is_err() {
            return false;
        }
        for slot in slots {
            self.slots[slot] = self.slots[slot].max(fuller);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_net::protocol::{NewAccount, Password};

    const SECOND_US: u64 = 1_000_000;

    fn tries(limits: &RateLimits, now_us: u64, class: RateClass, who: u64, from: u64) -> usize {
        (from..).take_while(|request| limits.admit_at(now_us, class, who, 1 << 40 | request).is_ok()).count()
    }

    #[test]
    fn a_burst_is_admitted_and_then_one_per_interval() {
        let limits = RateLimits::new(60);
        let who = 0x0000_0001_0000_0002;
        assert_eq!(tries(&limits, 0, RateClass::LogIn, who, 0), 10);
        assert_eq!(limits.admit_at(9 * SECOND_US, RateClass::LogIn, who, 1 << 41), Err(Code::TooManyTries));
        assert_eq!(tries(&limits, 10 * SECOND_US, RateClass::LogIn, who, 100), 1);
        assert_eq!(tries(&limits, 35 * SECOND_US, RateClass::LogIn, who, 200), 2);
        assert_eq!(
            tries(&limits, 3_600 * SECOND_US, RateClass::LogIn, who, 300),
            10,
            "no more tokens than a burst"
        );
        // Other keys and other rate classes are unaffected.
        assert_eq!(tries(&limits, 0, RateClass::LogIn, 0x0000_0003_0000_0004, 400), 10);
        assert_eq!(tries(&limits, 0, RateClass::Post, who, 500), 60);
        assert_eq!(tries(&limits, 0, RateClass::NewAccount, who, 600), 100);
        assert_eq!(tries(&limits, 0, RateClass::NewAccount, 77, 800), 0, "shared by all keys");
    }

    #[test]
    fn retries_of_one_request_are_free_up_to_a_bound() {
        let limits = RateLimits::new(60);
        for _ in 0..=RETRIES_MAX {
            assert_eq!(limits.admit_at(0, RateClass::Post, 7, 99), Ok(()));
        }
        assert_eq!(tries(&limits, 0, RateClass::Post, 7, 0), 59, "one token was used");
        assert_eq!(
            limits.admit_at(0, RateClass::Post, 7, 99),
            Err(Code::TooMuchWritten),
            "no free retries are left"
        );
        // Another password under the same request id is another attempt.
        let guesses =
            (0..100).filter(|guess| limits.log_in("ada", RequestId(1), &format!("guess {guess}")).is_ok());
        assert_eq!(guesses.count(), 10);
        // Each other password costs a hash, so no request id makes it free.
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
            let form =
                NewAccount { name, username, email, password: Password(word(number)), invitation: None };
            limits.address(from, &Ask::CreateAccount { id: RequestId(4), submitted_at: 0, form }).is_ok()
        };
        let made = (0..1_000).filter(|number| create(*number)).count();
        assert_eq!(made, NEW_ACCOUNTS_OF_ADDRESS.burst as usize);
    }

    #[test]
    fn log_ins_of_one_address_are_limited_over_all_names() {
        let limits = RateLimits::new(60);
        let log_in = |number: u128, from: &str| {
            let ask = Ask::LogIn {
                id: RequestId(number),
                submitted_at: 0,
                username: format!("frog{number}"),
                password: Password("guess".into()),
                token: TokenHash([0; 32]),
                device: String::new(),
                app: None,
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
    fn a_flood_of_other_names_does_not_reset_a_counter() {
        let limits = RateLimits::new(60);
        assert_eq!((0..99).filter(|id| limits.log_in("ada", RequestId(*id), "guess").is_ok()).count(), 10);
        for other in 0..20_000 {
            let _ = limits.log_in(&format!("other {other}"), RequestId(other), "guess");
        }
        assert_eq!(limits.log_in("ada", RequestId(1 << 64), "guess"), Err(Code::TooManyTries));
    }

    #[test]
    fn a_key_that_shares_a_slot_with_a_greedy_key_has_another_slot() {
        let mut table = SlotTable::new(LOG_INS, SLOTS);
        let (greedy, neighbour) = (0x0000_0001_0000_0002, 0x0000_0001_0000_0003);
        while table.take(0, greedy) {}
        assert!((0..10).all(|_| table.take(0, neighbour)) && !table.take(0, neighbour));
    }

    #[test]
    fn session_owners_are_cached_and_zero_means_no_limit() {
        let limits = RateLimits::new(0);
        let (session, other) = (TokenHash([1; 32]), TokenHash([2; 32]));
        limits.cache_owner(session, AccountId(7));
        assert_eq!((limits.owner(session), limits.owner(other)), (Some(AccountId(7)), None));
        assert!(!limits.limits_writes() && RateLimits::new(60).limits_writes());
    }

    /// The messages of the codes promise a new attempt after ten seconds.
    #[test]
    fn after_ten_seconds_there_is_another_token() {
        let ten = Duration::from_secs(10);
        let slowest =
            Rate { every: Duration::from_secs(60) / crate::common::defaults::POSTS_PER_MINUTE_MIN, burst: 6 };
        assert!([LOG_INS, OWNER_CHECKS, NEW_ACCOUNTS, slowest].iter().all(|rate| rate.every <= ten));
        for code in [Code::TooManyTries, Code::TooManyAccounts, Code::TooMuchWritten] {
            assert!(code.text().contains("try again in 10 seconds"), "{code}");
        }
    }
}

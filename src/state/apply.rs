//! The one entrance for writes: remembers requests, then hands the command to the rules.
//!
//! ```text
//!                 in the window, same command      → the first outcome again, no changes
//!   request ──▶   in the window, other command     → RequestReused
//!                 born before the window,
//!                 or not before its own entry      → OutcomeUnknown
//!                 new                              → rules → changes + outcome, both remembered
//! ```
//!
//! The window: the newest `REMEMBERED_MIN` requests always, more while they are younger than
//! `REMEMBERED_AGE_MS` of the cluster's age, never more than `REMEMBERED_MAX`. A request can only have been
//! applied after the index it was born at, so one born at or after `forgotten_through` and not in the window
//! was never applied. Refusals are remembered too: a retry gets the same answer.

use super::code::{Code, Denied};
use super::command::{Command, HOME, MemberName, Outcome, Proposal, Reply};
use super::ids::{LogIndex, RequestId};
use super::limits::Bounds;
use super::rows::{
    Bookkeeping, Books, Change, Key, Order, Remembered, Requests, Table, View, WriteView, books, decode, get,
    scan,
};
use super::{leases, members, namespace, social};
use std::collections::HashMap;

/// What applying one command does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub changes: Vec<Change>,
    pub outcome: Outcome,
}

/// What rules answer: rows to change and a reply, or a refusal that changes nothing.
pub type Decision = Result<(Vec<Change>, Reply), Denied>;

/// Where in the log, and when, a command is applied. Handed to every rule.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub index: LogIndex,
    pub wall_ms: u64,
    /// The cluster's age; never falls.
    pub age_ms: u64,
}

/// Applies the command of the log entry at `index`.
///
/// # Errors
/// Only the view's: the store cannot be read.
pub fn apply<V: WriteView>(view: &V, index: LogIndex, proposal: &Proposal) -> Result<Applied, V::Error> {
    apply_within(&Bounds::REAL, view, index, proposal)
}

/// [`apply`] under other bounds than a group's, for tests.
///
/// # Errors
/// As [`apply`].
pub fn apply_within<V: WriteView>(
    bounds: &Bounds,
    view: &V,
    index: LogIndex,
    proposal: &Proposal,
) -> Result<Applied, V::Error> {
    let Proposal { stamp, request } = proposal;
    let digest = digest(&request.command);
    if let Some(first) = view.window().index_of(request.id) {
        return Ok(Applied { changes: Vec::new(), outcome: repeat(view, first, digest)? });
    }
    let before = books(view)?;
    // Born too early: it may have been applied and forgotten. Born at or after its own entry: the index is
    // another history's, and its age cannot be judged now or when it is retried.
    if request.born < before.forgotten_through || request.born >= index {
        return Ok(Applied { changes: Vec::new(), outcome: Err(Denied::new(Code::OutcomeUnknown)) });
    }
    let age_ms = stamp.age_ms.max(view.window().age_ms());
    let moment = Moment { index, wall_ms: stamp.wall_ms, age_ms };
    let mut books = before.clone();
    let (mut changes, outcome) = match decide(bounds, view, moment, &mut books, &request.command)? {
        Ok((changes, reply)) => (changes, Ok(reply)),
        Err(denied) => {
            books = before; // a refusal changes nothing
            (Vec::new(), Err(denied))
        }
    };
    let row = Remembered { id: request.id, digest, age_ms, outcome: outcome.clone() };
    changes.push(Change::put::<Requests>(&index, &row));
    forget(bounds, view, age_ms, books, &mut changes)?;
    Ok(Applied { changes, outcome })
}

/// A digest of a command that is the same on every member and for every retry.
pub fn digest(command: &Command) -> u64 {
    let bytes = postcard::to_stdvec(command).expect("commands are plain data: they always serialise");
    xxhash_rust::xxh3::xxh3_64(&bytes)
}

fn repeat<V: View>(view: &V, first: LogIndex, digest: u64) -> Result<Outcome, V::Error> {
    let Some(remembered) = get::<Requests, V>(view, &first)? else {
        let bad = super::rows::BadRow { table: Requests::ID, key: first.bytes() };
        return Err(bad.into());
    };
    if remembered.digest == digest {
        Ok(remembered.outcome)
    } else {
        Ok(Err(Denied::new(Code::RequestReused)))
    }
}

fn decide<V: View>(
    bounds: &Bounds,
    view: &V,
    moment: Moment,
    books: &mut Bookkeeping,
    command: &Command,
) -> Result<Decision, V::Error> {
    let founding = matches!(command, Command::Found { .. });
    if command.rules_level() > books.rules_level && !founding && books.rules_level > 0 {
        return Ok(Err(Denied::new(Code::TooNew)));
    }
    match command {
        Command::CreateAccount { username, name, email, password_hash } => {
            social::create_account(view, moment, username, name, email, password_hash)
        }
        Command::LogIn { account, credential_version, token } => {
            social::log_in(bounds, view, moment, *account, *credential_version, *token)
        }
        Command::LogOut { session } => social::log_out(view, moment, *session),
        Command::Croak { session, text } => social::croak(view, moment, *session, text),
        Command::AddFriend { session, username } => {
            social::add_friend(bounds, view, moment, *session, username)
        }
        Command::RemoveFriend { session, username } => {
            social::remove_friend(view, moment, *session, username)
        }
        Command::DeleteAccount { session, credential_version } => {
            social::delete_account(view, moment, *session, *credential_version)
        }
        Command::Sweep { account } => social::sweep(bounds, view, *account),
        Command::IndexCroaks => social::index_croaks(bounds, view, books),
        Command::Found { history, member } => members::found(books, *history, member),
        Command::Join { member } => members::join(view, books, HOME, member),
        Command::Describe { raft_id, address, machine, rules_level } => {
            members::describe(view, *raft_id, address, machine, *rules_level)
        }
        Command::Lose { role, id } => members::lose(view, MemberName::at_home(*role, *id)),
        Command::Drain { role, id, drained } => {
            members::drain(view, MemberName::at_home(*role, *id), *drained)
        }
        Command::Forget { raft_id } => members::forget(bounds, view, moment, *raft_id),
        Command::RaiseRules { level } => members::raise_rules(view, books, *level),
        Command::Tree(command) => namespace::change(bounds, view, moment, command),
        Command::Lease(command) => leases::change(bounds, view, moment, command),
        Command::Elsewhere { site, change } => members::elsewhere(view, books, *site, change),
    }
}

/// Forgets the oldest requests, in whole steps, once there are enough younger ones. Looks only when the count
/// passes a multiple of the step, so that most commands read nothing for it; then up to two steps go, so that
/// the window shrinks again after a burst.
fn forget<V: WriteView>(
    bounds: &Bounds,
    view: &V,
    age_ms: u64,
    books: Bookkeeping,
    changes: &mut Vec<Change>,
) -> Result<(), V::Error> {
    let step = bounds.forget_step;
    let count = view.window().len() + 1;
    if count < bounds.remembered_min + step || !count.is_multiple_of(step) {
        return Ok(());
    }
    let spare = count - bounds.remembered_min;
    let oldest = scan::<Requests, V>(view, &0, &LogIndex::MAX, Order::OldestFirst, spare.min(2 * step))?;
    let mut forgotten = 0;
    for rows in oldest.chunks_exact(step) {
        let young = rows[step - 1].1.age_ms.saturating_add(bounds.remembered_age_ms) > age_ms;
        // Looked at again only after another step's worth of requests.
        if young && count - forgotten + step <= bounds.remembered_max {
            break;
        }
        forgotten += step;
    }
    let Some((through, _)) = oldest[..forgotten].last() else { return Ok(()) };
    changes.extend(oldest[..forgotten].iter().map(|(index, _)| Change::remove::<Requests>(index)));
    // A rule of this very command may have changed the books: its changes are in `books`, and the last put wins.
    changes.push(Change::put::<Books>(&(), &Bookkeeping { forgotten_through: *through, ..books }));
    Ok(())
}

/// The remembered requests in memory: id → index of the first application. Rebuilt from the table at start,
/// kept up by [`Window::note`] with every change.
#[derive(Debug, Clone, Default)]
pub struct Window {
    index_of: HashMap<RequestId, LogIndex>,
    age_ms: u64,
}

impl Window {
    pub fn index_of(&self, id: RequestId) -> Option<LogIndex> {
        self.index_of.get(&id).copied()
    }
    pub fn len(&self) -> usize {
        self.index_of.len()
    }
    pub fn is_empty(&self) -> bool {
        self.index_of.is_empty()
    }
    /// The cluster's age at the newest remembered request.
    pub fn age_ms(&self) -> u64 {
        self.age_ms
    }

    /// Enters a row of the `Requests` table, when the window is rebuilt or a change is applied.
    pub fn remember(&mut self, index: LogIndex, row: &Remembered) {
        self.index_of.insert(row.id, index);
        self.age_ms = self.age_ms.max(row.age_ms);
    }

    /// Follows a change that is about to be applied. `before` reads the row that a removal removes.
    ///
    /// # Errors
    /// Whatever `before` answers.
    pub fn note<E>(
        &mut self,
        change: &Change,
        before: impl FnOnce(&[u8]) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<(), E> {
        match change {
            Change::Put { table, key, row } if *table == Requests::ID => {
                if let (Some(index), Some(row)) = (LogIndex::from_bytes(key), decode::<Remembered>(row)) {
                    self.remember(index, &row);
                }
            }
            Change::Remove { table, key } if *table == Requests::ID => {
                if let Some(row) = before(key)?.and_then(|bytes| decode::<Remembered>(&bytes)) {
                    self.index_of.remove(&row.id);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

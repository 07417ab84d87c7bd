//! The one entrance for writes: deduplicates requests, then dispatches the command to its rule.
//!
//! ```text
//!                 in the window, same command        → the first outcome again, no changes
//!   request ──▶   in the window, other command       → RequestReused
//!                 in the window, but refused before
//!                 this request was submitted          → as a new one
//!                 submitted before the window,
//!                 or not before its own log entry    → OutcomeUnknown
//!                 by an app beyond its scopes        → OutsideScopes, recorded
//!                 new                                → rules → changes + outcome, both recorded
//! ```
//!
//! The **deduplication window** always contains the newest `DEDUP_REQUESTS_MIN` requests. It contains more while they are
//! younger than `DEDUP_AGE_MS` of cluster age, up to `DEDUP_REQUESTS_MAX`. A request can only have been applied after
//! the index at which it was submitted. One submitted at or after `expired_through` that is not in the window was
//! therefore never applied. Refusals are recorded too, so that a retry gets the same answer. A retry is sent before its client knows
//! the outcome, so it was submitted before the refusal. What was submitted after it under the same id is tried anew, as a corrected
//! form whose program keeps its idempotency key.

use super::accounts;
use super::accounts::access;
use super::accounts::apps;
use super::accounts::registration;
use super::accounts::relations;
use super::accounts::sessions;
use super::accounts::social;
use super::audit;
use super::cluster::join_codes;
use super::cluster::leases;
use super::cluster::members;
use super::code::{Code, Denied};
use super::command::{Command, Outcome, Proposal, Request};
use super::conversation;
use super::conversation::reactions;
use super::croaks::request_record;
use super::dedup::WriteView;
use super::dedup::request_table::DedupEntry;
use super::ids::LogIndex;
use super::limits::CROAK_CHARS_MAX;
use super::messages;
use super::notices;
use super::rooms;
use super::rows::{
    Bookkeeping, Books, Change, Croaks, InlineRecord, Key, RequestRecord, Requests, Sessions, Table, View,
    get,
};
use super::rule::{ApplyContext, Bounds, Decision};
use super::tree::namespace;

/// Effect of applying one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub changes: Vec<Change>,
    pub outcome: Outcome,
}

/// Applies the command of the log entry at `index`.
///
/// # Errors
/// The view's error: the store cannot be read.
pub fn apply<V: WriteView>(view: &V, index: LogIndex, proposal: &Proposal) -> Result<Applied, V::Error> {
    apply_within(&Bounds::PRODUCTION, view, index, proposal)
}

/// [`apply`] under other bounds than the production ones, for tests.
///
/// # Errors
/// As [`apply`].
pub(crate) fn apply_within<V: WriteView>(
    bounds: &Bounds,
    view: &V,
    index: LogIndex,
    proposal: &Proposal,
) -> Result<Applied, V::Error> {
    let Proposal { stamp, request } = proposal;
    let digest = digest(&request.command);
    if let Some(first) = view.dedup_window().index_of(request.id)
        && let Some(outcome) = repeat(view, first, request, digest)?
    {
        return Ok(Applied { changes: Vec::new(), outcome });
    }
    let before = view.dedup_window().books();
    // Submitted before the window: it may have been applied and expired. Submitted at or after its own log entry: the
    // index belongs to another history, and the request's age cannot be judged now or at a retry.
    if request.submitted_at < before.expired_through || request.submitted_at >= index {
        return Ok(Applied { changes: Vec::new(), outcome: Err(Denied::new(Code::OutcomeUnknown)) });
    }
    let age_ms = stamp.age_ms.max(view.dedup_window().age_ms());
    let record = InlineRecord { id: request.id.0, digest, age_ms };
    let context = ApplyContext { index, wall_ms: stamp.wall_ms, record };
    let mut books = before;
    let session = match request.command.secret() {
        Some(token) => get::<Sessions, V>(view, &token)?.map(|session| (token, session)),
        None => None,
    };
    let needs = request.command.facts().by_app;
    let decided = match &session {
        Some((_, session)) if !sessions::permits(session, needs, age_ms) => {
            Err(Denied::new(Code::OutsideScopes))
        }
        _ => decide(bounds, view, context, &mut books, &request.command)?,
    };
    let (mut changes, outcome) = match decided {
        Ok((changes, reply)) => (changes, Ok(reply)),
        Err(denied) => {
            books = before; // a refusal changes nothing
            (Vec::new(), Err(denied))
        }
    };
    if let Some(origin) = &request.origin {
        let refused = outcome.as_ref().err().map(|denied| denied.code);
        audit::record(bounds, view, context, (origin, &request.command), refused, &mut changes)?;
    }
    // Of a secret that is no open session nothing is noted, and a refusal changes nothing.
    if let Some((token, session)) = session
        && outcome.is_ok()
    {
        sessions::note_use(context, token, session, &mut changes);
    }
    if !matches!(changes.first(), Some(Change::Put { table, .. }) if *table == Croaks::ID) {
        let row = RequestRecord { id: request.id, digest, age_ms, outcome: outcome.clone() };
        changes.push(Change::put::<Requests>(&index, &row));
    }
    expire(bounds, view, age_ms, books, &mut changes);
    Ok(Applied { changes, outcome })
}

/// Initial capacity of an encoded command's buffer: fits a croak. A longer command makes it grow.
const COMMAND_BYTES_USUAL: usize = 64 + 4 * CROAK_CHARS_MAX;

/// Returns a digest of a command that is the same on every member and for every retry.
pub fn digest(command: &Command) -> u64 {
    let room = Vec::with_capacity(COMMAND_BYTES_USUAL);
    let bytes = postcard::to_extend(command, room).expect("commands are plain data, which always serialises");
    xxhash_rust::xxh3::xxh3_64(&bytes)
}

/// Returns the outcome of a request under an id that was applied at `first`. `None` if that was a refusal which the client knew when
/// it submitted this one.
fn repeat<V: View>(
    view: &V,
    first: LogIndex,
    request: &Request,
    digest: u64,
) -> Result<Option<Outcome>, V::Error> {
    let Some(remembered) = request_record(view, first)? else {
        let bad = super::rows::BadRow { table: Requests::ID, key: first.bytes() };
        return Err(bad.into());
    };
    if remembered.outcome.is_err() && request.submitted_at >= first {
        return Ok(None);
    }
    let same = remembered.digest == digest;
    Ok(Some(if same { remembered.outcome } else { Err(Denied::new(Code::RequestReused)) }))
}

fn decide<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    books: &mut Bookkeeping,
    command: &Command,
) -> Result<Decision, V::Error> {
    let founding = matches!(command, Command::FoundCluster { .. });
    if (bounds.level_of)(command) > books.rules_level && !founding && books.rules_level > 0 {
        return Ok(Err(Denied::new(Code::TooNew)));
    }
    match command {
        Command::CreateAccount { username, name, email, password_hash, invitation } => {
            let form = (username.as_str(), name.as_str(), email.as_str());
            registration::create_account(bounds, view, context, form, password_hash, *invitation)
        }
        Command::LogIn { account, credential_version, token, device, app } => {
            social::log_in(bounds, view, context, *account, *credential_version, (*token, device), *app)
        }
        Command::LogOut { session } => social::log_out(view, *session),
        Command::Croak { session, text, reply_to, audience } => {
            conversation::croak(bounds, view, context, *session, text, *reply_to, *audience)
        }
        Command::AddFriend { session, username } => {
            social::add_friend(bounds, view, context, *session, username)
        }
        Command::RemoveFriend { session, username } => {
            social::remove_friend(bounds, view, context, *session, username)
        }
        Command::DeleteAccount { session, credential_version } => {
            social::delete_account(view, context, *session, *credential_version)
        }
        Command::Sweep { account } => social::sweep(bounds, view, books, *account),
        Command::IndexCroaks => social::index_croaks(bounds, view, books),
        Command::FoundCluster { history, member } => members::found_cluster(books, *history, member),
        Command::Join { region, member } => members::join(view, books, *region, member),
        Command::DescribeMember { raft_id, address, machine, rules_level, key } => {
            members::describe(view, *raft_id, address, machine, *rules_level, *key)
        }
        Command::MarkLost { name } => members::mark_lost(view, *name),
        Command::RemoveMember { raft_id } => members::remove(bounds, view, context, *raft_id),
        Command::RaiseKey { key } => members::raise_key(view, books, *key),
        Command::TryJoinCode { slot, nonce, proven } => {
            join_codes::record_try(view, context, *slot, *nonce, *proven)
        }
        Command::Tree(command) => namespace::change(bounds, view, context, command),
        Command::Lease(command) => leases::change(bounds, view, context, command),
        Command::Conversation(command) => reactions::change(bounds, view, context, books, command),
        Command::Message(command) => messages::change(bounds, view, context, command),
        Command::Relation(command) => relations::change(bounds, view, context, command),
        Command::Notice(command) => notices::change(bounds, view, context, command),
        Command::Room(command) => rooms::change(bounds, view, context, command),
        Command::Account(command) => accounts::change(bounds, view, context, books, command),
        Command::Access(command) => access::change(bounds, view, context, command),
        Command::App(command) => apps::change(bounds, view, context, command),
        Command::Operator(command) => accounts::operate(bounds, view, context, books, command),
        Command::Govern { session, change } => {
            accounts::govern::govern(bounds, view, context, books, *session, change)
        }
        Command::Rehash { account, credential_version, before, password_hash } => {
            accounts::rehash(view, *account, *credential_version, *before, password_hash)
        }
    }
}

/// Expires the oldest requests in whole steps, once there are enough younger ones. It acts only when the number of
/// requests passes a multiple of the step, so that it costs most commands nothing. It then expires up to two steps, so that
/// the window shrinks again after a burst.
fn expire<V: WriteView>(
    bounds: &Bounds,
    view: &V,
    age_ms: u64,
    books: Bookkeeping,
    changes: &mut Vec<Change>,
) {
    let step = bounds.expire_step;
    let count = view.dedup_window().len() + 1;
    if count < bounds.dedup_requests_min + step || !count.is_multiple_of(step) {
        return;
    }
    let spare = count - bounds.dedup_requests_min;
    let oldest: Vec<DedupEntry> = view.dedup_window().entries().take(spare.min(2 * step)).collect();
    let mut forgotten = 0;
    for entries in oldest.chunks_exact(step) {
        let young = entries[step - 1].age_ms.saturating_add(bounds.dedup_age_ms) > age_ms;
        // Too young, unless the window is over its maximum. The next attempt comes after another step of requests.
        if young && count - forgotten + step <= bounds.dedup_requests_max {
            break;
        }
        forgotten += step;
    }
    let Some(through) = oldest[..forgotten].last().map(|entry| entry.index) else { return };
    // This command may have removed a croak and put the record of its request, which expires now.
    changes.retain(|change| !records_through(change, through));
    let rows = oldest[..forgotten].iter().filter(|entry| !entry.in_croak_row);
    changes.extend(rows.map(|entry| Change::remove::<Requests>(&entry.index)));
    // The rule of this command may have changed the bookkeeping row: `books` contains its changes, and the last put wins.
    changes.push(Change::put::<Books>(&(), &Bookkeeping { expired_through: through, ..books }));
}

fn records_through(change: &Change, through: LogIndex) -> bool {
    matches!(change, Change::Put { table, key, .. }
        if *table == Requests::ID && LogIndex::from_bytes(key).is_some_and(|index| index <= through))
}

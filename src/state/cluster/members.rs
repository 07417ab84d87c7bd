//! The rules of membership: founding the cluster, joining, leaving, and updating a member's description. The Raft engine
//! decides which members vote, not these rules.
//!
//! Raft ids are assigned here and never used twice. The founder has 1.

use super::leases;
use crate::code::{Code, Denied};
use crate::command::{HOME_REGION, MemberChange, MemberName, NewMember, Reply, Role};
use crate::ids::{HistoryId, KeyId, RaftId};
use crate::limits::{ADDRESS_BYTES_MAX, MEMBERS_MAX, REGIONS_MAX, RULES_LEVEL};
use crate::rows::{self, Bookkeeping, Books, Change, Member, Members, Order, Standing, View, scan};
use crate::rule::{ApplyContext, Bounds, Decision};

const NO_SUCH_MEMBER: Denied = Denied::new(Code::NoSuchMember);

/// Returns every member, in the order of the Raft ids.
///
/// # Errors
/// The view's error.
pub fn all<V: View>(view: &V) -> Result<Vec<(RaftId, Member)>, V::Error> {
    scan::<Members, V>(view, &0, &RaftId::MAX, Order::OldestFirst, MEMBERS_MAX)
}

/// Returns the member with this Raft id.
///
/// # Errors
/// The view's error.
pub fn get<V: View>(view: &V, raft_id: RaftId) -> Result<Option<Member>, V::Error> {
    rows::get::<Members, V>(view, &raft_id)
}

/// Returns the member with this name, and its Raft id.
///
/// # Errors
/// The view's error.
pub fn named<V: View>(view: &V, name: MemberName) -> Result<Option<(RaftId, Member)>, V::Error> {
    Ok(all(view)?.into_iter().find(|(_, member)| member.member_name() == name))
}

fn enter(books: &mut Bookkeeping, raft_id: RaftId, region: u32, member: &NewMember) -> Vec<Change> {
    let NewMember { role, id, address, machine, rules_level, key } = member.clone();
    books.next_raft_id = raft_id + 1;
    let row = Member { role, id, address, machine, rules_level, standing: Standing::Wanted, region, key };
    vec![Change::put::<Members>(&raft_id, &row), Change::put::<Books>(&(), books)]
}

fn fits(member: &NewMember) -> bool {
    member.address.len() <= ADDRESS_BYTES_MAX && member.machine.len() <= ADDRESS_BYTES_MAX
}

pub(crate) fn found_cluster<E>(
    books: &mut Bookkeeping,
    history: HistoryId,
    member: &NewMember,
) -> Result<Decision, E> {
    if !fits(member) {
        return Ok(Err(Denied::new(Code::InvalidEntry)));
    }
    if books.next_raft_id != 0 {
        return Ok(Err(Denied::new(Code::MemberExists)));
    }
    books.history = history.0;
    books.rules_level = member.rules_level;
    books.key = member.key;
    Ok(Ok((enter(books, 1, HOME_REGION, member), Reply::Joined { raft_id: 1, history })))
}

/// Returns the changes that turn the membership of an old history into that of a new one: the store's own member becomes
/// the only one. It gets a Raft id that the old history never assigned and keeps its last known address. All other rows
/// stay. `key` is the key of its cluster file. This is not a command, because there is no Raft group yet that could commit one.
///
/// # Errors
/// The view's error. The refusal is `TooOld`: the store needs a later version of ribbit.
pub fn begin_history<V: View>(
    view: &V,
    history: HistoryId,
    role: Role,
    id: u32,
    key: KeyId,
) -> Result<Result<(RaftId, Vec<Change>), Denied>, V::Error> {
    let mut books = rows::books(view)?;
    if books.rules_level > RULES_LEVEL {
        return Ok(Err(Denied::new(Code::TooOld)));
    }
    let before = all(view)?;
    let name = MemberName::at_home(role, id);
    let address = before.iter().find(|(_, member)| member.member_name() == name);
    let member = NewMember {
        role,
        id,
        address: address.map(|(_, member)| member.address.clone()).unwrap_or_default(),
        machine: String::new(),
        rules_level: RULES_LEVEL,
        key,
    };
    let raft_id = books.next_raft_id.max(1);
    books.history = history.0;
    books.key = key;
    let mut changes: Vec<Change> = before.iter().map(|(id, _)| Change::remove::<Members>(id)).collect();
    changes.extend(enter(&mut books, raft_id, HOME_REGION, &member));
    Ok(Ok((raft_id, changes)))
}

pub(crate) fn join<V: View>(
    view: &V,
    books: &mut Bookkeeping,
    region: u32,
    member: &NewMember,
) -> Result<Decision, V::Error> {
    if region == 0 || region > REGIONS_MAX || !fits(member) {
        return Ok(Err(Denied::new(Code::InvalidEntry)));
    }
    if member.rules_level < books.rules_level {
        return Ok(Err(Denied::new(Code::TooOld)));
    }
    if member.key.generation < books.key.generation {
        return Ok(Err(Denied::new(Code::OldKey)));
    }
    if named(view, MemberName { role: member.role, region, id: member.id })?.is_some() {
        return Ok(Err(Denied::new(Code::MemberExists)));
    }
    if all(view)?.len() >= MEMBERS_MAX || books.next_raft_id == 0 {
        return Ok(Err(Denied::new(Code::TooManyMembers)));
    }
    let raft_id = books.next_raft_id;
    let history = HistoryId(books.history);
    Ok(Ok((enter(books, raft_id, region, member), Reply::Joined { raft_id, history })))
}

pub(crate) fn describe<V: View>(
    view: &V,
    raft_id: RaftId,
    address: &str,
    machine: &str,
    rules_level: u32,
    key: KeyId,
) -> Result<Decision, V::Error> {
    let Some(member) = get(view, raft_id)? else { return Ok(Err(NO_SUCH_MEMBER)) };
    if address.len() > ADDRESS_BYTES_MAX || machine.len() > ADDRESS_BYTES_MAX {
        return Ok(Err(Denied::new(Code::InvalidEntry)));
    }
    let described =
        Member { address: address.to_string(), machine: machine.to_string(), rules_level, key, ..member };
    Ok(Ok((vec![Change::put::<Members>(&raft_id, &described)], Reply::Done)))
}

pub(crate) fn mark_lost<V: View>(view: &V, name: MemberName) -> Result<Decision, V::Error> {
    let Some((raft_id, member)) = named(view, name)? else { return Ok(Ok((Vec::new(), Reply::Done))) };
    if member.standing == Standing::Lost {
        return Ok(Ok((Vec::new(), Reply::Stepped { more: true })));
    }
    let lost = Member { standing: Standing::Lost, ..member };
    Ok(Ok((vec![Change::put::<Members>(&raft_id, &lost)], Reply::Stepped { more: true })))
}

/// Makes a change of operators.
pub(crate) fn change<V: View>(
    view: &V,
    name: MemberName,
    change: MemberChange,
) -> Result<Decision, V::Error> {
    match change {
        MemberChange::Drain => drain(view, name, true),
        MemberChange::Undrain => drain(view, name, false),
        MemberChange::Remove { alive: _ } => mark_lost(view, name),
        // The rules do not know who leads. The backend that was asked begins the handover.
        MemberChange::Lead => {
            let member = named(view, name)?.map(|(_, member)| member);
            let may = |member: Member| member.role == Role::Backend && member.standing == Standing::Wanted;
            Ok(if member.is_some_and(may) { Ok((Vec::new(), Reply::Done)) } else { Err(NO_SUCH_MEMBER) })
        }
    }
}

fn drain<V: View>(view: &V, name: MemberName, drained: bool) -> Result<Decision, V::Error> {
    match named(view, name)? {
        Some((raft_id, member)) if member.standing != Standing::Lost => {
            let standing = if drained { Standing::Drained } else { Standing::Wanted };
            if member.standing == standing {
                return Ok(Ok((Vec::new(), Reply::Done)));
            }
            Ok(Ok((vec![Change::put::<Members>(&raft_id, &Member { standing, ..member })], Reply::Done)))
        }
        _ => Ok(Err(NO_SUCH_MEMBER)),
    }
}

pub(crate) fn remove<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    raft_id: RaftId,
) -> Result<Decision, V::Error> {
    match get(view, raft_id)? {
        Some(member) if member.standing == Standing::Lost => {
            let mut changes = leases::remove_member(bounds, view, context, raft_id)?;
            changes.push(Change::remove::<Members>(&raft_id));
            Ok(Ok((changes, Reply::Done)))
        }
        _ => Ok(Err(NO_SUCH_MEMBER)),
    }
}

pub(crate) fn raise_rules<V: View>(
    view: &V,
    books: &mut Bookkeeping,
    level: u32,
) -> Result<Decision, V::Error> {
    let understood = all(view)?.iter().all(|(_, member)| member.rules_level >= level);
    if !understood || books.next_raft_id == 0 {
        return Ok(Err(Denied::new(Code::TooNew)));
    }
    if level <= books.rules_level {
        return Ok(Ok((Vec::new(), Reply::Done)));
    }
    books.rules_level = level;
    Ok(Ok((vec![Change::put::<Books>(&(), books)], Reply::Done)))
}

/// Decides whether upgrades finish by themselves.
pub(crate) fn set_auto_finish(books: &mut Bookkeeping, auto: bool) -> Decision {
    if books.auto_finish == auto {
        return Ok((Vec::new(), Reply::Done));
    }
    books.auto_finish = auto;
    Ok((vec![Change::put::<Books>(&(), books)], Reply::Done))
}

/// Refuses the keys of the cluster before this one, which every member has to have.
pub(crate) fn raise_key<V: View>(
    view: &V,
    books: &mut Bookkeeping,
    key: KeyId,
) -> Result<Decision, V::Error> {
    let has_all = all(view)?.iter().all(|(_, member)| member.key == key);
    if !has_all || books.next_raft_id == 0 {
        return Ok(Err(Denied::new(Code::KeyNotEverywhere)));
    }
    books.key = books.key.max(key);
    Ok(Ok((vec![Change::put::<Books>(&(), books)], Reply::Done)))
}

//! The rules of belonging: founding, joining, moving. Who votes is the Raft engine's configuration, not here.
//!
//! Raft ids are handed out here and never used twice. The founder is 1.

use super::apply::Decision;
use super::code::{Code, Denied};
use super::command::{NewMember, Reply};
use super::ids::{HistoryId, RaftId};
use super::limits::{ADDRESS_BYTES_MAX, MEMBERS_MAX};
use super::rows::{Bookkeeping, Books, Change, Member, Members, Order, View, get, scan};

/// Every member, by Raft id.
pub fn all<V: View>(view: &V) -> Result<Vec<(RaftId, Member)>, V::Error> {
    scan::<Members, V>(view, &0, &RaftId::MAX, Order::OldestFirst, MEMBERS_MAX)
}

fn enter(books: &mut Bookkeeping, raft_id: RaftId, member: &NewMember) -> Vec<Change> {
    let NewMember { role, id, address, machine } = member.clone();
    books.next_raft_id = raft_id + 1;
    vec![
        Change::put::<Members>(&raft_id, &Member { role, id, address, machine }),
        Change::put::<Books>(&(), books),
    ]
}

fn fits(member: &NewMember) -> bool {
    member.address.len() <= ADDRESS_BYTES_MAX && member.machine.len() <= ADDRESS_BYTES_MAX
}

pub(super) fn found<E>(
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
    Ok(Ok((enter(books, 1, member), Reply::Joined { raft_id: 1, history })))
}

pub(super) fn join<V: View>(
    view: &V,
    books: &mut Bookkeeping,
    member: &NewMember,
) -> Result<Decision, V::Error> {
    if !fits(member) {
        return Ok(Err(Denied::new(Code::InvalidEntry)));
    }
    let members = all(view)?;
    if members.iter().any(|(_, other)| other.role == member.role && other.id == member.id) {
        return Ok(Err(Denied::new(Code::MemberExists)));
    }
    if members.len() >= MEMBERS_MAX || books.next_raft_id == 0 {
        return Ok(Err(Denied::new(Code::TooManyMembers)));
    }
    let raft_id = books.next_raft_id;
    let history = HistoryId(books.history);
    Ok(Ok((enter(books, raft_id, member), Reply::Joined { raft_id, history })))
}

pub(super) fn relocate<V: View>(view: &V, raft_id: RaftId, address: &str) -> Result<Decision, V::Error> {
    let Some(member) = get::<Members, V>(view, &raft_id)? else {
        return Ok(Err(Denied::new(Code::NoSuchUser)));
    };
    if address.len() > ADDRESS_BYTES_MAX {
        return Ok(Err(Denied::new(Code::InvalidEntry)));
    }
    let moved = Member { address: address.to_string(), ..member };
    Ok(Ok((vec![Change::put::<Members>(&raft_id, &moved)], Reply::Done)))
}

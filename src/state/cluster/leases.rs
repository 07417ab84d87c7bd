//! The rules of leases: which members and clients are alive, and the nodes that are removed when they are not.
//!
//! ```text
//!   member heard ──Register──▶ active ──End (missed heartbeats, if the version matches)──▶ inactive ──▶ Register …
//!   client ──Open──▶ active ──End or Close──▶ removed         and with it all nodes that it owns
//! ```
//!
//! The leader alone keeps time: it remembers in memory when each heartbeat came, and only its conclusion is a command. The
//! version of a lease is the index at which it began. A command that ends a lease names the version that was judged, so
//! that an owner that came back in the meantime keeps its new lease. A restarted server has a new incarnation: everything
//! the old process held is released at once.
//!
//! A backend with a lease has the file `/regions/C/slaves/N` or, one per region, the lock `/regions/C/master`, with its
//! address as content. The live chat of a person is the lock `/people/NAME/chat`.

use crate::code::{Code, Denied};
use crate::command::{LeaseCommand, Reply, Role};
use crate::ids::{LogIndex, RaftId, TokenHash};
use crate::limits::{
    ADDRESS_BYTES_MAX, LEASE_DESCRIPTION_BYTES_MAX, LEASE_MS_MAX, LEASE_MS_MIN, LEASES_PAGE_MAX,
    OWNED_NODES_MAX, REGIONS_MAX,
};
use crate::lookup::{client_of, session_account};
use crate::path::TreePath;
use crate::rows::{
    Change, Lease, LeaseTokens, Leases, Member, Members, Order, Owner, Standing, View, get, scan,
};
use crate::rule::{ApplyContext, Bounds, Decision};
use crate::tree::{Draft, owned_by};

/// Returns a page of all leases after `after`.
///
/// # Errors
/// The view's error.
pub fn page<V: View>(view: &V, after: Option<Owner>) -> Result<Vec<(Owner, Lease)>, V::Error> {
    let last = Owner::Client(LogIndex::MAX);
    let from = after.map_or(Owner::Member(0), Owner::next);
    scan::<Leases, V>(view, &from, &last, Order::OldestFirst, LEASES_PAGE_MAX)
}

/// Returns the path of a region's master lock.
pub fn master_path(region: u32) -> TreePath {
    kept(&format!("/clusters/{region}/master"))
}

fn slave_path(member: &Member) -> TreePath {
    kept(&format!("/clusters/{}/slaves/{}", member.region, member.id))
}

/// Returns the path of a person's chat lock.
pub(crate) fn chat_path(username: &str) -> TreePath {
    kept(&format!("/people/{username}/chat"))
}

fn kept(path: &str) -> TreePath {
    path.parse().expect("numbers and user names make paths")
}

pub(crate) fn change<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    command: &LeaseCommand,
) -> Result<Decision, V::Error> {
    let draft = Draft::new(bounds, view, context)?;
    match command {
        LeaseCommand::Open { token, description, lease_ms } => {
            let lease = Lease { lease_ms: *lease_ms, ..Lease::of_client(*token, description, context.index) };
            open(bounds, view, draft, *token, lease)
        }
        LeaseCommand::Close { token } => match client_of(view, *token)? {
            Some((owner, lease)) => end(view, draft, owner, &lease),
            None => Ok(Err(Denied::new(Code::LeaseOver))),
        },
        LeaseCommand::Register { raft_id, incarnation, address } => {
            register(view, draft, *raft_id, *incarnation, address)
        }
        LeaseCommand::End { owner, version, .. } => match get::<Leases, V>(view, owner)? {
            Some(lease) if lease.active && lease.version == *version => end(view, draft, *owner, &lease),
            _ => Ok(Err(Denied::new(Code::Outrun))),
        },
        LeaseCommand::Appoint { raft_id, version } => appoint(view, draft, *raft_id, *version),
        LeaseCommand::StepDown { raft_id, fence } => step_down(view, draft, *raft_id, *fence),
        LeaseCommand::EnterChat { session, token, description, take_over } => {
            let Some((account, row)) = session_account(view, *session, context.age_ms())? else {
                return Ok(Err(Denied::new(Code::NotLoggedIn)));
            };
            let lease =
                Lease { account: Some(account), ..Lease::of_client(*token, description, context.index) };
            enter_chat(bounds, view, draft, &row.username, lease, *token, *take_over)
        }
        LeaseCommand::SetRegions { regions } => set_regions(draft, *regions),
        LeaseCommand::NumberClient => Ok(number_client(draft)),
    }
}

fn set_regions<V: View>(mut draft: Draft<'_, V>, regions: u32) -> Result<Decision, V::Error> {
    if regions == 0 || regions > REGIONS_MAX {
        return Ok(Err(Denied::new(Code::InvalidEntry)));
    }
    draft.coordination.regions = regions;
    Ok(draft.finish(Reply::Done))
}

fn number_client<V: View>(mut draft: Draft<'_, V>) -> Decision {
    let id = draft.coordination.next_client;
    draft.coordination.next_client += 1;
    draft.finish(Reply::Client { id })
}

fn open<V: View>(
    bounds: &Bounds,
    view: &V,
    mut draft: Draft<'_, V>,
    token: TokenHash,
    lease: Lease,
) -> Result<Decision, V::Error> {
    if client_of(view, token)?.is_some() {
        return Ok(Err(Denied::new(Code::Outrun)));
    }
    match enter_lease(bounds, &mut draft, token, lease) {
        Ok(()) => {
            let lease = draft.context.index;
            Ok(draft.finish(Reply::Leased { lease }))
        }
        Err(denied) => Ok(Err(denied)),
    }
}

fn enter_lease<V: View>(
    bounds: &Bounds,
    draft: &mut Draft<'_, V>,
    token: TokenHash,
    lease: Lease,
) -> Result<(), Denied> {
    let odd = lease.lease_ms.is_some_and(|ms| !(LEASE_MS_MIN..=LEASE_MS_MAX).contains(&ms));
    if odd || lease.description.len() > LEASE_DESCRIPTION_BYTES_MAX {
        return Err(Denied::new(Code::InvalidEntry));
    }
    if draft.coordination.client_leases >= bounds.client_leases_max {
        return Err(Denied::new(Code::TooManyLeases));
    }
    draft.coordination.client_leases += 1;
    let opened = draft.context.index;
    draft.change(Change::put::<LeaseTokens>(&token, &opened));
    draft.change(Change::put::<Leases>(&Owner::Client(opened), &lease));
    Ok(())
}

/// Removes everything that an owner has. A client's lease is removed too; a member's stays until the caller changes it.
fn let_go<V: View>(view: &V, draft: &mut Draft<'_, V>, owner: Owner, lease: &Lease) -> Result<(), V::Error> {
    for path in owned_by(view, owner, OWNED_NODES_MAX)? {
        draft.remove(&path)?;
        // A person's folder exists only for the chat lock.
        let folder = path.parent().filter(|folder| folder.names().next() == Some("people"));
        if let Some(folder) = folder.filter(|folder| folder.depth() == 2) {
            draft.remove(&folder)?;
        }
    }
    if let Some(token) = lease.token {
        draft.change(Change::remove::<LeaseTokens>(&token));
        draft.change(Change::remove::<Leases>(&owner));
        draft.coordination.client_leases = draft.coordination.client_leases.saturating_sub(1);
    }
    Ok(())
}

fn end<V: View>(
    view: &V,
    mut draft: Draft<'_, V>,
    owner: Owner,
    lease: &Lease,
) -> Result<Decision, V::Error> {
    let_go(view, &mut draft, owner, lease)?;
    if let Owner::Member(raft_id) = owner {
        // The lease of a member that a recovered history no longer knows is removed.
        draft.change(match get::<Members, V>(view, &raft_id)? {
            Some(_) => Change::put::<Leases>(&owner, &Lease { active: false, ..lease.clone() }),
            None => Change::remove::<Leases>(&owner),
        });
    }
    Ok(draft.finish(Reply::Done))
}

fn register<V: View>(
    view: &V,
    mut draft: Draft<'_, V>,
    raft_id: RaftId,
    incarnation: u64,
    address: &str,
) -> Result<Decision, V::Error> {
    let owner = Owner::Member(raft_id);
    let member = match get::<Members, V>(view, &raft_id)? {
        Some(member) if member.standing != Standing::Lost => member,
        _ => return Ok(Err(Denied::new(Code::NoSuchMember))),
    };
    if address.len() > ADDRESS_BYTES_MAX {
        return Ok(Err(Denied::new(Code::InvalidEntry)));
    }
    if let Some(before) = get::<Leases, V>(view, &owner)? {
        let same = (before.incarnation, before.description.as_str()) == (incarnation, address);
        if before.active && same {
            return Ok(draft.finish(Reply::Done));
        }
        let_go(view, &mut draft, owner, &before)?;
    }
    let lease = Lease::of_member(incarnation, address, draft.context.index);
    draft.change(Change::put::<Leases>(&owner, &lease));
    if member.role == Role::Backend
        && let Err(denied) = draft.leave_file(&slave_path(&member), owner, address.as_bytes())?
    {
        return Ok(Err(denied));
    }
    Ok(draft.finish(Reply::Done))
}

fn appoint<V: View>(
    view: &V,
    mut draft: Draft<'_, V>,
    raft_id: RaftId,
    version: LogIndex,
) -> Result<Decision, V::Error> {
    let owner = Owner::Member(raft_id);
    let lease = get::<Leases, V>(view, &owner)?.filter(|lease| lease.active && lease.version == version);
    let member = get::<Members, V>(view, &raft_id)?.filter(|member| member.role == Role::Backend);
    let (Some(lease), Some(member)) = (lease, member) else { return Ok(Err(Denied::new(Code::Outrun))) };
    let path = master_path(member.region);
    match draft.node(&path)? {
        Some(node) if node.owner == Some(owner) => {
            return Ok(draft.finish(Reply::Fenced { fence: node.fence.unwrap_or_default() }));
        }
        Some(_) => return Ok(Err(Denied::new(Code::LockHeld))),
        None => {}
    }
    draft.remove(&slave_path(&member))?;
    if let Err(denied) = draft.make_parents(&path)? {
        return Ok(Err(denied));
    }
    let fence = draft.grant(&path, owner, lease.description.as_bytes())?;
    Ok(draft.finish(Reply::Fenced { fence }))
}

fn step_down<V: View>(
    view: &V,
    mut draft: Draft<'_, V>,
    raft_id: RaftId,
    fence: LogIndex,
) -> Result<Decision, V::Error> {
    let owner = Owner::Member(raft_id);
    let lease = get::<Leases, V>(view, &owner)?;
    let (Some(lease), Some(member)) = (lease, get::<Members, V>(view, &raft_id)?) else {
        return Ok(Err(Denied::new(Code::NoSuchMember)));
    };
    let path = master_path(member.region);
    match draft.node(&path)? {
        Some(node) if node.owner == Some(owner) && node.fence == Some(fence) => draft.remove(&path)?,
        _ => return Ok(Err(Denied::new(Code::StaleFence))),
    }
    match draft.leave_file(&slave_path(&member), owner, lease.description.as_bytes())? {
        Ok(()) => Ok(draft.finish(Reply::Done)),
        Err(denied) => Ok(Err(denied)),
    }
}

/// Returns the changes that remove the lease and nodes of a member that leaves the cluster.
pub(crate) fn remove_member<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    raft_id: RaftId,
) -> Result<Vec<Change>, V::Error> {
    let owner = Owner::Member(raft_id);
    let Some(lease) = get::<Leases, V>(view, &owner)? else { return Ok(Vec::new()) };
    let mut draft = Draft::new(bounds, view, context)?;
    let_go(view, &mut draft, owner, &lease)?;
    draft.change(Change::remove::<Leases>(&owner));
    Ok(draft.finish(Reply::Done).map_or(Vec::new(), |(changes, _)| changes))
}

fn enter_chat<V: View>(
    bounds: &Bounds,
    view: &V,
    mut draft: Draft<'_, V>,
    username: &str,
    lease: Lease,
    token: TokenHash,
    take_over: bool,
) -> Result<Decision, V::Error> {
    let path = chat_path(username);
    let held = draft.node(&path)?;
    if let Some((mine, known)) = client_of(view, token)? {
        // The same client again, perhaps through another backend.
        return Ok(match held {
            Some(node) if node.owner == Some(mine) && known.account == lease.account => {
                draft.finish(Reply::Fenced { fence: node.fence.unwrap_or_default() })
            }
            _ => Err(Denied::new(Code::LeaseOver)),
        });
    }
    if let Some(owner) = held.and_then(|node| node.owner)
        && let Some(other) = get::<Leases, V>(view, &owner)?
    {
        // A lease left over by a deleted account of the same name is simply replaced.
        if other.account == lease.account && !take_over {
            return Ok(Err(Denied::new(Code::LockHeld)));
        }
        let_go(view, &mut draft, owner, &other)?;
    }
    if let Err(denied) = enter_lease(bounds, &mut draft, token, lease) {
        return Ok(Err(denied));
    }
    if let Err(denied) = draft.make_parents(&path)? {
        return Ok(Err(denied));
    }
    let owner = Owner::Client(draft.context.index);
    let fence = draft.grant(&path, owner, &[])?;
    Ok(draft.finish(Reply::Fenced { fence }))
}

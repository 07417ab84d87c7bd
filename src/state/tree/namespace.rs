//! The rules of the lock namespace: a tree of folders, files and locks.
//!
//! ```text
//!   /clusters/1/master      lock, held by a server               managed by ribbit
//!   /clusters/1/slaves/2    file, exists while the server runs   managed by ribbit
//!   /people/ada/chat        lock, held by ada's live chat        managed by ribbit
//!   /jobs/…                 the operators' own
//! ```
//!
//! - A **lock** is a node that exists while it is held, and always has an owner. Each grant has a **fencing token**: the
//!   log index of the grant. It only rises, even if the lock was released in between.
//! - A node with an owner is removed when the owner's lease ends ([`crate::cluster::leases`]). Any other node stays until it is
//!   removed by a command.
//! - A write may carry a [`Guard`](crate::command::Guard). It is then refused unless that lock is held under that fencing token at the write's
//!   own log index. Without a guard a lock is advisory: its holder may pause for longer than its lease and write
//!   afterwards.
//! - Nodes under `/regions` and `/people` change only through the rules of leases.
//!
//! Invariants:
//!
//! - Every node except the root is in a folder. The root is a folder without a row.
//! - The count of nodes in [`Coordination`] equals the number of their rows.
//! - A node has a row in `Owned` if and only if it has an owner.
//!
//! A [`Draft`](super) collects the changes of one command and preserves the invariants.

use super::{Draft, is_kept, node};
use crate::code::{Code, Denied};
use crate::command::{Reply, TreeCommand};
use crate::limits::NODE_BYTES_MAX;
use crate::lookup::client_of;
use crate::path::TreePath;
use crate::rows::{BadRow, Key, NodeKind, Nodes, Order, Owner, Table, TreeNode, View, decode};
use crate::rule::{ApplyContext, Bounds, Decision};

pub(crate) fn change<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    command: &TreeCommand,
) -> Result<Decision, V::Error> {
    let mut draft = Draft::new(bounds, view, context)?;
    let (path, guard, lease) = match command {
        TreeCommand::MakeFolder { path, .. } => (path, None, None),
        TreeCommand::Touch { path, lease } => (path, None, *lease),
        TreeCommand::Write { path, lease, guard, .. } => (path, guard.as_ref(), *lease),
        TreeCommand::Remove { path, guard, .. } => (path, guard.as_ref(), None),
        TreeCommand::Acquire { path, lease, .. } | TreeCommand::Release { path, lease } => {
            (path, None, Some(*lease))
        }
    };
    if is_kept(path) {
        return Ok(Err(Denied::new(Code::KeptByRibbit)));
    }
    if let Some(guard) = guard {
        let held = node(view, &guard.lock)?.is_some_and(|lock| lock.fence == Some(guard.fence));
        if !held {
            return Ok(Err(Denied::new(Code::StaleFence)));
        }
    }
    let owner = match lease {
        None => None,
        Some(token) => match client_of(view, token)? {
            Some((owner, _)) => Some(owner),
            None => return Ok(Err(Denied::new(Code::LeaseOver))),
        },
    };
    match command {
        TreeCommand::MakeFolder { parents, .. } => make_folder(draft, path, *parents),
        TreeCommand::Touch { .. } => write(draft, path, &[], true, owner),
        TreeCommand::Write { content, append, .. } => write(draft, path, content, *append, owner),
        TreeCommand::Remove { recursive: false, .. } => remove_one(draft, path),
        TreeCommand::Remove { .. } => remove_all(draft, path),
        TreeCommand::Acquire { content, .. } => match owner {
            Some(owner) => acquire(draft, path, owner, content),
            None => Ok(Err(Denied::new(Code::LeaseOver))),
        },
        TreeCommand::Release { .. } => {
            match draft.node(path)? {
                None => return Ok(Err(Denied::new(Code::NotHeld))),
                Some(node) if node.kind != NodeKind::Lock => return Ok(Err(Denied::new(Code::NotALock))),
                Some(node) if node.owner != owner => return Ok(Err(Denied::new(Code::LockHeld))),
                Some(_) => draft.remove(path)?,
            }
            Ok(draft.finish(Reply::Done))
        }
    }
}

fn make_folder<V: View>(
    mut draft: Draft<'_, V>,
    path: &TreePath,
    parents: bool,
) -> Result<Decision, V::Error> {
    match draft.node(path)? {
        Some(node) if node.kind == NodeKind::Folder && parents => return Ok(draft.finish(Reply::Done)),
        Some(_) => return Ok(Err(Denied::new(Code::NodeExists))),
        None => {}
    }
    if let Err(denied) = place_for(&mut draft, path, parents)? {
        return Ok(Err(denied));
    }
    let node = TreeNode::folder(draft.context.index, draft.context.wall_ms);
    draft.put(path, node)?;
    Ok(draft.finish(Reply::Done))
}

/// Checks that the folder of a new node exists, or makes it if `parents` is set.
fn place_for<V: View>(
    draft: &mut Draft<'_, V>,
    path: &TreePath,
    parents: bool,
) -> Result<Result<(), Denied>, V::Error> {
    if parents {
        return draft.make_parents(path);
    }
    let above = match path.parent() {
        Some(folder) => draft.node(&folder)?,
        None => None,
    };
    Ok(match above {
        Some(node) if node.kind == NodeKind::Folder => Ok(()),
        Some(_) => Err(Denied::new(Code::NotAFolder)),
        None => Err(Denied::new(Code::NoSuchNode)),
    })
}

fn write<V: View>(
    mut draft: Draft<'_, V>,
    path: &TreePath,
    content: &[u8],
    append: bool,
    owner: Option<Owner>,
) -> Result<Decision, V::Error> {
    let (index, wall_ms) = (draft.context.index, draft.context.wall_ms);
    let mut node = match draft.node(path)? {
        // Touching a folder is allowed.
        Some(node) if node.kind == NodeKind::Folder && !(append && content.is_empty()) => {
            return Ok(Err(Denied::new(Code::IsFolder)));
        }
        Some(node) if node.kind == NodeKind::Lock => return Ok(Err(Denied::new(Code::IsLock))),
        Some(node) => node,
        None => {
            if let Err(denied) = place_for(&mut draft, path, false)? {
                return Ok(Err(denied));
            }
            if let Some(owner) = owner
                && draft.owns_most(owner)?
            {
                return Ok(Err(Denied::new(Code::TooManyNodes)));
            }
            TreeNode { kind: NodeKind::File, owner, ..TreeNode::folder(index, wall_ms) }
        }
    };
    if !append {
        node.content.clear();
    }
    node.content.extend_from_slice(content);
    if node.content.len() > NODE_BYTES_MAX {
        return Ok(Err(Denied::new(Code::TooMuchContent)));
    }
    (node.changed, node.changed_wall_ms) = (index, wall_ms);
    draft.put(path, node)?;
    Ok(draft.finish(Reply::Done))
}

fn remove_one<V: View>(mut draft: Draft<'_, V>, path: &TreePath) -> Result<Decision, V::Error> {
    match draft.node(path)? {
        None => return Ok(Err(Denied::new(Code::NoSuchNode))),
        Some(node) if node.kind == NodeKind::Lock => return Ok(Err(Denied::new(Code::LockHeld))),
        Some(node) if node.kind == NodeKind::Folder => {
            let (from, to) = path.keys_below();
            if !draft.view.scan(Nodes::ID, &from, &to, Order::OldestFirst, 1)?.is_empty() {
                return Ok(Err(Denied::new(Code::FolderNotEmpty)));
            }
        }
        Some(_) => {}
    }
    draft.remove(path)?;
    Ok(draft.finish(Reply::Done))
}

/// Removes the last nodes first, so that each step leaves a tree.
fn remove_all<V: View>(mut draft: Draft<'_, V>, path: &TreePath) -> Result<Decision, V::Error> {
    if draft.node(path)?.is_none() {
        return Ok(Err(Denied::new(Code::NoSuchNode)));
    }
    let (from, to) = (path.bytes(), path.key_behind());
    let step = draft.bounds.remove_step;
    let rows = draft.view.scan(Nodes::ID, &from, &to, Order::NewestFirst, step + 1)?;
    let more = rows.len() > step;
    for (key, row) in rows.into_iter().take(step) {
        let (Some(path), Some(node)) = (TreePath::from_bytes(&key), decode::<TreeNode>(&row)) else {
            return Err(BadRow { table: Nodes::ID, key }.into());
        };
        if node.kind == NodeKind::Lock {
            return Ok(Err(Denied::new(Code::LockHeld)));
        }
        draft.remove(&path)?;
    }
    Ok(draft.finish(Reply::Stepped { more }))
}

/// Grants the lock to `owner` if it is free.
pub(crate) fn acquire<V: View>(
    mut draft: Draft<'_, V>,
    path: &TreePath,
    owner: Owner,
    content: &[u8],
) -> Result<Decision, V::Error> {
    match draft.node(path)? {
        Some(node) if node.owner == Some(owner) && node.kind == NodeKind::Lock => {
            let fence = node.fence.unwrap_or_default();
            return Ok(draft.finish(Reply::Fenced { fence }));
        }
        Some(node) if node.kind == NodeKind::Lock => return Ok(Err(Denied::new(Code::LockHeld))),
        Some(node) if node.kind == NodeKind::Folder => return Ok(Err(Denied::new(Code::IsFolder))),
        Some(_) => return Ok(Err(Denied::new(Code::NotALock))),
        None => {}
    }
    if content.len() > NODE_BYTES_MAX {
        return Ok(Err(Denied::new(Code::TooMuchContent)));
    }
    if draft.owns_most(owner)? {
        return Ok(Err(Denied::new(Code::TooManyNodes)));
    }
    if let Err(denied) = draft.make_parents(path)? {
        return Ok(Err(denied));
    }
    let fence = draft.grant(path, owner, content)?;
    Ok(draft.finish(Reply::Fenced { fence }))
}

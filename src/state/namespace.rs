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
//! - A node with an owner is removed when the owner's lease ends ([`super::leases`]). Any other node stays until it is
//!   removed by a command.
//! - A write may carry a [`Guard`]. It is then refused unless that lock is held under that fencing token at the write's
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
//! A [`Draft`] collects the changes of one command and preserves the invariants.

use super::apply::{ApplyContext, Decision};
use super::code::{Code, Denied};
use super::command::Reply;
use super::ids::{LogIndex, TokenHash};
use super::leases;
use super::limits::{Bounds, NODE_BYTES_MAX};
use super::path::TreePath;
use super::rows::{
    BadRow, Change, Coordination, CoordinationRow, Key, NodeKind, Nodes, Order, Owned, Owner, Table,
    TreeNode, View, decode, get,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A change of the namespace as a client requests it. New variants go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TreeCommand {
    /// Makes a folder. `parents` also makes the folders above it, and accepts a folder that exists.
    MakeFolder {
        path: TreePath,
        parents: bool,
    },
    /// Makes an empty file, or marks an existing node as changed now.
    Touch {
        path: TreePath,
        lease: Option<TokenHash>,
    },
    /// Replaces the content of a file, or appends to it. Makes the file if there is none.
    Write {
        path: TreePath,
        content: Vec<u8>,
        append: bool,
        lease: Option<TokenHash>,
        guard: Option<Guard>,
    },
    /// Removes a node. `recursive` removes everything below it too, in steps (`Stepped { more }`). Refused while a lock
    /// in it is held.
    Remove {
        path: TreePath,
        recursive: bool,
        guard: Option<Guard>,
    },
    /// Acquires a lock and makes the folders above it. Answers `Fenced`; repeated under the same lease, it answers with
    /// the same fencing token.
    Acquire {
        path: TreePath,
        lease: TokenHash,
        content: Vec<u8>,
    },
    Release {
        path: TreePath,
        lease: TokenHash,
    },
}

/// Condition of a write: the lock must be held under this fencing token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    pub lock: TreePath,
    pub fence: LogIndex,
}

/// Returns true for paths that only ribbit itself may change.
pub fn is_kept(path: &TreePath) -> bool {
    path.is_root() || matches!(path.names().next(), Some("clusters" | "people"))
}

/// Returns the node at this path. The root always exists.
///
/// # Errors
/// The view's error.
pub fn node<V: View>(view: &V, path: &TreePath) -> Result<Option<TreeNode>, V::Error> {
    if path.is_root() {
        return Ok(Some(TreeNode::folder(0, 0)));
    }
    get::<Nodes, V>(view, path)
}

/// Returns the counts and settings of the coordination rows.
///
/// # Errors
/// The view's error.
pub fn coordination<V: View>(view: &V) -> Result<Coordination, V::Error> {
    Ok(get::<CoordinationRow, V>(view, &())?.unwrap_or_default())
}

/// Changes of one command to the tree. Later steps of the same command see the earlier ones.
pub(super) struct Draft<'a, V> {
    bounds: &'a Bounds,
    view: &'a V,
    pub context: ApplyContext,
    pub coordination: Coordination,
    before: Coordination,
    touched: BTreeMap<TreePath, Option<TreeNode>>,
    changes: Vec<Change>,
}

impl<'a, V: View> Draft<'a, V> {
    pub fn new(bounds: &'a Bounds, view: &'a V, context: ApplyContext) -> Result<Draft<'a, V>, V::Error> {
        let before = coordination(view)?;
        let coordination = before.clone();
        let (touched, changes) = (BTreeMap::new(), Vec::new());
        Ok(Draft { bounds, view, context, coordination, before, touched, changes })
    }

    pub fn node(&self, path: &TreePath) -> Result<Option<TreeNode>, V::Error> {
        match self.touched.get(path) {
            Some(node) => Ok(node.clone()),
            None => node(self.view, path),
        }
    }

    pub fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Puts a node into a folder that exists.
    pub fn put(&mut self, path: &TreePath, node: TreeNode) -> Result<(), V::Error> {
        match self.node(path)? {
            None => self.coordination.nodes += 1,
            Some(before) => self.disown(path, &before),
        }
        if let Some(owner) = node.owner {
            self.changes.push(Change::put::<Owned>(&(owner, path.clone()), &()));
        }
        self.changes.push(Change::put::<Nodes>(path, &node));
        self.touched.insert(path.clone(), Some(node));
        Ok(())
    }

    pub fn remove(&mut self, path: &TreePath) -> Result<(), V::Error> {
        if let Some(before) = self.node(path)? {
            self.disown(path, &before);
            self.changes.push(Change::remove::<Nodes>(path));
            self.coordination.nodes = self.coordination.nodes.saturating_sub(1);
            self.touched.insert(path.clone(), None);
        }
        Ok(())
    }

    fn disown(&mut self, path: &TreePath, node: &TreeNode) {
        if let Some(owner) = node.owner {
            self.changes.push(Change::remove::<Owned>(&(owner, path.clone())));
        }
    }

    /// Makes the missing folders above `path`.
    pub fn make_parents(&mut self, path: &TreePath) -> Result<Result<(), Denied>, V::Error> {
        let mut missing = Vec::new();
        let mut above = path.parent();
        while let Some(folder) = above {
            match self.node(&folder)? {
                Some(node) if node.kind == NodeKind::Folder => break,
                Some(_) => return Ok(Err(Denied::new(Code::NotAFolder))),
                None => missing.push(folder.clone()),
            }
            above = folder.parent();
        }
        let node = TreeNode::folder(self.context.index, self.context.wall_ms);
        for folder in missing.iter().rev() {
            self.put(folder, node.clone())?;
        }
        Ok(Ok(()))
    }

    /// Returns true if an owner has the maximum number of nodes.
    pub fn owns_most(&self, owner: Owner) -> Result<bool, V::Error> {
        let owned = owned_by(self.view, owner, self.bounds.owned_nodes_max)?;
        Ok(owned.len() >= self.bounds.owned_nodes_max)
    }

    /// Returns the collected changes with the reply, or refuses if they exceed the maximum number of nodes.
    pub fn finish(mut self, reply: Reply) -> Decision {
        if self.coordination.nodes > self.bounds.nodes_max && self.coordination.nodes > self.before.nodes {
            return Err(Denied::new(Code::TooManyNodes));
        }
        if self.coordination != self.before {
            self.changes.push(Change::put::<CoordinationRow>(&(), &self.coordination));
        }
        Ok((self.changes, reply))
    }
}

/// Returns the paths of an owner's nodes, at most `limit`.
///
/// # Errors
/// The view's error.
pub fn owned_by<V: View>(view: &V, owner: Owner, limit: usize) -> Result<Vec<TreePath>, V::Error> {
    let from = owner.bytes();
    let mut to = from.clone();
    to.push(u8::MAX);
    let rows = view.scan(Owned::ID, &from, &to, Order::OldestFirst, limit)?;
    rows.into_iter()
        .map(|(key, _)| match <(Owner, TreePath)>::from_bytes(&key) {
            Some((_, path)) => Ok(path),
            None => Err(BadRow { table: Owned::ID, key }.into()),
        })
        .collect()
}

pub(super) fn change<V: View>(
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
        Some(token) => match leases::client_of(view, token)? {
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
pub(super) fn acquire<V: View>(
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

impl<V: View> Draft<'_, V> {
    /// Puts a lock that is free into its existing folder and returns its fencing token.
    pub fn grant(&mut self, path: &TreePath, owner: Owner, content: &[u8]) -> Result<LogIndex, V::Error> {
        let fence = self.context.index;
        let node = TreeNode {
            kind: NodeKind::Lock,
            content: content.to_vec(),
            owner: Some(owner),
            fence: Some(fence),
            ..TreeNode::folder(fence, self.context.wall_ms)
        };
        self.put(path, node)?;
        Ok(fence)
    }

    /// Puts a file that is removed with its owner's lease, and makes the folders above it.
    pub fn leave_file(
        &mut self,
        path: &TreePath,
        owner: Owner,
        content: &[u8],
    ) -> Result<Result<(), Denied>, V::Error> {
        if let Err(denied) = self.make_parents(path)? {
            return Ok(Err(denied));
        }
        let (index, wall_ms) = (self.context.index, self.context.wall_ms);
        let content = content.to_vec();
        self.put(
            path,
            TreeNode {
                kind: NodeKind::File,
                content,
                owner: Some(owner),
                ..TreeNode::folder(index, wall_ms)
            },
        )?;
        Ok(Ok(()))
    }
}

//! The tree of the lock namespace: reading its nodes, and collecting the changes that one command makes to it.
//!
//! The rules that use it are in [`self::namespace`] and [`crate::cluster::leases`].

pub(crate) mod namespace;

use crate::code::{Code, Denied};
use crate::command::Reply;
use crate::ids::LogIndex;
use crate::path::TreePath;
use crate::rows::{
    BadRow, Change, Coordination, CoordinationRow, Key, NodeKind, Nodes, Order, Owned, Owner, Table,
    TreeNode, View, get,
};
use crate::rule::{ApplyContext, Bounds, Decision};
use std::collections::BTreeMap;

/// Returns true for paths that only ribbit itself may change.
pub(crate) fn is_kept(path: &TreePath) -> bool {
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
pub(crate) struct Draft<'a, V> {
    pub bounds: &'a Bounds,
    pub view: &'a V,
    pub context: ApplyContext,
    pub coordination: Coordination,
    before: Coordination,
    touched: BTreeMap<TreePath, Option<TreeNode>>,
    changes: Vec<Change>,
}

impl<'a, V: View> Draft<'a, V> {
    pub(crate) fn new(
        bounds: &'a Bounds,
        view: &'a V,
        context: ApplyContext,
    ) -> Result<Draft<'a, V>, V::Error> {
        let before = coordination(view)?;
        let coordination = before.clone();
        let (touched, changes) = (BTreeMap::new(), Vec::new());
        Ok(Draft { bounds, view, context, coordination, before, touched, changes })
    }

    pub(crate) fn node(&self, path: &TreePath) -> Result<Option<TreeNode>, V::Error> {
        match self.touched.get(path) {
            Some(node) => Ok(node.clone()),
            None => node(self.view, path),
        }
    }

    pub(crate) fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Puts a node into a folder that exists.
    pub(crate) fn put(&mut self, path: &TreePath, node: TreeNode) -> Result<(), V::Error> {
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

    pub(crate) fn remove(&mut self, path: &TreePath) -> Result<(), V::Error> {
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
    pub(crate) fn make_parents(&mut self, path: &TreePath) -> Result<Result<(), Denied>, V::Error> {
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
    pub(crate) fn owns_most(&self, owner: Owner) -> Result<bool, V::Error> {
        let owned = owned_by(self.view, owner, self.bounds.owned_nodes_max)?;
        Ok(owned.len() >= self.bounds.owned_nodes_max)
    }

    /// Returns the collected changes with the reply, or refuses if they exceed the maximum number of nodes.
    pub(crate) fn finish(mut self, reply: Reply) -> Decision {
        if self.coordination.nodes > self.bounds.nodes_max && self.coordination.nodes > self.before.nodes {
            return Err(Denied::new(Code::TooManyNodes));
        }
        if self.coordination != self.before {
            self.changes.push(Change::put::<CoordinationRow>(&(), &self.coordination));
        }
        Ok((self.changes, reply))
    }
}

impl<V: View> Draft<'_, V> {
    /// Puts a lock that is free into its existing folder and returns its fencing token.
    pub(crate) fn grant(
        &mut self,
        path: &TreePath,
        owner: Owner,
        content: &[u8],
    ) -> Result<LogIndex, V::Error> {
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
    pub(crate) fn leave_file(
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

/// Returns the paths of an owner's nodes, at most `limit`.
///
/// # Errors
/// The view's error.
pub(crate) fn owned_by<V: View>(view: &V, owner: Owner, limit: usize) -> Result<Vec<TreePath>, V::Error> {
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

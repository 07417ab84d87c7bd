//! Pages of the lock namespace, in tree order.
//!
//! The rows below a folder follow the folder's own row, so a page is one range scan. Everything below the requested
//! depth is skipped with one seek per folder, however many rows it has.

use crate::code::{Code, Denied};
use crate::limits::{TREE_PAGE_BYTES_MAX, TREE_PAGE_MAX};
use crate::path::TreePath;
use crate::query::TreeEntry;
use crate::rows::{BadRow, Key, Nodes, Order, Table, TreeNode, View, decode};
use crate::tree::node;

/// Returns a page of the nodes at `path` and up to `depth` names below it, in tree order, starting after `after` if it
/// is given. The second value is the `after` of the next page, if there is one.
///
/// # Errors
/// The view's error. The refusal is `NoSuchNode`: there is no node at `path`.
pub fn list<V: View>(
    view: &V,
    path: &TreePath,
    depth: Option<u8>,
    after: Option<&TreePath>,
    limit: usize,
) -> Result<Result<(Vec<TreeEntry>, Option<TreePath>), Denied>, V::Error> {
    let Some(top) = node(view, path)? else { return Ok(Err(Denied::new(Code::NoSuchNode))) };
    let deepest = depth.map_or(usize::MAX, |depth| path.depth() + usize::from(depth));
    let limit = limit.clamp(1, TREE_PAGE_MAX);
    let (mut from, to) = path.keys_below();
    let mut entries = Vec::new();
    match after.filter(|after| after.is_within(path)) {
        None => entries.push(TreeEntry { path: path.clone(), node: top }),
        Some(after) => {
            from = after.bytes();
            from.push(1);
        }
    }
    let mut bytes = 0;
    'reading: loop {
        let wanted = limit + 1 - entries.len();
        let rows = view.scan(Nodes::ID, &from, &to, Order::OldestFirst, wanted)?;
        let whole = rows.len() < wanted;
        for (key, row) in rows {
            let (Some(path), Some(node)) = (TreePath::from_bytes(&key), decode::<TreeNode>(&row)) else {
                return Err(BadRow { table: Nodes::ID, key }.into());
            };
            // Too deep: one seek skips this folder and everything in it.
            if path.depth() > deepest {
                let names: Vec<&str> = path.names().take(deepest).collect();
                let last = TreePath::root().join(&names.join("/")).unwrap_or_else(|_| path.clone());
                from = last.key_behind();
                continue 'reading;
            }
            from = key;
            from.push(1);
            bytes += node.content.len() + path.as_str().len();
            entries.push(TreeEntry { path, node });
            if entries.len() > limit || bytes > TREE_PAGE_BYTES_MAX {
                break 'reading;
            }
        }
        if whole {
            return Ok(Ok((entries, None)));
        }
    }
    if entries.len() > limit {
        entries.pop();
    }
    let more = entries.last().map(|entry| entry.path.clone());
    Ok(Ok((entries, more)))
}

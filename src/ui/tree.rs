//! The lock namespace, drawn as a tree.
//!
//! ```text
//!   /clusters
//!   └── 1/
//!       ├── master  lock, held by backend-1 (board1:10001), fence 13
//!       └── slaves/
//!           └── 2  file of backend-2 (board2:10002)
//! ```
//!
//! The name of a folder ends with a slash; an owned file or a held lock shows its holder. Names come from clients, so they are
//! escaped ([`plain`]).

use super::table::{self, Align};
use super::{plain, time};
use ribbit_state::rows::NodeKind;
use ribbit_state::{LogIndex, TreePath};

/// A node of the tree, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawnNode {
    pub path: TreePath,
    pub kind: NodeKind,
    /// Size of its content in bytes.
    pub bytes: usize,
    /// Log index at which it was created.
    pub made: LogIndex,
    /// Log index of its last change.
    pub changed: LogIndex,
    /// Wall clock at its last change, in milliseconds since 1970.
    pub changed_wall_ms: u64,
    /// Holder as text.
    pub holder: Option<String>,
    /// Fencing token of a lock.
    pub fence: Option<LogIndex>,
}

/// Returns the name of a kind of node.
pub fn kind(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Folder => "folder",
        NodeKind::File => "file",
        NodeKind::Lock => "lock",
    }
}

/// Draws nodes, the root of the drawing first, in the order of the tree. With `long`, each line begins with the kind, the size
/// in bytes, and the index and time of the last change.
pub fn draw(nodes: &[DrawnNode], long: bool) -> String {
    let Some(top) = nodes.first() else { return String::new() };
    let lines = nodes.iter().zip(branches(nodes)).map(|(node, branch)| {
        let name = if node.path == top.path { node.path.as_str() } else { node.path.name() };
        format!("{branch}{}{}", plain::line(name), notes(node))
    });
    if !long {
        return lines.map(|line| line + "\n").collect();
    }
    let rows: Vec<Vec<String>> = nodes.iter().zip(lines).map(|(node, line)| long_row(node, line)).collect();
    table::layout(&[Align::Left, Align::Right, Align::Right, Align::Left, Align::Left], &rows)
}

fn long_row(node: &DrawnNode, line: String) -> Vec<String> {
    let when = time::shown(node.changed_wall_ms).map_or_else(|| "-".to_string(), |shown| shown.people);
    vec![kind(node.kind).to_string(), node.bytes.to_string(), node.changed.to_string(), when, line]
}

fn notes(node: &DrawnNode) -> String {
    let fence = node.fence.map(|fence| format!(", fence {fence}")).unwrap_or_default();
    match (node.kind, &node.holder) {
        (NodeKind::Folder, _) if node.path.is_root() => String::new(),
        (NodeKind::Folder, _) => "/".to_string(),
        (NodeKind::File, None) => String::new(),
        (NodeKind::File, Some(holder)) => format!("  file of {holder}"),
        (NodeKind::Lock, Some(holder)) => format!("  lock, held by {holder}{fence}"),
        (NodeKind::Lock, None) => format!("  lock{fence}"),
    }
}

/// Returns the branches before each name, which depend on whether its level and those above it continue below.
fn branches(nodes: &[DrawnNode]) -> Vec<String> {
    let depth = |node: &DrawnNode| node.path.depth().saturating_sub(nodes[0].path.depth());
    // Filled from the last node upwards: true for each level that continues below the current node.
    let mut goes_on: Vec<bool> = Vec::new();
    let mut branches: Vec<String> = nodes
        .iter()
        .rev()
        .map(|node| {
            let depth = depth(node);
            goes_on.resize(depth + 1, false);
            let mut branch = String::new();
            for (level, goes_on) in goes_on.iter().enumerate().skip(1) {
                branch.push_str(match (level == depth, goes_on) {
                    (true, true) => "├── ",
                    (true, false) => "└── ",
                    (false, true) => "│   ",
                    (false, false) => "    ",
                });
            }
            goes_on[depth] = true;
            branch
        })
        .collect();
    branches.reverse();
    branches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(path: &str, kind: NodeKind) -> DrawnNode {
        let path = path.parse().unwrap();
        DrawnNode {
            path,
            kind,
            bytes: 7,
            made: 1,
            changed: 12,
            changed_wall_ms: 0,
            holder: None,
            fence: None,
        }
    }

    #[test]
    fn a_tree_is_drawn_with_the_holders() {
        let lock = DrawnNode {
            holder: Some("client 9 (x)".into()),
            fence: Some(13),
            ..node("/a/c", NodeKind::Lock)
        };
        let owned = DrawnNode { holder: Some("backend-2".into()), ..node("/d/e", NodeKind::File) };
        let nodes = [
            node("/", NodeKind::Folder),
            node("/a", NodeKind::Folder),
            node("/a/b", NodeKind::Folder),
            node("/a/b/f\u{202e}", NodeKind::File),
            lock,
            node("/d", NodeKind::Folder),
            owned,
        ];
        let drawn = "/\n├── a/\n│   ├── b/\n│   │   └── f\\u{202e}\n│   └── c  lock, held by client 9 (x), fence 13\n\
                     └── d/\n    └── e  file of backend-2\n";
        assert_eq!(draw(&nodes, false), drawn);
        assert_eq!(draw(&nodes[2..4], true), "folder  7  12  -  /a/b/\nfile    7  12  -  └── f\\u{202e}\n");
        assert_eq!(draw(&[], true), "");
    }
}

//! Commands that read the tree: `ls`, `cat`, `stat`, `test` and `holders`.

use super::commands::TestArgs;
use super::{InputSource, ShellSession};
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use crate::locks::namespace::{refused, shown};
use ribbit_state::rows::NodeKind;
use ribbit_state::{Code, Consistency, Denied, TreePath};
use ribbit_ui::table::{self, Align};
use ribbit_ui::{plain, time, tree};
use std::io::{self, IsTerminal, Write};

/// Draws the tree below a path.
pub(crate) async fn ls(
    session: &ShellSession,
    path: &TreePath,
    depth: Option<u8>,
    long: bool,
    consistency: Consistency,
) -> Result<(), Failure> {
    warn_if_stale(consistency);
    let (_, listing) = session.namespace.list(path, depth, consistency).await?;
    output::line(tree::draw(&listing.nodes, long).trim_end());
    Ok(())
}

/// Prints the content of a file or a lock.
pub(crate) async fn cat(
    session: &ShellSession,
    path: &TreePath,
    consistency: Consistency,
) -> Result<(), Failure> {
    warn_if_stale(consistency);
    let node = match session.namespace.node(path, consistency).await?.node {
        None => return Err(missing(session, path, consistency).await),
        Some(node) if node.kind == NodeKind::Folder => {
            return Err(refused(path, Denied::new(Code::IsFolder)));
        }
        Some(node) => node,
    };
    let mut out = io::stdout().lock();
    let bytes = match out.is_terminal() {
        false => node.content,
        true => {
            let mut text = plain::text(&node.content);
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.into_bytes()
        }
    };
    // A closed pipe is not a failure.
    let _ = out.write_all(&bytes).and_then(|()| out.flush());
    Ok(())
}

/// Returns the error for a missing path, which names the first part that does not exist.
async fn missing(session: &ShellSession, path: &TreePath, consistency: Consistency) -> Failure {
    let denied = Denied::new(Code::NoSuchNode);
    if consistency == Consistency::Stale {
        return refused(path, denied);
    }
    let touch = ribbit_state::TreeCommand::Touch { path: path.clone(), lease: None };
    session.namespace.refusal(&touch, denied).await
}

/// Prints the details of a path.
pub(crate) async fn stat(
    session: &ShellSession,
    path: &TreePath,
    consistency: Consistency,
) -> Result<(), Failure> {
    warn_if_stale(consistency);
    let (_, listing) = session.namespace.list(path, Some(0), consistency).await?;
    let Some(node) = listing.nodes.first() else { return Err(missing(session, path, consistency).await) };
    let when =
        time::shown(node.changed_wall_ms).map_or_else(String::new, |when| format!(", {}", when.people));
    let mut rows = vec![
        ["path", shown(&node.path).as_str()].map(String::from),
        ["kind", tree::kind(node.kind)].map(String::from),
        ["bytes".into(), node.bytes.to_string()],
        ["created".into(), format!("at index {}", node.made)],
        ["changed".into(), format!("at index {}{when}", node.changed)],
    ];
    rows.extend(node.holder.clone().map(|holder| ["owner".into(), holder]));
    rows.extend(node.fence.map(|fence| ["fence".into(), fence.to_string()]));
    let rows: Vec<Vec<String>> = rows.into_iter().map(Vec::from).collect();
    output::line(table::layout(&[Align::Left, Align::Left], &rows).trim_end());
    Ok(())
}

/// Returns exit code 0 if the path has the wanted kind, otherwise 1. A person at a terminal also sees `yes` or `no`.
pub(crate) async fn test(session: &ShellSession, line: &TestArgs) -> Result<u8, Failure> {
    let consistency = line.fresh.consistency();
    warn_if_stale(consistency);
    let kind = session.namespace.node(&line.path, consistency).await?.node.map(|node| node.kind);
    let wanted = &line.kind;
    let is = match kind {
        None => false,
        Some(NodeKind::File) => !wanted.folder && !wanted.lock,
        Some(NodeKind::Folder) => !wanted.file && !wanted.lock,
        Some(NodeKind::Lock) => !wanted.file && !wanted.folder,
    };
    if session.source == InputSource::Terminal {
        output::line(if is { "yes" } else { "no" });
    }
    Ok(if is { 0 } else { Exit::Refused as u8 })
}

/// Lists the held locks at a path and below it.
pub(crate) async fn holders(
    session: &ShellSession,
    path: &TreePath,
    consistency: Consistency,
) -> Result<(), Failure> {
    warn_if_stale(consistency);
    let (_, listing) = session.namespace.list(path, None, consistency).await?;
    let locks = listing.nodes.iter().filter(|node| node.kind == NodeKind::Lock);
    let rows: Vec<Vec<String>> = locks
        .map(|lock| {
            let fence = format!("fence {}", lock.fence.unwrap_or_default());
            vec![shown(&lock.path), lock.holder.clone().unwrap_or_default(), fence]
        })
        .collect();
    if rows.is_empty() {
        eprintln!("{}: no locks are held", shown(path));
    } else {
        output::line(table::layout(&[Align::Left, Align::Left, Align::Left], &rows).trim_end());
    }
    Ok(())
}

/// Warns on standard error that the result may be out of date. Standard output contains the content only.
pub(crate) fn warn_if_stale(consistency: Consistency) {
    if consistency == Consistency::Stale {
        eprintln!("read from one server only; this may be out of date");
    }
}

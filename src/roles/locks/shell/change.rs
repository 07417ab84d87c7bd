//! Commands that change the tree: `touch`, `mkdir`, `rm`, `write`, `acquire` and `release`.

use super::{InputSource, ShellSession};
use crate::common::editor::{self, LineEditor};
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use crate::locks::namespace::{refused, shown};
use ribbit_state::command::Guard;
use ribbit_state::limits::NODE_BYTES_MAX;
use ribbit_state::rows::NodeKind;
use ribbit_state::{Code, Consistency, Denied, Reply, TreeCommand, TreePath};
use std::io::{self, IsTerminal, Read};

/// Creates an empty file, or updates the time of its last change.
pub(crate) async fn touch(session: &ShellSession, path: TreePath) -> Result<(), Failure> {
    session.namespace.change(TreeCommand::Touch { path, lease: None }).await.map(drop)
}

/// Creates a folder, with `parents` also the missing folders above it.
pub(crate) async fn mkdir(session: &ShellSession, path: TreePath, parents: bool) -> Result<(), Failure> {
    session.namespace.change(TreeCommand::MakeFolder { path, parents }).await.map(drop)
}

/// Writes or appends the words of `text`, or for a single command without text, standard input.
pub(crate) async fn write(
    session: &ShellSession,
    path: TreePath,
    text: &[String],
    append: bool,
    guard: Option<Guard>,
) -> Result<(), Failure> {
    let content = match (text, session.source) {
        ([], InputSource::Arguments) => smol::unblock(standard_input)
            .await
            .map_err(|error| Failure::new(Exit::Refused, format!("cannot read standard input: {error}")))?,
        ([], _) => {
            let words = "the text is missing: `write PATH TEXT`; use \"\" for an empty file";
            return Err(Failure::new(Exit::Usage, words));
        }
        (words, _) => words.join(" ").into_bytes(),
    };
    // Checked here, because a longer text does not fit into a request.
    if content.len() > NODE_BYTES_MAX {
        return Err(refused(&path, Denied::new(Code::TooMuchContent)));
    }
    let write = TreeCommand::Write { path, content, append, lease: None, guard };
    session.namespace.change(write).await.map(drop)
}

/// Reads standard input, up to one byte more than a node can hold.
fn standard_input() -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    io::stdin().lock().take(NODE_BYTES_MAX as u64 + 1).read_to_end(&mut content)?;
    Ok(content)
}

/// Removes a file or a folder. Asks before removing a folder that is not empty, unless `recursive` is set.
pub(crate) async fn rm(
    session: &ShellSession,
    path: TreePath,
    recursive: bool,
    guard: Option<Guard>,
) -> Result<(), Failure> {
    let one = TreeCommand::Remove { path: path.clone(), recursive: false, guard: guard.clone() };
    if !recursive {
        match session.namespace.write(one.clone()).await? {
            (_, Ok(_)) => return Ok(()),
            (_, Err(Denied { code: Code::FolderNotEmpty, .. })) => {}
            (_, Err(denied)) => return Err(session.namespace.refusal(&one, denied).await),
        }
        if !is_meant(session, &path).await? {
            return Ok(());
        }
    }
    let all = TreeCommand::Remove { path, recursive: true, guard };
    while let Reply::Stepped { more: true } = session.namespace.change(all.clone()).await? {}
    Ok(())
}

/// Asks for a confirmation to remove a folder with everything in it. Refuses without a terminal.
async fn is_meant(session: &ShellSession, path: &TreePath) -> Result<bool, Failure> {
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if session.source == InputSource::Script || !terminal {
        let words = format!("{}: the folder is not empty; `rm -r` removes everything in it", shown(path));
        return Err(Failure::new(Exit::Refused, words));
    }
    let (_, listing) = session.namespace.list(path, None, Consistency::Linearizable).await?;
    let below = listing.nodes.len().saturating_sub(1);
    let question = format!("remove {} and everything in it ({below})? [y/N] ", shown(path));
    // Ctrl-C, Ctrl-D and a closed terminal count as no.
    let answer = LineEditor::new(None)?.ask(&question)?;
    Ok(matches!(answer, editor::LineInput::Line(line) if matches!(line.trim(), "y" | "Y" | "yes")))
}

/// Acquires a lock under the lease of the session.
pub(crate) async fn acquire(session: &ShellSession, path: TreePath) -> Result<(), Failure> {
    if session.source == InputSource::Arguments {
        return Err(only_while_it_runs("acquire", &path));
    }
    let lease = session.lease().await?;
    let acquire = TreeCommand::Acquire { path: path.clone(), lease, content: Vec::new() };
    let reply = session.namespace.change(acquire).await?;
    let Reply::Fenced { fence } = reply else { return Err(refused(&path, Denied::new(Code::NotALock))) };
    let mut held = session.held.lock().await;
    if !held.paths.contains(&path) {
        held.paths.push(path.clone());
    }
    output::line(&format!("{}: acquired, fence {fence}", shown(&path)));
    Ok(())
}

/// Releases a lock of the session.
pub(crate) async fn release(session: &ShellSession, path: TreePath) -> Result<(), Failure> {
    if session.source == InputSource::Arguments {
        return Err(only_while_it_runs("release", &path));
    }
    let lease = session.held.lock().await.lease.as_ref().map(crate::locks::lease::HeldLease::token);
    let Some(lease) = lease else {
        // This shell holds no lock. The error depends on what is at the path.
        let place = session.namespace.node(&path, Consistency::Linearizable).await?.node;
        let release = TreeCommand::Release { path: path.clone(), lease: ribbit_state::TokenHash([0; 32]) };
        let code = match place.map(|node| node.kind) {
            None => Code::NotHeld,
            Some(NodeKind::Lock) => Code::LockHeld,
            Some(_) => Code::NotALock,
        };
        return Err(session.namespace.refusal(&release, Denied::new(code)).await);
    };
    session.namespace.change(TreeCommand::Release { path: path.clone(), lease }).await?;
    session.held.lock().await.paths.retain(|held| *held != path);
    Ok(())
}

fn only_while_it_runs(verb: &str, path: &TreePath) -> Failure {
    let path = shown(path);
    let words = format!(
        "{path}: `{verb}` works only in an interactive shell or a script, because a lock is released when the shell \
         ends. To hold a lock while a command runs, use `ribbit lock {path} -- CMD`"
    );
    Failure::new(Exit::Refused, words)
}

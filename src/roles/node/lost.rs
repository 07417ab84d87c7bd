//! A store that cannot be trusted any more: damaged, or older than what it had promised.
//!
//! ```text
//!   noticed ─▶ marked (file `lost`, durable) ─▶ process ends ─▶ started again:
//!     marked ─▶ asks until the group has let the member go ─▶ store set aside, mark removed ─▶ joins as new
//! ```
//!
//! Nothing is set aside while no leader has agreed: if everybody's store is damaged, everybody's store is still
//! there. The member under its old Raft id never speaks again, so what it promised cannot be broken.
//!
//! One store is kept aside, in the folder `aside`; the next one takes its place.

use super::{Node, seeds, twin};
use crate::db::disk::{STORE_FILE, log_names, private_file};
use crate::net::client::ask_once;
use crate::net::frame::Plane;
use crate::net::protocol::{Answer, Ask};
use crate::net::secret::new_request_id;
use crate::roles::failure::{Exit, Failure};
use crate::roles::write_file;
use crate::state::{Code, Reply};
use crate::ui::plain;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The mark of a store whose member has to come back as another one.
pub const LOST: &str = "lost";
/// The mark of a store that is not to be used again: its state was not that of the others.
pub const HALTED: &str = "halted";
const ASIDE: &str = "aside";

/// One attempt, at one address.
const ASK_DEADLINE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(300);
/// A process of our name that just died may be taken for alive for a moment.
const ALIVE_PATIENCE: Duration = Duration::from_secs(10);
/// How often a member that waits says so.
const SAY_EVERY: Duration = Duration::from_secs(30);

/// Why the store in this folder is not to be used, if it was marked so.
pub fn marked(folder: &Path, mark: &str) -> Option<String> {
    match fs::read(folder.join(mark)) {
        Ok(why) if why.is_empty() => {
            Some("it was marked as not to be used, and the mark does not say why".into())
        }
        Ok(why) => Some(plain::line(&String::from_utf8_lossy(&why))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => None,
        // A mark is a mark, whatever became of what it says.
        Err(error) => Some(format!("it is marked as not to be used, and why cannot be read: {error}")),
    }
}

/// Marks the store in this folder, durably.
pub fn mark(folder: &Path, mark: &str, why: &str) -> std::io::Result<()> {
    let mut file = private_file(&folder.join(mark))?;
    file.set_len(0)?;
    file.write_all(why.as_bytes())?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

/// Sets the store aside and removes the mark, each durably.
pub fn set_aside(folder: &Path) -> std::io::Result<()> {
    let aside = folder.join(ASIDE);
    // The mark is still there: what was cut off in between begins again, with what is left to move. A log whose store is
    // gone is moved, too.
    if folder.join(STORE_FILE).exists() || !log_names(folder)?.is_empty() {
        if aside.join(STORE_FILE).exists() {
            fs::remove_dir_all(&aside)?;
        }
        write_file::make_folder(&aside)?;
        move_store(folder, &aside)?;
        File::open(&aside)?.sync_all()?;
        File::open(folder)?.sync_all()?;
    }
    fs::remove_file(folder.join(LOST))?;
    File::open(folder)?.sync_all()
}

/// Moves the log first: without the store, what is left of it belongs to nothing.
fn move_store(folder: &Path, aside: &Path) -> std::io::Result<()> {
    for name in log_names(folder)? {
        fs::rename(folder.join(&name), aside.join(&name))?;
    }
    match fs::rename(folder.join(STORE_FILE), aside.join(STORE_FILE)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Asks until the group has no member of this node's name. Waits for a leader as long as it takes.
///
/// # Errors
/// A member of this name is alive, or the group refuses.
pub async fn leave(node: &Arc<Node>) -> Result<(), Failure> {
    let started = Instant::now();
    let mut said: Option<Instant> = None;
    loop {
        for address in &node.seed_addresses() {
            let id = new_request_id();
            let ask = Ask::Lose { id, name: node.options.who(), alive: false };
            match ask_once(address, Plane::Control, &node.options.keys, ask, ASK_DEADLINE).await {
                Ok(Answer::Written { outcome: Ok(Reply::Done), .. }) => return Ok(()),
                Ok(Answer::Refused(denied)) if denied.code == Code::MemberAlive => {
                    twin::refuse_name(node).await?;
                    if started.elapsed() > ALIVE_PATIENCE {
                        let text = format!(
                            "{address} says that {} is alive: it runs elsewhere",
                            node.options.name()
                        );
                        return Err(Failure::new(Exit::Configuration, text));
                    }
                }
                Ok(Answer::Written { outcome: Err(denied), .. } | Answer::Refused(denied)) => {
                    let text = format!("{address} refuses {}: {denied}", node.options.name());
                    return Err(Failure::new(Exit::Configuration, text));
                }
                Ok(_) => {}
                Err(error) => super::join::not_answered(address, &error),
            }
        }
        if said.is_none_or(|at| at.elapsed() > SAY_EVERY) && started.elapsed() > ASK_DEADLINE {
            log::warn!(
                "waiting for a leader that lets {} go; nothing is set aside until then",
                node.options.name()
            );
            said = Some(Instant::now());
        }
        seeds::ask_around(node).await;
        smol::Timer::after(PAUSE).await;
    }
}

//! Store loss: replaces a member after its store was damaged, or is older than its promises (votes, acknowledgements).
//!
//! ```text
//!   detected ─▶ marked (file `lost`, durable) ─▶ process ends ─▶ started again:
//!     marked ─▶ asks until the cluster has removed the member ─▶ store moved aside, mark removed ─▶ joins as a new member
//! ```
//!
//! The store is not moved before a leader has agreed: if the stores of all members are damaged, all of them are still in
//! place. The old Raft id is never used again, so no promise made under it can be broken.
//!
//! One old store is kept, in the folder `aside`. The next one replaces it.

use super::{NodeState, duplicate_id_check, seeds};
use crate::common::failure::{Exit, Failure};
use crate::common::write_file;
use ribbit_db::disk::{STORE_FILE, segment_names};
use ribbit_db::files::private_file;
use ribbit_net::frame::Plane;
use ribbit_net::oneshot::ask_once;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::secret::new_request_id;
use ribbit_state::{Code, Reply};
use ribbit_ui::plain;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// File name of the mark on a lost store. Its member has to join again as a new member.
pub(crate) const LOST: &str = "lost";

/// File name of the mark on a store that is not used again because its state differed from the majority's.
pub(crate) const HALTED: &str = "halted";

/// Name of the folder that keeps the last lost store.
const ASIDE: &str = "aside";

/// Time limit of one request to one address.
const ASK_DEADLINE: Duration = Duration::from_secs(3);

/// Pause between two rounds of requests.
const PAUSE: Duration = Duration::from_millis(300);

/// Time for which the answer "that member is alive" is not final: the cluster notices a process that just died after a
/// moment only.
const ALIVE_PATIENCE: Duration = Duration::from_secs(10);

/// Interval between two log lines of a member that waits.
const SAY_EVERY: Duration = Duration::from_secs(30);

/// Returns the reason why the store in this folder must not be used, or `None` if it does not have this mark.
///
/// # Errors
/// The folder cannot be read, so it is unknown whether the mark exists.
pub(crate) fn marked(folder: &Path, mark: &str) -> io::Result<Option<String>> {
    let path = folder.join(mark);
    match path.symlink_metadata() {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        exists => exists?,
    };
    Ok(Some(match fs::read(&path) {
        Ok(why) if why.is_empty() => "it is marked as unusable, and the mark gives no reason".into(),
        Ok(why) => plain::line(&String::from_utf8_lossy(&why)),
        // The mark counts even if its text cannot be read.
        Err(error) => format!("it is marked as unusable, and the reason cannot be read: {error}"),
    }))
}

/// Marks the store in this folder, durably. `why` becomes the content of the mark.
///
/// # Errors
/// The file cannot be written or synced.
pub(crate) fn mark(folder: &Path, mark: &str, why: &str) -> io::Result<()> {
    let mut file = private_file(&folder.join(mark))?;
    file.set_len(0)?;
    file.write_all(why.as_bytes())?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

/// Moves the store aside and removes the mark `lost`, each durably. Can be repeated after a crash.
///
/// # Errors
/// A file cannot be moved, removed or synced.
pub(crate) fn set_aside(folder: &Path) -> io::Result<()> {
    let aside = folder.join(ASIDE);
    // The mark is removed last, so a move that was interrupted is repeated with the remaining files. Log segments without a
    // store file are moved too.
    if folder.join(STORE_FILE).exists() || !segment_names(folder)?.is_empty() {
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

/// Moves the log segments first: log segments that stayed behind without the store file would belong to no store.
fn move_store(folder: &Path, aside: &Path) -> io::Result<()> {
    for name in segment_names(folder)? {
        fs::rename(folder.join(&name), aside.join(&name))?;
    }
    match fs::rename(folder.join(STORE_FILE), aside.join(STORE_FILE)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Asks until the cluster has no member of this node's role and number. Waits for a leader without a time limit.
///
/// # Errors
/// `Configuration` when such a member is alive elsewhere, or the cluster refuses the request.
pub(crate) async fn leave(node: &Arc<NodeState>) -> Result<(), Failure> {
    let started = Instant::now();
    let mut said: Option<Instant> = None;
    loop {
        for address in &node.seed_addresses() {
            let id = new_request_id();
            let ask = Ask::Lose { id, name: node.options.member_name() };
            match ask_once(address, Plane::Control, &node.options.keys, ask, ASK_DEADLINE).await {
                Ok(Answer::Written { outcome: Ok(Reply::Done), .. }) => return Ok(()),
                Ok(Answer::Refused(denied)) if denied.code == Code::MemberAlive => {
                    duplicate_id_check::refuse_duplicate_id(node).await?;
                    if started.elapsed() > ALIVE_PATIENCE {
                        let text = format!(
                            "{} is already running elsewhere, according to {address}. Stop that server first",
                            node.options.name()
                        );
                        return Err(Failure::new(Exit::Configuration, text));
                    }
                }
                Ok(Answer::Written { outcome: Err(denied), .. } | Answer::Refused(denied)) => {
                    let text = format!("{address} refused {}: {denied}", node.options.name());
                    return Err(Failure::new(Exit::Configuration, text));
                }
                Ok(_) => {}
                Err(error) => seeds::not_answered(address, &error),
            }
        }
        if said.is_none_or(|at| at.elapsed() > SAY_EVERY) && started.elapsed() > ASK_DEADLINE {
            log::warn!(
                "waiting for a leader to remove the old {}; its store stays in place until then",
                node.options.name()
            );
            said = Some(Instant::now());
        }
        seeds::ask_around(node).await;
        smol::Timer::after(PAUSE).await;
    }
}

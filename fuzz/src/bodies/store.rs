//! A store's main file with some of its bytes changed. A member that begins on it serves, or says that it is damaged; it
//! does not end the same way at every start.
//!
//! redb trusts its pages, and panics on some that cannot be; `ribbit::db::reading` takes that for damage, as it does in
//! a real process, so here such a panic is no finding. What runs for ever, or asks for all memory, or ends one life
//! after the other, is.

use super::Parts;
use super::journal::FOUNDED;
use super::memory::{MemoryDisk, Name};
use ribbit::db::snapshot::digest;
use ribbit::db::{DbError, EntryKind, LogEntry, Store, Which, reading};
use ribbit::state::command::{Command, Proposal, Request, Stamp};
use ribbit::state::{RequestId, TokenHash};

/// A store that is opened again heals, or is found out.
const LIVES_MAX: usize = 3;

pub fn run(data: &[u8]) {
    let disk = FOUNDED.copy();
    let mut file = disk.bytes(Name::Store(Which::Main));
    let mut parts = Parts(data);
    while !parts.is_empty() {
        let at = parts.number() as usize % file.len();
        let bytes = parts.part();
        let end = (at + bytes.len()).min(file.len());
        file[at..end].copy_from_slice(&bytes[..end - at]);
    }
    disk.put(Name::Store(Which::Main), file);
    assert!((0..LIVES_MAX).any(|_| !ends_in_panic(&disk)), "it ends the same way at every start");
}

/// Whether a life on this disk ends in a panic before it has served anybody.
fn ends_in_panic(disk: &MemoryDisk) -> bool {
    let Ok(mut store) = Store::open(disk.clone()) else { return false };
    match reading(|| serve(&mut store)) {
        Err(DbError::Damaged(why)) if why.contains("panicked") => {
            // Nothing of it reaches the disk any more: a real process is gone at this moment.
            let _ = reading(move || {
                disk.cut();
                drop(store);
                Ok(())
            });
            disk.mend();
            true
        }
        // Closing writes, and may meet what serving did not: then this is how the process ends when it is told to.
        _ => {
            let _ = reading(move || {
                drop(store);
                Ok(())
            });
            false
        }
    }
}

/// Everything is read, and a little is written.
fn serve(store: &mut Store) -> Result<(), DbError> {
    digest(&store.reader())?;
    let loaded = store.loaded()?;
    let index = loaded.last.index + 1;
    let command = Command::LogOut { session: TokenHash([1; 32]) };
    let request = Request { id: RequestId(index.into()), born: loaded.last.index, command };
    let proposal = Proposal { stamp: Stamp { wall_ms: 0, age_ms: store.reader().age_ms() }, request };
    let data = postcard::to_stdvec(&proposal).expect("plain data");
    let entry = LogEntry { index, term: loaded.last.term.max(1), kind: EntryKind::Normal, data };
    store.append(std::slice::from_ref(&entry), None)?;
    if loaded.applied.index + 1 == index {
        store.apply(&[entry], None)?;
    }
    store.checkpoint()
}

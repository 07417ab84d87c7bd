//! A store's main file with some of its bytes changed. A member that begins on it serves, or says that it is damaged; it
//! does not end the same way at every start.
//!
//! redb trusts its pages, and panics on some that cannot be; a real process takes that for damage, marks the store, and comes
//! back without it, so here such a panic is no finding. One of ours is, and what runs for ever, or asks for all memory.

use super::Parts;
use super::journal::FOUNDED;
use super::memory::{MemoryDisk, Name};
use ribbit_db::snapshot::digest;
use ribbit_db::{DbError, EntryKind, LogEntry, Store, StoreFile, catch_read_panics, is_damage};
use ribbit_state::command::{Command, Proposal, Request, Stamp};
use ribbit_state::{RequestId, TokenHash};
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

pub fn run(data: &[u8]) {
    let disk = FOUNDED.copy();
    let mut file = disk.bytes(Name::Store(StoreFile::Main));
    let mut parts = Parts(data);
    while !parts.is_empty() {
        let at = parts.number() as usize % file.len();
        let bytes = parts.part();
        let end = (at + bytes.len()).min(file.len());
        file[at..end].copy_from_slice(&bytes[..end - at]);
    }
    disk.put(Name::Store(StoreFile::Main), file);
    NOTING.call_once(note_what_panics);
    live(&disk);
}

static NOTING: Once = Once::new();

thread_local! {
    /// True if the newest panic of this thread was caused by damage, by the rule of a real process.
    static DAMAGE: Cell<bool> = const { Cell::new(false) };
}

fn note_what_panics() {
    let say = panic::take_hook();
    panic::set_hook(Box::new(move |what| {
        DAMAGE.set(is_damage(what));
        if !is_damage(what) {
            say(what);
        }
    }));
}

/// A life on this disk.
fn live(disk: &MemoryDisk) {
    let Ok(mut store) = Store::open(disk.clone()) else { return };
    if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(|| serve(&mut store))) {
        if !DAMAGE.get() {
            panic::resume_unwind(panic);
        }
        // A real process is gone at this moment: nothing of it reaches the disk any more.
        disk.cut();
    }
    // Closing writes, and may meet what serving did not.
    let _ = catch_read_panics(move || {
        drop(store);
        Ok(())
    });
}

/// Everything is read, and a little is written.
fn serve(store: &mut Store) -> Result<(), DbError> {
    digest(&store.reader())?;
    let loaded = store.loaded()?;
    let index = loaded.last.index + 1;
    let command = Command::LogOut { session: TokenHash([1; 32]) };
    let request =
        Request { id: RequestId(index.into()), submitted_at: loaded.last.index, origin: None, command };
    let proposal = Proposal { stamp: Stamp { wall_ms: 0, age_ms: store.reader().age_ms() }, request };
    let data = postcard::to_stdvec(&proposal).expect("plain data");
    let entry = LogEntry { index, term: loaded.last.term.max(1), kind: EntryKind::Normal, data: data.into() };
    store.append(std::slice::from_ref(&entry), None)?;
    if loaded.applied.index + 1 == index {
        store.apply(&[entry], None)?;
    }
    store.checkpoint()
}

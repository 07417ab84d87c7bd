//! The writer's side of a store: one owner, one transaction at a time.
//!
//! ```text
//!   open ──▶ Store ──▶ append(entries, hard state)   one durable commit
//!                 ├──▶ apply(entries)                one commit without fsync, answers outcomes
//!                 ├──▶ identify(identity)            once, when the node founds or joins
//!                 └──▶ install(snapshot)             another file takes this one's place
//! ```

use super::limits::{LOG_CUT_STEP, LOG_KEEP_ENTRIES, LOG_KEEP_STRETCH};
use super::planted::{Bug, planted};
use super::read::{ApplyView, LOG, META, ROWS, Reader, RowsView, Shared, row_key};
use super::record::{
    Configuration, EntryKind, HardState, Identity, LogEntry, Position, seal, seal_record, unseal,
    unseal_record,
};
use super::{DbError, Disk, Which};
use crate::state::apply::Window;
use crate::state::command::{NewMember, Proposal};
use crate::state::events::{Happening, happened};
use crate::state::ring::Ring;
use crate::state::rows::{
    Books, Change, Croaks, Members, Order, Requests, Table as StateTable, View, books, scan,
};
use crate::state::{LogIndex, Outcome, RequestId, limits as state_limits};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, Table};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

const IDENTITY: &str = "identity";
const JOINING: &str = "joining";
const HARD_STATE: &str = "hard";
const APPLIED: &str = "applied";
const CONFIGURATION: &str = "configuration";
/// The position just before the log's first entry.
const FLOOR: &str = "floor";

/// What became of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedEntry {
    pub index: LogIndex,
    pub id: RequestId,
    pub outcome: Outcome,
    /// Whether the list of members is another one now.
    pub changed_members: bool,
    /// What live readers are told.
    pub happened: Option<Happening>,
}

/// What a store holds when it is opened: where a node begins.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    pub identity: Option<Identity>,
    pub hard_state: HardState,
    pub applied: Position,
    pub configuration: Configuration,
    pub floor: Position,
    pub last: Position,
}

pub struct Store {
    disk: Arc<dyn Disk>,
    shared: Arc<Shared>,
    identity: Option<Identity>,
    floor: Position,
    last: Position,
    applied: Position,
    /// As of the last durable commit: the log is never cut past it.
    applied_durable: LogIndex,
    log_keep_entries: u64,
    /// Somebody who catches up still needs what follows this.
    log_wanted: LogIndex,
}

impl Store {
    /// Opens the main file, or makes an empty one.
    ///
    /// # Errors
    /// Fatal: it cannot be read, is damaged, or another process has it open.
    pub fn open(disk: impl Disk) -> Result<Store, DbError> {
        disk.discard_incoming()?;
        let database = disk.open(Which::Main)?;
        make_tables(&database)?;
        let shared = Arc::new(Shared {
            database: RwLock::new(Arc::new(database)),
            ring: RwLock::default(),
            window: RwLock::default(),
            applied: AtomicU64::new(0),
            age_ms: AtomicU64::new(0),
        });
        let mut store = Store {
            disk: Arc::new(disk),
            shared,
            identity: None,
            floor: Position::default(),
            last: Position::default(),
            applied: Position::default(),
            applied_durable: 0,
            log_keep_entries: LOG_KEEP_ENTRIES,
            log_wanted: LogIndex::MAX,
        };
        store.load()?;
        Ok(store)
    }

    /// Keeps fewer or more entries behind the applied index; for tests of catching up by snapshot.
    pub fn set_log_keep_entries(&mut self, entries: u64) {
        self.log_keep_entries = entries;
    }

    /// From now on the log keeps what follows `index` for those who catch up, within `LOG_KEEP_STRETCH`.
    pub fn want_log_behind(&mut self, index: LogIndex) {
        self.log_wanted = index;
    }

    pub fn reader(&self) -> Reader {
        Reader { shared: self.shared.clone() }
    }

    fn database(&self) -> Arc<Database> {
        self.shared.database.read().expect("no writer panics while it holds this lock").clone()
    }

    /// Fills everything that is kept in memory from the file.
    fn load(&mut self) -> Result<(), DbError> {
        let loaded = self.loaded()?;
        let view = self.reader().view()?;
        let window = if planted(Bug::AppliedTwice) { Window::default() } else { load_window(&view)? };
        let age_ms = window.age_ms();
        *self.shared.window.write().expect("no reader panics while it holds this lock") = window;
        *self.shared.ring.write().expect("no writer panics while it holds this lock") = load_ring(&view)?;
        self.identity = loaded.identity;
        self.floor = loaded.floor;
        self.last = loaded.last;
        self.applied = loaded.applied;
        self.applied_durable = loaded.applied.index;
        self.shared.age_ms.store(age_ms, Ordering::Release);
        self.shared.applied.store(loaded.applied.index, Ordering::Release);
        Ok(())
    }

    /// What the file holds, as a node needs it to begin.
    ///
    /// # Errors
    /// Fatal: it cannot be read.
    pub fn loaded(&self) -> Result<Loaded, DbError> {
        let transaction = self.database().begin_read()?;
        let meta = transaction.open_table(META)?;
        let floor: Position = read_meta(&meta, FLOOR)?.unwrap_or_default();
        let last = match transaction.open_table(LOG)?.last()? {
            Some((index, value)) => {
                let entry: LogEntry = unseal_record(&index.value().to_be_bytes(), value.value())?;
                Position { index: entry.index, term: entry.term }
            }
            None => floor,
        };
        let applied: Position = read_meta(&meta, APPLIED)?.unwrap_or_default();
        let mut hard_state: HardState = read_meta(&meta, HARD_STATE)?.unwrap_or_default();
        // Commits alone are not worth a write: what was applied was committed.
        hard_state.commit = hard_state.commit.max(applied.index);
        if hard_state.commit > last.index {
            return Err(DbError::Damaged(format!(
                "the log ends at {} but {} was committed",
                last.index, hard_state.commit
            )));
        }
        Ok(Loaded {
            identity: read_meta(&meta, IDENTITY)?,
            hard_state,
            applied,
            configuration: read_meta(&meta, CONFIGURATION)?.unwrap_or_default(),
            floor,
            last,
        })
    }

    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// What this store asks to join with: kept as it was said first, so that asking again after a crash, from
    /// another address or after the machine was started anew, is the same request. Where it is reached now the
    /// others learn once it belongs.
    ///
    /// # Errors
    /// Fatal: the store cannot be written.
    pub fn joining(
        &mut self,
        fresh: RequestId,
        member: NewMember,
    ) -> Result<(RequestId, NewMember), DbError> {
        let database = self.database();
        let kept = read_meta::<(RequestId, NewMember)>(&database.begin_read()?.open_table(META)?, JOINING)?;
        if let Some(kept) = kept
            && (kept.1.role, kept.1.id) == (member.role, member.id)
        {
            return Ok(kept);
        }
        let joining = (fresh, member);
        let transaction = database.begin_write()?;
        write_meta(&mut transaction.open_table(META)?, JOINING, &joining)?;
        transaction.commit()?;
        Ok(joining)
    }

    /// The next asking is another request.
    ///
    /// # Errors
    /// Fatal: the store cannot be written.
    pub fn not_joining(&mut self) -> Result<(), DbError> {
        let transaction = self.database().begin_write()?;
        transaction.open_table(META)?.remove(JOINING)?;
        transaction.commit()?;
        Ok(())
    }

    /// Writes who this store belongs to. A founder's log begins behind index 1, where its configuration lies:
    /// whoever joins is behind the floor and gets that configuration with a snapshot.
    ///
    /// # Errors
    /// Fatal: the store cannot be written.
    pub fn identify(&mut self, identity: Identity, founded: Option<&Configuration>) -> Result<(), DbError> {
        let start = Position { index: 1, term: 1 };
        let transaction = self.database().begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            write_meta(&mut meta, IDENTITY, &identity)?;
            if let Some(configuration) = founded {
                write_position(&mut meta, start, configuration)?;
                write_meta(&mut meta, FLOOR, &start)?;
                write_meta(&mut meta, HARD_STATE, &HardState { term: 1, vote: 0, commit: 1 })?;
            }
        }
        transaction.commit()?;
        self.load()
    }

    /// Appends entries (cutting off what conflicts) and writes the hard state: one durable commit. Cuts the
    /// log's head too when it has grown long enough.
    ///
    /// # Errors
    /// Fatal: the store cannot be written.
    pub fn append(&mut self, entries: &[LogEntry], hard_state: Option<HardState>) -> Result<(), DbError> {
        let transaction = self.database().begin_write()?;
        {
            let mut log = transaction.open_table(LOG)?;
            if let Some(first) = entries.first()
                && first.index <= self.last.index
            {
                log.retain_in(first.index.., |_, _| false)?;
            }
            for entry in entries {
                let key = entry.index.to_be_bytes();
                log.insert(entry.index, seal_record(&key, entry).as_slice())?;
                self.last = Position { index: entry.index, term: entry.term };
            }
            let keep = self.log_keep_entries;
            let least = self.applied_durable.saturating_sub(keep.saturating_mul(LOG_KEEP_STRETCH));
            let through = self.applied_durable.saturating_sub(keep).min(self.log_wanted.max(least));
            let floor = cut_head(&mut log, self.floor, through, LOG_CUT_STEP.min(keep.max(1)))?;
            let mut meta = transaction.open_table(META)?;
            if floor != self.floor {
                write_meta(&mut meta, FLOOR, &floor)?;
                self.floor = floor;
            }
            if let Some(hard_state) = hard_state {
                write_meta(&mut meta, HARD_STATE, &hard_state)?;
            }
        }
        transaction.commit()?;
        self.applied_durable = self.applied.index;
        Ok(())
    }

    /// The position just before the first entry of the log.
    pub fn floor(&self) -> Position {
        self.floor
    }

    /// The newest applied position.
    pub fn applied(&self) -> Position {
        self.applied
    }

    /// Applies committed entries through the rules, with the configurations that took effect among them: one
    /// commit without fsync. Entries at or below the applied index are passed over.
    ///
    /// # Errors
    /// Fatal: the store cannot be read or written, or an entry cannot be understood.
    pub fn apply(
        &mut self,
        entries: &[LogEntry],
        configuration: Option<&Configuration>,
    ) -> Result<Vec<AppliedEntry>, DbError> {
        let mut transaction = self.database().begin_write()?;
        transaction.set_durability(Durability::None)?;
        let mut outcomes = Vec::with_capacity(entries.len());
        let mut noted = Vec::new();
        let shared = self.shared.clone();
        let mut window = shared.window.write().expect("no reader panics while it holds this lock");
        {
            let mut rows = transaction.open_table(ROWS)?;
            let before = self.applied.index;
            for entry in entries.iter().filter(|entry| entry.index > before) {
                self.applied = Position { index: entry.index, term: entry.term };
                if entry.kind == EntryKind::Normal && !entry.data.is_empty() {
                    outcomes.push(apply_entry(&mut rows, &mut window, entry, &mut noted)?);
                }
            }
            let mut meta = transaction.open_table(META)?;
            write_meta(&mut meta, APPLIED, &self.applied)?;
            if let Some(configuration) = configuration {
                write_meta(&mut meta, CONFIGURATION, configuration)?;
            }
        }
        transaction.commit()?;
        let mut ring = self.shared.ring.write().expect("no reader panics while it holds this lock");
        noted.iter().for_each(|change| ring.note(change));
        drop(ring);
        self.shared.age_ms.store(window.age_ms(), Ordering::Release);
        self.shared.applied.store(self.applied.index, Ordering::Release);
        Ok(outcomes)
    }

    /// The store's disk, for a `SnapshotWriter`.
    pub fn disk(&self) -> Arc<dyn Disk> {
        self.disk.clone()
    }

    /// The incoming file, complete and checked, takes the main one's place, with this node's own identity and
    /// hard state.
    ///
    /// # Errors
    /// Fatal: it cannot be read or written.
    pub fn install(&mut self, hard_state: HardState) -> Result<(), DbError> {
        let incoming = self.disk.open(Which::Incoming)?;
        let transaction = incoming.begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            let Some(applied) = read_meta::<Position>(&meta, APPLIED)? else {
                return Err(DbError::Damaged("a snapshot without a position".into()));
            };
            write_meta(&mut meta, FLOOR, &applied)?;
            write_meta(&mut meta, HARD_STATE, &hard_state)?;
            if let Some(identity) = &self.identity {
                write_meta(&mut meta, IDENTITY, identity)?;
            }
        }
        transaction.commit()?;
        drop(incoming);
        self.disk.promote_incoming()?;
        let database = self.disk.open(Which::Main)?;
        *self.shared.database.write().expect("no reader panics while it holds this lock") =
            Arc::new(database);
        self.load()
    }
}

pub(super) fn make_tables(database: &Database) -> Result<(), DbError> {
    let transaction = database.begin_read()?;
    if transaction.open_table(META).is_ok() {
        return Ok(());
    }
    drop(transaction);
    let transaction = database.begin_write()?;
    transaction.open_table(LOG)?;
    transaction.open_table(ROWS)?;
    transaction.open_table(META)?;
    transaction.commit()?;
    Ok(())
}

pub(super) fn read_meta<R: DeserializeOwned>(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<Option<R>, DbError> {
    match meta.get(name)? {
        None => Ok(None),
        Some(value) => unseal_record(name.as_bytes(), value.value()).map(Some),
    }
}

fn write_meta<R: Serialize>(
    meta: &mut Table<'_, &'static str, &'static [u8]>,
    name: &str,
    record: &R,
) -> Result<(), DbError> {
    meta.insert(name, seal_record(name.as_bytes(), record).as_slice())?;
    Ok(())
}

pub(super) fn write_position(
    meta: &mut Table<'_, &'static str, &'static [u8]>,
    applied: Position,
    configuration: &Configuration,
) -> Result<(), DbError> {
    write_meta(meta, APPLIED, &applied)?;
    write_meta(meta, CONFIGURATION, configuration)
}

pub(super) fn read_position(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<(Position, Configuration), DbError> {
    Ok((read_meta(meta, APPLIED)?.unwrap_or_default(), read_meta(meta, CONFIGURATION)?.unwrap_or_default()))
}

/// Cuts the log's head through this index, at most `LOG_CUT_STEP` entries, once there is a step to cut.
fn cut_head(
    log: &mut Table<'_, u64, &'static [u8]>,
    floor: Position,
    through: LogIndex,
    step: u64,
) -> Result<Position, DbError> {
    if through.saturating_sub(floor.index) < step {
        return Ok(floor);
    }
    let mut cut = floor;
    while cut.index < through && cut.index < floor.index + LOG_CUT_STEP {
        let Some((index, value)) = log.pop_first()? else { break };
        let entry: LogEntry = unseal_record(&index.value().to_be_bytes(), value.value())?;
        cut = Position { index: entry.index, term: entry.term };
    }
    Ok(cut)
}

fn apply_entry(
    rows: &mut Table<'_, &'static [u8], &'static [u8]>,
    window: &mut Window,
    entry: &LogEntry,
    noted: &mut Vec<Change>,
) -> Result<AppliedEntry, DbError> {
    let proposal: Proposal = postcard::from_bytes(&entry.data).map_err(|_| {
        DbError::Damaged(format!("log entry {} holds no command this version knows", entry.index))
    })?;
    let applied = crate::state::apply(&ApplyView { rows: &*rows, window: &*window }, entry.index, &proposal)?;
    let happened = happened(&proposal.request.command, &applied);
    let mut changed_members = false;
    for change in applied.changes {
        window.note(&change, |key| {
            let key = row_key(Requests::ID, key);
            match rows.get(key.as_slice())? {
                None => Ok(None),
                Some(value) => Ok::<_, DbError>(Some(unseal(&key, value.value())?.to_vec())),
            }
        })?;
        let (Change::Put { table, key, .. } | Change::Remove { table, key }) = &change;
        changed_members |= *table == Members::ID;
        let stored_key = row_key(*table, key);
        match &change {
            Change::Put { row, .. } => {
                rows.insert(stored_key.as_slice(), seal(&stored_key, row.clone()).as_slice())?;
            }
            Change::Remove { .. } => {
                rows.remove(stored_key.as_slice())?;
            }
        }
        // What the ring follows, once the rows are committed.
        if *table == Croaks::ID || *table == Books::ID {
            noted.push(change);
        }
    }
    Ok(AppliedEntry {
        index: entry.index,
        id: proposal.request.id,
        outcome: applied.outcome,
        changed_members,
        happened,
    })
}

const LOAD_STEP: usize = 1_024;

fn load_window<V: View<Error = DbError>>(view: &V) -> Result<Window, DbError> {
    let mut window = Window::default();
    let mut from = 0;
    loop {
        let step = scan::<Requests, V>(view, &from, &LogIndex::MAX, Order::OldestFirst, LOAD_STEP)?;
        for (index, row) in &step {
            window.remember(*index, row);
            from = index + 1;
        }
        if step.len() < LOAD_STEP {
            return Ok(window);
        }
    }
}

/// The newest croaks, and all that are not indexed by author yet.
fn load_ring<T: ReadableTable<&'static [u8], &'static [u8]>>(view: &RowsView<T>) -> Result<Ring, DbError> {
    let indexed_through = books(view)?.indexed_through;
    let mut newest_first = Vec::new();
    let mut before = LogIndex::MAX;
    loop {
        let step = scan::<Croaks, _>(view, &0, &before, Order::NewestFirst, LOAD_STEP)?;
        for (index, croak) in &step {
            newest_first.push((*index, croak.author));
            before = *index;
        }
        let enough = newest_first.len() >= state_limits::RING_CROAKS && before <= indexed_through;
        if step.len() < LOAD_STEP || enough {
            break;
        }
    }
    let mut ring = Ring::default();
    for (index, author) in newest_first.into_iter().rev() {
        ring.push(index, author);
    }
    ring.settle(indexed_through);
    Ok(ring)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::FileDisk;
    use crate::state::Role;

    #[test]
    fn asking_to_join_again_is_the_same_request_from_wherever_it_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Store::open(FileDisk::new(&folder.path().join("backend-2")).unwrap()).unwrap();
        let member = |id, address: &str, machine: &str| NewMember {
            role: Role::Backend,
            id,
            address: address.into(),
            machine: machine.into(),
            rules_level: 1,
        };
        let first = open().joining(RequestId(1), member(2, "a:1", "boot 1")).unwrap();
        assert_eq!(first, (RequestId(1), member(2, "a:1", "boot 1")));
        assert_eq!(open().joining(RequestId(2), member(2, "b:2", "boot 2")).unwrap(), first);
        let other = (RequestId(3), member(3, "b:2", "boot 2"));
        assert_eq!(
            open().joining(other.0, other.1.clone()).unwrap(),
            other,
            "another member is another request"
        );
    }
}

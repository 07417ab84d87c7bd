//! Arbitrary log segments: opening a store on them gives a log that can be appended to, or an error, and what is appended
//! is there when the store is opened again.
//!
//! The input is a list of records for the first segment, with right checksums or none, and the bytes behind them.

use super::Parts;
use super::memory::{MemoryDisk, Name};
use ribbit_db::{Configuration, EntryKind, HardState, Identity, LogEntry, Store};
use ribbit_state::{ClusterId, HistoryId, Role};
use std::sync::LazyLock;
use xxhash_rust::xxh3::Xxh3;

/// Number of the only log segment of a store that was founded.
const NUMBER: u64 = 2;
/// Length and two checksums.
const FRAME_BYTES: usize = 12;
/// Salt of the first segment of a log.
const SALT: u64 = 0;
/// All of them are asked for in one go.
const BYTES_MAX: u64 = 1 << 24;

/// A store that was founded, with nothing in its log.
pub static FOUNDED: LazyLock<MemoryDisk> = LazyLock::new(|| {
    let disk = MemoryDisk::default();
    found(&mut Store::open(disk.clone()).expect("an empty disk opens"));
    disk
});

/// Makes an empty store that of a founder, in a configuration of three voters.
pub fn found(store: &mut Store) {
    let identity = Identity {
        cluster: ClusterId(1),
        history: HistoryId(2),
        raft_id: 1,
        role: Role::Backend,
        region: 1,
        id: 1,
    };
    let configuration = Configuration { voters: vec![1, 2, 3], ..Configuration::default() };
    store.identify(identity, Some(&configuration)).expect("a good disk");
}

pub fn run(data: &[u8]) {
    let disk = FOUNDED.copy();
    let mut parts = Parts(data);
    let number = NUMBER + u64::from(parts.byte() % 3);
    let mut file = if parts.byte() % 4 == 0 { Vec::new() } else { disk.bytes(Name::Log(NUMBER)) };
    file.truncate(head_length(&file));
    while !parts.is_empty() {
        let kind = parts.byte();
        let body = parts.part();
        match kind % 4 {
            0 => file.extend_from_slice(body),
            1 => file.resize(file.len() + body.len(), 0),
            _ => file.extend(record(number, file.len() as u64, body)),
        }
    }
    disk.put(Name::Log(number), file);
    goes_on(&disk);
}

fn head_length(file: &[u8]) -> usize {
    let length = file.first_chunk::<4>().map_or(0, |length| u32::from_le_bytes(*length) as usize);
    (length + FRAME_BYTES).min(file.len())
}

/// Returns a record as `db::segment` writes it.
pub fn record(number: u64, at: u64, body: &[u8]) -> Vec<u8> {
    let sum = |bytes: &[u8]| {
        let mut hash = Xxh3::new();
        [SALT, number, at].iter().for_each(|number| hash.update(&number.to_le_bytes()));
        hash.update(bytes);
        (hash.digest() as u32).to_le_bytes()
    };
    let length = u32::try_from(body.len()).expect("a part is short");
    let frame = [length.to_le_bytes(), sum(body)].concat();
    [&frame[..], &sum(&frame), body].concat()
}

fn goes_on(disk: &MemoryDisk) {
    let Ok(mut store) = Store::open(disk.clone()) else { return };
    let Ok(loaded) = store.loaded() else { return };
    let reader = store.reader();
    let Ok(entries) = reader.entries(loaded.floor.index + 1, loaded.last.index + 1, BYTES_MAX) else {
        return;
    };
    assert!(
        entries.iter().zip(loaded.floor.index + 1..).all(|(entry, index)| entry.index == index),
        "no holes"
    );
    let (index, term) = (loaded.last.index + 1, loaded.last.term.max(loaded.hard_state.term));
    let entry = LogEntry { index, term, kind: EntryKind::Normal, data: Vec::new().into() };
    let hard_state = HardState { term, vote: 2, commit: loaded.hard_state.commit };
    store.append(std::slice::from_ref(&entry), Some(hard_state)).expect("a good disk");
    drop(store);
    let store = Store::open(disk.clone()).expect("what was opened opens again");
    let again = store.loaded().expect("what was loaded loads again");
    assert_eq!((again.last.index, again.last.term), (index, term));
    assert_eq!(again.hard_state, hard_state);
    let last = store.reader().entries(index, index + 1, BYTES_MAX).expect("it was whole");
    assert_eq!(last, [entry]);
}

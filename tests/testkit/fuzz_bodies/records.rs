//! Values and rows as they lie on a disk: what is damaged is said to be, and what is whole reads back as it was.

use ribbit_db::record::{seal, seal_record, unseal, unseal_record};
use ribbit_db::{Configuration, HardState, Identity, LogEntry, Position};
use ribbit_state::command::Proposal;
use ribbit_state::rows::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

const KEY: &[u8] = b"key";

pub fn run(data: &[u8]) {
    // As it lies there: hardly ever whole.
    if let Ok(inside) = unseal(KEY, data) {
        assert_eq!(seal(KEY, inside.to_vec()), data);
        assert!(unseal(b"another", data).is_err(), "a value under another key is noticed");
    }
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind % 8 {
        0 => record::<Identity>(bytes),
        1 => record::<HardState>(bytes),
        2 => record::<Position>(bytes),
        3 => record::<Configuration>(bytes),
        4 => record::<LogEntry>(bytes),
        5 => record::<(u64, u64)>(bytes),
        6 => drop(postcard::from_bytes::<Proposal>(bytes)),
        _ => every_row(bytes),
    }
}

/// Damage that has a checksum of its own, and a flipped bit.
fn record<R: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    let sealed = seal(KEY, bytes.to_vec());
    let Ok(record) = unseal_record::<R>(KEY, &sealed) else { return };
    let again = seal_record(KEY, &record);
    assert_eq!(unseal_record::<R>(KEY, &again).ok().as_ref(), Some(&record));
    let mut turned = again;
    let at = bytes.len() % turned.len();
    turned[at] ^= 1;
    assert!(unseal_record::<R>(KEY, &turned).is_err());
}

/// A key with its length before it, and a row, as those of each table.
fn every_row(bytes: &[u8]) {
    let mut parts = super::Parts(bytes);
    let (key, row) = (parts.part(), parts.0);
    table::<Accounts>(key, row);
    table::<Names>(key, row);
    table::<Sessions>(key, row);
    table::<SessionsOf>(key, row);
    table::<Croaks>(key, row);
    table::<CroaksBy>(key, row);
    table::<Friends>(key, row);
    table::<Followers>(key, row);
    table::<Requests>(key, row);
    table::<Sweeps>(key, row);
    table::<Members>(key, row);
    table::<Books>(key, row);
    table::<Nodes>(key, row);
    table::<Leases>(key, row);
    table::<LeaseTokens>(key, row);
    table::<Owned>(key, row);
    table::<CoordinationRow>(key, row);
    table::<Messages>(key, row);
    table::<TalkOf>(key, row);
    table::<Waiting>(key, row);
    table::<TalkMarks>(key, row);
    table::<TalksByAge>(key, row);
    table::<Mailboxes>(key, row);
    table::<Suspended>(key, row);
    table::<SettingsRow>(key, row);
    table::<Replies>(key, row);
    table::<Likes>(key, row);
    table::<LikedBy>(key, row);
    table::<Shares>(key, row);
    table::<SharedBy>(key, row);
    table::<CroakCounts>(key, row);
    table::<CroakSweeps>(key, row);
    table::<Croaks>(key, row);
}

fn table<T: Table>(key: &[u8], row: &[u8]) {
    if let Some(key_read) = T::Key::from_bytes(key) {
        assert_eq!(key_read.bytes(), key, "a key has one form");
    }
    if let Some(row_read) = decode::<T::Row>(row) {
        let again = encode(&row_read);
        let second = decode::<T::Row>(&again).expect("what is written can be read");
        assert_eq!(encode(&second), again);
    }
}

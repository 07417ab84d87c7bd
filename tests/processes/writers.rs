//! Checks of the members' data after a run of writers ([`support`]).

use crate::test_cluster::{TestCluster, keys};
use ribbit_db::{FileDisk, Store};
use ribbit_state::croaks;
use ribbit_state::rows::Order;
use ribbit_state::{LogIndex, TokenHash};
use std::collections::BTreeMap;

pub use testkit::writers::{Writers, session_of};

/// Returns the whole feed of one server: ids and texts, newest first.
#[track_caller]
pub fn feed_of(address: &str, session: TokenHash) -> Vec<(LogIndex, String)> {
    testkit::writers::feed_of(address, &keys(), session)
}

/// Asserts that the stores of all members, which are stopped or dead, contain the same croaks at the same indexes, up to the
/// lowest applied index.
#[track_caller]
pub fn stores_agree(pond: &TestCluster) {
    let names = ["backend-1", "backend-2", "backend-3", "coordinator-1", "coordinator-2"];
    let stores: Vec<(LogIndex, BTreeMap<LogIndex, String>)> = names.map(|name| stored(pond, name)).into();
    for (applied, croaks) in &stores {
        for (other_applied, others) in &stores {
            let end = applied.min(other_applied);
            assert!(croaks.range(..=end).eq(others.range(..=end)), "two members differ up to {end}");
        }
    }
}

fn stored(pond: &TestCluster, name: &str) -> (LogIndex, BTreeMap<LogIndex, String>) {
    let disk = FileDisk::new(&pond.folder().join(name));
    let store = Store::open(disk).expect("a store");
    let reader = store.reader();
    let view = reader.view().expect("it can be read");
    let found = croaks::between(&view, 0, u64::MAX, Order::OldestFirst, usize::MAX).expect("it can be read");
    let text = |index| croaks::read(&view, index).expect("it can be read").expect("it was found").text;
    (reader.applied(), found.into_iter().map(|found| (found.index, text(found.index))).collect())
}

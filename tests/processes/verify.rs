//! Comparison of the members' rows, and the report of the first row that differs.

use crate::test_cluster::{TestCluster, awaited, is_alive};
use crate::writers::Writers;
use redb::{Database, ReadableTable, TableDefinition};
use ribbit_db::record::seal;
use ribbit_db::{FileDisk, Store};
use ribbit_state::rows::{Croaks, StoredCroak, Table, decode, encode};
use rustix::process::Signal;

const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");

/// Changes a croak in a member's store with a valid checksum, and leaves the digest of all rows unchanged, so the members'
/// digest comparison does not show it. Returns the id of the croak.
fn tamper(pond: &TestCluster, member: &str) -> u64 {
    let folder = pond.folder().join(member);
    let mut store = Store::open(FileDisk::new(&folder)).expect("a store");
    store.apply_whole_log().expect("a store");
    drop(store);
    let database = Database::open(folder.join("store.redb")).expect("a store that is not open");
    let transaction = database.begin_write().expect("a store");
    let key = {
        let mut rows = transaction.open_table(ROWS).expect("rows");
        let found = rows.iter().expect("rows").flatten().find(|(key, _)| key.value()[0] == Croaks::ID.0);
        let (key, value) =
            found.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).expect("one");
        let mut post: StoredCroak = decode(&value[..value.len() - 4]).expect("a croak");
        post.croak.text.push('!');
        rows.insert(key.as_slice(), seal(&key, encode(&post)).as_slice()).expect("a store");
        key
    };
    transaction.commit().expect("a store");
    u64::from_be_bytes(key[1..].try_into().expect("a number"))
}

#[test]
fn members_are_compared_while_people_write_and_the_first_row_that_differs_is_named() {
    let mut pond = TestCluster::start_with(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let mut ada = pond.browser();
    ada.join("ada");
    ada.croak("one");
    ada.croak("two");
    pond.await_whole();
    let (code, said) = pond.typed(&["verify"]);
    println!("{said}");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("identical on ") && said.contains("coordinator-2"), "{said}");

    let writers = Writers::start(&pond.web(), 4);
    writers.await_progress();
    for _ in 0..3 {
        let (code, said) = pond.typed(&["verify", "--json"]);
        println!("{said}");
        assert!(code == 0 && said.contains(r#""same":true"#) && said.contains(r#""left_out":[]"#), "{said}");
        writers.await_progress();
    }
    writers.stop();

    let id = if leader == "backend-1" { 2 } else { 1 };
    let name = format!("backend-{id}");
    let pid = pond.pid(&name);
    pond.signal(&[&name], Signal::TERM);
    awaited("ended", || (!is_alive(pid)).then_some(()));
    let croak = tamper(&pond, &name);
    pond.backend_by_hand(id);
    pond.await_whole();
    let (code, said) = pond.typed(&["verify"]);
    println!("{said}");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&format!("first difference in Croaks {croak}\n")), "{said}");
    assert!(said.contains(&format!("row 2        {name}\n")), "{said}");
    let (code, said) = pond.typed(&["verify", "--json"]);
    assert!(code == 1 && said.contains(&format!(r#""table":"Croaks","key":"{croak}""#)), "{said}");
    // The member refuses to be the source of a backup, because its rows do not match its digest.
    let kept = tempfile::tempdir().expect("a temporary folder");
    let file = kept.path().join("b");
    let (code, said) = pond.typed(&["backup", file.to_str().expect("text")]);
    assert!(code == 0 && said.contains(&format!("{name}: it is damaged")), "{said}");
}

#[test]
fn who_does_not_answer_is_not_compared_and_nobody_at_all_is_said() {
    let mut pond = TestCluster::start_with(&["--restart", "never"]);
    pond.browser().join("ada");
    pond.await_whole();
    pond.kill(&["coordinator-2"]);
    let (code, said) = pond.typed(&["verify"]);
    assert!(code == 0 && !said.contains("coordinator-2"), "{said}");
    // Two of five members: no quorum, but their rows are still compared and equal.
    pond.kill(&["coordinator-1", "backend-3"]);
    let (code, said) = pond.typed(&["verify"]);
    assert!(code == 0 && said.contains("no quorum") && said.contains("backend-1"), "{said}");
    pond.stop();
    let (code, said) = pond.typed(&["verify"]);
    assert_eq!(code, 3, "{said}");
}

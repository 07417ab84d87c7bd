//! Minority partition: it refuses writes with a message, serves reads marked as possibly outdated, and heals. The side with
//! the majority goes on.

use crate::group::{Group, WEB, backend, usual};
use crate::people::{People, all_backends};
use std::time::Duration;

/// Time before the island is tested, longer than any request in flight.
const ALONE: Duration = Duration::from_secs(3);

#[test]
fn an_island_without_a_majority_refuses_writes_serves_old_reads_and_heals() {
    let Some(mut group) = Group::on(usual(), WEB) else { return };
    // The client runs on the host of backend 1 and knows only that server.
    let island = 0;
    let own = backend(1);
    let client = |group: &Group, words: &[&str]| {
        group.typed(island, &[words, &["--server", &own]].concat(), "frogs in the pond")
    };
    let made = client(&group, &["client", "create", "islander", "--email", "islander@pond"]);
    assert_eq!(made.0, 0, "{}", made.1);
    let posted = client(&group, &["client", "post", "before the storm"]);
    assert_eq!(posted.0, 0, "{}", posted.1);

    let people = People::arrive();
    group.lead("backend-1");
    let cut = |group: &mut Group| {
        group.network.pull(island, true);
        std::thread::sleep(ALONE);
        let (code, said) = client(group, &["client", "post", "in the storm"]);
        println!("posted on the island: {code}: {said}");
        assert_eq!(code, 3, "{said}");
        assert!(said.contains("too few of them are running"), "{said}");
        let (code, said) = client(group, &["client", "feed"]);
        println!("read on the island: {code}: {said}");
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("before the storm") && said.contains("this may be out of date"), "{said}");
        let (code, said) = group.typed(island, &["health", "--server", &own], "");
        println!("health on the island: {code}: {said}");
        assert_eq!(code, 3, "{said}");
    };
    let back = |group: &mut Group| group.network.pull(island, false);
    people.meanwhile(&mut group, "an island with the leader", Duration::ZERO, cut, back);

    let posted = client(&group, &["client", "post", "after the storm"]);
    assert_eq!(posted.0, 0, "{}", posted.1);
    let (code, said) = client(&group, &["client", "feed"]);
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains("this may be out of date"), "{said}");
    // The client was told that the write may have been done, so it may be there once.
    let times = |words: &str| said.matches(words).count();
    assert_eq!((times("before the storm"), times("after the storm")), (1, 1), "{said}");
    assert!(times("in the storm") <= 1, "{said}");
    people.leave(&mut group, &all_backends());
}

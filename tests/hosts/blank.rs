//! Boards without data or addresses that find each other and found their cluster once.

use crate::group::{Board, FOUND_MAX, Group};
use std::fs;
use testkit::status_json::Status;
use testkit::timeouts::awaited_within;

/// Host of the founder.
const FIRST: usize = 0;
const SECOND: usize = 1;
const THIRD: usize = 2;

/// The members of three boards: more than half of them are on any two.
fn boards() -> Vec<Board> {
    vec![
        Board::new("board1", &["coordinator --id 1 --found-with 3", "backend --id 1"]),
        Board::new("board2", &["coordinator --id 2", "backend --id 2"]),
        Board::new("board3", &["backend --id 3"]),
    ]
}

/// Returns the histories that the logs of a host name.
fn histories(group: &Group, at: usize) -> Vec<String> {
    let said = group.said(at);
    let named = said.lines().filter_map(|line| line.split("of history ").nth(1)?.split(',').next());
    let mut named: Vec<String> = named.map(str::to_string).collect();
    named.sort();
    named.dedup();
    named
}

/// Waits until a host sees this number of voters in sync, and no other member.
#[track_caller]
fn await_voters(group: &Group, at: usize, voters: usize) -> Status {
    awaited_within(FOUND_MAX, "the members vote and are in sync", || {
        let status = group.try_status(at)?;
        let settled = status.members.iter().filter(|it| it.in_sync && it.voter).count() == voters;
        (settled && status.members.len() == voters).then_some(status)
    })
}

/// Empties a host, as with a new card on which the same files are.
fn give_new_card(group: &mut Group, at: usize) {
    group.power_cut(&[at]);
    for entry in fs::read_dir(group.folder_of(at)).expect("a folder").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => fs::remove_dir_all(&path).expect("a store"),
            false if path.ends_with("cluster.ribbit") || path.ends_with("said.log") => {}
            false => fs::remove_file(&path).expect("a file"),
        }
    }
}

#[test]
fn three_boards_found_their_cluster_once_in_any_order_and_again_never() {
    let Some(mut group) = Group::off(boards(), FIRST) else { return };
    // The founder alone waits.
    group.power_on(&[FIRST]);
    awaited_within(FOUND_MAX, "it waits", || group.said(FIRST).contains("2 are here").then_some(()));
    group.power_on(&[THIRD]);
    await_voters(&group, FIRST, 3);
    assert!(histories(&group, THIRD).len() == 1, "{}", group.said(THIRD));
    group.power_on(&[SECOND]);
    let status = await_voters(&group, FIRST, 5);
    assert!(status.members.iter().all(|it| it.address.starts_with("10.77.0.")), "{status:?}");

    // The founder gets a new card while the others are off: it founds nothing, and joins them when they are back.
    group.power_cut(&[SECOND, THIRD]);
    give_new_card(&mut group, FIRST);
    group.power_on(&[FIRST]);
    awaited_within(FOUND_MAX, "it waits", || {
        (group.said(FIRST).matches("2 are here").count() == 2).then_some(())
    });
    group.power_on(&[SECOND, THIRD]);
    await_voters(&group, THIRD, 5);
    let all: Vec<Vec<String>> = group.all().map(|at| histories(&group, at)).collect();
    assert!(all.iter().all(|it| it.len() == 1 && *it == all[0]), "{all:?}");

    // All boards are off together and have new addresses afterwards.
    let all: Vec<usize> = group.all().collect();
    group.power_cut(&all);
    for at in group.all() {
        group.network.move_host(at, &testkit::network::address(at), &format!("10.77.1.{}", at + 1));
    }
    group.power_on(&all);
    let status = awaited_within(FOUND_MAX, "they find each other again", || {
        let status = group.try_status(FIRST)?;
        let moved = status.members.iter().all(|it| it.in_sync && it.address.starts_with("10.77.1."));
        (moved && status.members.len() == 5).then_some(status)
    });
    assert!(status.leader.is_some());
    group.nobody_gave_up();
}

//! Loss of both coordinators. In the recommended layout one dead SD card takes both. Operators still find the backends, and
//! both coordinators come back with empty stores.

use crate::group::{CENTRE, Group, HEAL_MAX, WEB, usual};
use ribbit_roles::common::cluster_file::ClusterFile;
use std::fs;
use testkit::timeouts::awaited_within;

#[test]
fn both_coordinators_lose_their_stores_and_come_back_while_operators_find_the_backends() {
    let Some(mut group) = Group::on(usual(), WEB) else { return };
    // A desktop machine that has queried the cluster once. Below also a host with a member.
    fs::copy(ClusterFile::path_in(&group.folder_of(0)), ClusterFile::path_in(&group.folder_of(WEB)))
        .expect("a copy of the cluster file");
    assert_eq!(group.operated(WEB, &["status"]).0, 0);
    group.lead("backend-1");
    group.power_cut(&[CENTRE]);

    for at in [WEB, 0] {
        awaited_within(HEAL_MAX, "the backends go on", || {
            (group.operated(at, &["status"]).0 == 0).then_some(())
        });
        let folder = group.folder_of(at).display().to_string();
        let (code, said) = group.operated(at, &["health"]);
        assert!(code == 5 && said.contains("coordinator-1 is offline"), "{code}: {said}");
        let shell = group.typed(at, &["shell", "--data-dir", &folder, "ls", "/clusters"], "");
        assert!(shell.0 == 0 && shell.1.contains("master"), "{shell:?}");
        let lock = group.typed(at, &["lock", "/jobs/it", "--data-dir", &folder, "--", "true"], "");
        assert_eq!(lock, (0, String::new()));
    }

    // The new card has only a copy of the cluster file.
    let centre = group.folder_of(CENTRE);
    for entry in fs::read_dir(&centre).expect("a folder").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => fs::remove_dir_all(&path).expect("a store"),
            false if path != ClusterFile::path_in(&centre) => fs::remove_file(&path).expect("a file"),
            false => {}
        }
    }
    group.power_on(&[CENTRE]);
    let healed = group.await_together();
    println!("both coordinators were back after {healed:?}");
    let (code, said) = group.operated(CENTRE, &["health"]);
    assert_eq!(code, 0, "{said}");
    group.nobody_gave_up();
    group.verify();
}

#[test]
fn coordinators_that_find_no_member_do_not_count_as_the_cluster() {
    let Some(mut group) = Group::on(usual(), WEB) else { return };
    let backends = [0, 1, 2];
    backends.iter().for_each(|at| group.network.pull(*at, true));
    group.power_cut(&[CENTRE]);
    let centre = group.folder_of(CENTRE);
    for entry in fs::read_dir(&centre).expect("a folder").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => fs::remove_dir_all(&path).expect("a store"),
            false if path != ClusterFile::path_in(&centre) => fs::remove_file(&path).expect("a file"),
            false => {}
        }
    }
    group.power_on(&[CENTRE]);
    let (code, said) = awaited_within(HEAL_MAX, "both answer", || {
        let (code, said) = group.operated(CENTRE, &["health"]);
        ["coordinator-1", "coordinator-2"].iter().all(|name| said.contains(name)).then_some((code, said))
    });
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("waiting to join") && !said.contains("No backend serves"), "{said}");
    assert!(!said.contains("There is no leader"), "{said}");
    let (code, said) = group.operated(CENTRE, &["doctor"]);
    assert!(code != 0 && said.contains("waiting to join"), "{code}: {said}");
    backends.iter().for_each(|at| group.network.pull(*at, false));
    group.await_together();
}

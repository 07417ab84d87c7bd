//! The simulated disk does what disks and page caches do: the bugs that it is there to find depend on it.

use redb::StorageBackend;
use ribbit_db::Disk;
use testkit::sim::disk::{Death, SimDisk};
use testkit::sim::random::Random;

const OLD: &[u8] = b"synced";
const NEW: &[u8] = b"unsynced";
/// So many power cuts show what an arbitrary part of the cache can be.
const CUTS: u64 = 64;

/// Returns a disk with a segment whose first page holds `OLD`, synced, and whose second page will hold `NEW`.
fn disk() -> (SimDisk, Box<dyn StorageBackend>) {
    let disk = SimDisk::default();
    let log = disk.open_segment(1).expect("a good disk");
    log.set_len(8_192).expect("a good disk");
    log.write(0, OLD).expect("a good disk");
    log.sync_data().expect("a good disk");
    (disk, log)
}

fn second_page(disk: &SimDisk) -> Vec<u8> {
    let mut bytes = vec![0; NEW.len()];
    disk.open_segment(1).and_then(|log| Ok(log.read(4_096, &mut bytes)?)).expect("a good disk");
    bytes
}

/// Returns whether `NEW` can survive a power cut after `prepare`, and whether it can be lost.
fn fates(prepare: impl Fn(&SimDisk, &dyn StorageBackend)) -> (bool, bool) {
    let fates: Vec<bool> = (0..CUTS)
        .map(|seed| {
            let (disk, log) = disk();
            prepare(&disk, log.as_ref());
            disk.die(Death::PowerCut, &mut Random::new(seed));
            second_page(&disk) == NEW
        })
        .collect();
    (fates.contains(&true), fates.contains(&false))
}

#[test]
fn a_page_cache_outlives_a_kill_and_not_a_power_cut() {
    let (disk, log) = disk();
    log.write(4_096, NEW).expect("a good disk");
    disk.die(Death::Kill, &mut Random::new(1));
    assert!(log.write(4_096, OLD).is_err(), "a dead process writes nothing");
    assert_eq!(second_page(&disk), NEW);
    let unsynced = |disk: &SimDisk, log: &dyn StorageBackend| {
        log.write(4_096, NEW).expect("a good disk");
        disk.die(Death::Kill, &mut Random::new(1));
        assert_eq!(second_page(disk), NEW);
    };
    assert_eq!(fates(unsynced), (true, true));
    let synced_by_the_next = |disk: &SimDisk, log: &dyn StorageBackend| {
        unsynced(disk, log);
        disk.open_segment(1).and_then(|log| Ok(log.sync_data()?)).expect("a good disk");
    };
    assert_eq!(fates(synced_by_the_next), (true, false));
}

#[test]
fn what_a_failed_sync_has_not_written_no_later_one_writes() {
    let fails = |disk: &SimDisk, log: &dyn StorageBackend| {
        log.write(4_096, NEW).expect("a good disk");
        // This one writes nothing before it fails.
        let random = (0..).map(Random::new).find(|random| random.clone().between(0, 2) == 0);
        disk.fail_next_sync(true, random.expect("every second does"));
        assert!(log.sync_data().is_err());
        disk.die(Death::Kill, &mut Random::new(1));
        assert_eq!(second_page(disk), NEW);
    };
    let then_succeeds = |disk: &SimDisk, log: &dyn StorageBackend| {
        fails(disk, log);
        disk.open_segment(1).and_then(|log| Ok(log.sync_data()?)).expect("the disk is good again");
    };
    assert_eq!(fates(then_succeeds), (false, true));
    // The kernel writes whole pages: touched once more, it is written.
    let then_touched = |disk: &SimDisk, log: &dyn StorageBackend| {
        fails(disk, log);
        let log = disk.open_segment(1).expect("a good disk");
        log.write(5_000, OLD).and_then(|()| log.sync_data()).expect("the disk is good again");
    };
    assert_eq!(fates(then_touched), (true, false));
    // Nor does it keep clean pages for ever.
    let (disk, log) = disk();
    fails(&disk, log.as_ref());
    disk.drop_clean_pages(false);
    assert_eq!(second_page(&disk), vec![0; NEW.len()]);
}

#[test]
fn a_name_is_durable_once_its_folder_is_synced() {
    let mut seen = Vec::new();
    for seed in 0..CUTS {
        let (disk, _) = disk();
        // Removing syncs no folder.
        disk.remove_segment(1).expect("a good disk");
        assert!(disk.log_segments().expect("a good disk").is_empty());
        disk.die(Death::PowerCut, &mut Random::new(seed));
        seen.push(disk.log_segments().expect("a good disk"));
    }
    assert!(seen.contains(&vec![]) && seen.contains(&vec![1]), "{seen:?}");
    for seed in 0..CUTS {
        let (disk, _) = disk();
        disk.recycle_segment(1, 2).expect("a good disk");
        disk.die(Death::PowerCut, &mut Random::new(seed));
        assert_eq!(disk.log_segments().expect("a good disk"), [2], "renaming does");
    }
}

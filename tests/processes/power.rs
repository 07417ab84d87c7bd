//! Power cuts: all processes die at once, repeatedly.

use crate::test_cluster::{TestCluster, awaited_within, is_alive};
use crate::writers::{Writers, stores_agree};
use std::time::{Duration, Instant};

/// Number of power cuts, unless RIBBIT_POWER_CUTS sets another one.
const CUTS: u32 = 5;
const WRITERS: usize = 8;

/// Returns a random duration up to `max`.
fn a_while(max: Duration) -> Duration {
    let random = getrandom::u32().expect("the kernel has random bytes");
    max * (random % 1_000) / 1_000
}

fn wait(while_: Duration) {
    // Waits for no condition on purpose: power can fail at any moment.
    std::thread::sleep(while_);
}

#[test]
fn no_acknowledged_croak_is_lost_or_doubled_by_power_cuts() {
    let cuts = std::env::var("RIBBIT_POWER_CUTS").ok().and_then(|cuts| cuts.parse().ok()).unwrap_or(CUTS);
    let mut pond = TestCluster::start();
    let writers = Writers::start(&pond.web(), WRITERS);
    for cut in 0..cuts {
        writers.await_progress();
        wait(a_while(Duration::from_millis(1_500)));
        pond.kill_all();
        if cut % 2 == 1 {
            // A second power cut during the restart.
            pond.begin_up(&[]);
            wait(a_while(Duration::from_millis(1_000)));
            pond.kill_all();
        }
        let began = Instant::now();
        pond.up(&[]);
        println!("cut {cut}: {} acknowledged, up again after {:?}", writers.acknowledged(), began.elapsed());
        writers.move_to(pond.web());
    }
    writers.await_progress();
    let mut written = writers.stop();
    written.judge_pages();
    pond.await_whole();
    pond.kill_all();
    stores_agree(&pond);
}

#[test]
fn when_up_is_killed_its_children_end_at_once() {
    let mut pond = TestCluster::start();
    let writers = Writers::start(&pond.web(), WRITERS);
    writers.await_progress();
    let children = pond.kill_up();
    assert_eq!(children.len(), 7, "{children:?}");
    let began = Instant::now();
    awaited_within(Duration::from_secs(2), "no child is left", || {
        children.values().all(|pid| !is_alive(*pid)).then_some(())
    });
    println!("gone after {:?}", began.elapsed());
    pond.up(&[]);
    writers.move_to(pond.web());
    writers.await_progress();
    writers.stop().judge_pages();
}

/// A note in the store's folder tells a start after a reboot that a power cut came between.
#[test]
fn a_clean_stop_is_no_power_cut() {
    let mut pond = TestCluster::start();
    pond.browser().join("ada");
    let noted = |pond: &TestCluster| {
        let folders =
            std::fs::read_dir(pond.folder()).expect("a folder").map(|entry| entry.expect("a folder").path());
        folders
            .filter(|folder| folder.join("store.redb").exists())
            .map(|folder| folder.join("boot").exists())
            .collect::<Vec<_>>()
    };
    assert_eq!(noted(&pond), [true; 5]);
    pond.stop();
    assert_eq!(noted(&pond), [false; 5]);
    pond.up(&[]);
    pond.await_whole();
    pond.kill_all();
    assert_eq!(noted(&pond), [true; 5]);
}

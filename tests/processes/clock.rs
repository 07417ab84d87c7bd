//! Wall clocks that jump by years in either direction while the cluster runs: only the displayed times change.

use crate::preload::library;
use crate::test_cluster::{TestCluster, awaited};
use crate::writers::{Writers, stores_agree};
use std::fs;
use std::path::Path;
use std::time::Duration;
use testkit::page_text::croaks;

const YEAR_S: i64 = 365 * 24 * 3600;

#[test]
fn wall_clocks_that_jump_by_years_change_only_what_is_shown() {
    let tools = tempfile::tempdir().expect("a temporary folder");
    let Some(library) = library(tools.path(), "clock") else { return };
    let mut pond = TestCluster::empty();
    let now = tools.path().join("now");
    // Replaced atomically, so no process reads half of it.
    let jump = |years: i64| {
        fs::write(tools.path().join("next"), (years * YEAR_S).to_string()).expect("a file");
        fs::rename(tools.path().join("next"), &now).expect("a file");
    };
    jump(0);
    let text = |path: &Path| path.to_str().expect("text").to_string();
    pond.environment = vec![("LD_PRELOAD", text(&library)), ("TEST_CLOCK", text(&now))];
    pond.up(&["--evict-after", "2s"]);
    pond.await_leading_backend();
    let mut ada = pond.browser();
    ada.join("ada");
    let writers = Writers::start(&pond.web(), 4);
    writers.await_progress();
    let before = pond
        .await_status("all members are alive", |status| status.leader.is_some() && status.members.len() == 5);
    let pids = pond.pids();

    for (years, shown) in [(20, Some("<time datetime=\"204")), (-60, None), (-10, None), (0, Some("<time"))] {
        jump(years);
        let began = std::time::Instant::now();
        writers.await_progress();
        ada.croak(&format!("{years} years from now"));
        let page = ada.get("/main");
        assert_eq!(croaks(&page)[0], format!("{years} years from now"));
        // The newest croak is first.
        let head = page.body.split("<time").next().expect("a page").len();
        match shown {
            Some(shown) => assert!(page.body[head..].starts_with(shown), "{years}: {}", &page.body[head..]),
            None => assert!(page.body[..head].contains("unknown time"), "{years}: {}", page.body),
        }
        // Long enough for an election timeout, an eviction or the expiry of a session to show.
        std::thread::sleep(Duration::from_secs(3));
        writers.await_progress();
        let status = pond.status();
        assert_eq!((&status.leader, status.term), (&before.leader, before.term), "{years} years");
        assert!(status.members.iter().all(|it| it.alive && it.voter && it.in_sync), "{years}: {status:?}");
        println!("{years} years: {} croaks, {:?}", writers.acknowledged(), began.elapsed());
    }
    assert_eq!(pond.pids(), pids, "no process was restarted");
    // Restarted with a clock far from the time of the stop.
    let mut written = writers.stop();
    written.nobody_noticed();
    pond.stop();
    jump(-50);
    pond.up(&["--evict-after", "2s"]);
    (ada.address, written.reader.address) = (pond.web(), pond.web());
    written.judge_pages();
    awaited("ada is still logged in", || (ada.get("/main").status == 200).then_some(()));
    ada.croak("1976");
    pond.await_whole();
    pond.stop();
    stores_agree(&pond);
}

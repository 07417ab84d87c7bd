//! Streams of the API while servers die: each event exactly once.

use crate::test_cluster::{TestCluster, awaited};
use crate::writers::{Writers, feed_of, session_of};
use std::thread;
use testkit::api::ApiApp;
use testkit::api_stream::{ApiEvent, ApiEvents, ApiSocket};

const WRITERS: usize = 6;
/// Text of the last croak, at which the streams stop.
const END: &str = "that was all";

/// Opens a stream. While the writers keep the servers busy, it may be refused for a moment.
fn opened<T, E: std::fmt::Debug>(mut open: impl FnMut() -> Result<T, E>) -> T {
    awaited("a stream is opened", || open().map_err(|refused| println!("refused: {refused:?}")).ok())
}

/// Returns the texts of the updates up to the last croak.
fn texts(mut next: impl FnMut() -> Option<ApiEvent>) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let event = next().expect("the stream goes on");
        assert_eq!(event.event, "update", "{event:?}");
        match event.text() {
            text if text == END => return texts,
            text => texts.push(text),
        }
    }
}

#[test]
fn a_backend_and_the_leader_are_killed_and_each_event_arrives_exactly_once() {
    let mut pond = TestCluster::start_with(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let writers = Writers::start(&pond.web(), WRITERS);
    // The streams begin before the first croak, where the reader has followed the last writer.
    let cursor = writers.reader.cookies["seen"].clone();
    let token = ApiApp::register(&pond.web()).log_in("reader", "read").token;
    let (address, path) = (pond.web(), "/api/v1/streaming/user");
    let mut events = opened(|| ApiEvents::open(&address, path, &token, Some(&cursor)));
    let path = format!("/api/v1/streaming?stream=user&last_event_id={cursor}");
    let mut socket = opened(|| ApiSocket::open(&address, &path, Some(&token)));
    let events = thread::spawn(move || texts(|| events.next_event()));
    let socket = thread::spawn(move || texts(|| socket.next_event()));
    writers.await_progress();
    // The backend through which the streams come, unless that is the leader.
    let status = pond.status();
    let serving = status.backends().filter(|backend| backend.name != leader);
    let serving = serving.max_by_key(|backend| backend.clients).expect("two").name.clone();
    pond.kill(&[&serving]);
    writers.await_progress();
    pond.kill(&[&leader]);
    writers.await_progress();
    let mut written = writers.stop();
    written.nobody_noticed();
    written.reader.croak(END);
    let status = pond.await_status("a backend is left", |status| status.leader.is_some());
    let survivor = status.backends().find(|backend| backend.alive).expect("one");
    let feed = feed_of(&survivor.address, session_of(&written.reader));
    let mut feed: Vec<String> = feed.into_iter().map(|(_, text)| text).filter(|text| text != END).collect();
    written.judge(&feed);
    feed.reverse();
    for (what, streamed) in [("events", events), ("socket", socket)] {
        let streamed = streamed.join().expect("every event is an update");
        assert!(streamed == feed, "{what}: {} events of {} croaks", streamed.len(), feed.len());
    }
    pond.stop();
}

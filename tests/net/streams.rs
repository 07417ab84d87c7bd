//! Live streams of browsers over real sockets: the web role in front of a simulated cluster.

use ribbit_roles::web::limits::{LIVE_BEAT, LIVE_STREAMS_MAX, STOP_DEADLINE, WRITE_STALL};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::Write;
use std::time::{Duration, Instant};
use testkit::group::{EVENTS_MAX, Mood};
use testkit::http::Browser;
use testkit::site::Site;
use testkit::stream::Stream;

/// Returns a browser of a user that has signed up.
fn join(site: &Site, username: &str) -> Browser {
    let mut browser = Browser::new(&site.address);
    browser.join(username);
    browser
}

/// Returns the cursor of the page that this browser sees.
fn cursor(browser: &mut Browser) -> String {
    let page = browser.get("/main");
    page.body.split("data-live=\"").nth(1).unwrap().split('"').next().unwrap().to_string()
}

#[test]
fn croaks_of_followed_users_arrive_with_the_markup_of_the_page() {
    let site = Site::start();
    let (mut ada, mut bob, mut carl) = (join(&site, "ada"), join(&site, "bob"), join(&site, "carl"));
    ada.post("/manage", &[("username", "bob"), ("choice", "add")]).leads_to("/manage?note=added");
    let from = cursor(&mut ada);
    let mut stream = Stream::open(&ada, &format!("/live?from={from}"), None);
    assert_eq!(stream.next_event().unwrap().event, "beat");
    carl.croak("not followed yet");
    bob.croak("one, <b>\r\n\r\ntwo @ada");
    let told = stream.croaks("one, &#60;b&#62;\n\ntwo <a href=\"/@ada\">@ada</a></p>");
    assert!(ada.get("/main").body.contains(told.data.trim_end()), "the same markup as on the page");
    ada.croak("mine too");
    assert_ne!(stream.croaks("mine too").id, told.id);
    // A user followed from now on appears in the open stream.
    ada.post("/manage", &[("username", "carl"), ("choice", "add")]).leads_to("/manage?note=added");
    carl.croak("now ada follows me");
    stream.croaks("now ada follows me");
}

#[test]
fn a_message_is_announced_to_its_two_users_only() {
    let site = Site::start();
    let (ada, mut bob, carl) = (join(&site, "ada"), join(&site, "bob"), join(&site, "carl"));
    let mut streams = [&ada, &bob, &carl].map(|browser| Stream::open(browser, "/live", None));
    for stream in &mut streams {
        assert_eq!(stream.next_event().unwrap().event, "beat");
    }
    let [adas, bobs, carls] = &mut streams;
    bob.post("/messages/ada", &[("message", "psst")]).leads_to("/messages/ada");
    let (to, from) = (adas.news(), bobs.news());
    assert_eq!((to.event.as_str(), from.event.as_str()), ("talk", "talk"));
    let (with_bob, waiting) = to.data.split_once(' ').unwrap();
    assert_eq!((waiting, from.data.split_once(' ').unwrap().1), ("1", "0"));
    assert!(!to.data.contains("psst"));
    // Reading the message is announced to both.
    let mut reader = ada.clone();
    let talk = reader.get("/messages/bob");
    talk.says(200, &format!("data-with=\"{with_bob}\""));
    let receipt = talk.body.split("class=\"receipt\" src=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(reader.get(&receipt.replace("&#38;", "&")).status, 200);
    assert_eq!(adas.news().data, format!("{with_bob} 0"));
    assert_eq!(bobs.news().data, from.data);
    let mut writer = carl.clone();
    writer.croak("nothing of it here");
    carls.croaks("nothing of it here");
}

#[test]
fn a_deleted_croak_disappears_everywhere() {
    let site = Site::start();
    let mut ada = join(&site, "ada");
    let from = cursor(&mut ada);
    let mut stream = Stream::open(&ada, &format!("/live?from={from}"), None);
    ada.croak("oops");
    let told = stream.croaks("oops");
    let id = told.data.split("id=\"croak-").nth(1).unwrap().split('"').next().unwrap().to_string();
    ada.post(&format!("/croak/{id}"), &[]).leads_to("/main?note=taken-back");
    let gone = stream.news();
    assert_eq!((gone.event.as_str(), gone.data.as_str()), ("gone", id.as_str()));
    // A later stream does not get the croak.
    let mut late = Stream::open(&ada, &format!("/live?from={from}"), None);
    assert_eq!(late.news().event, "gone");
}

#[test]
fn counts_arrive_for_the_croaks_on_the_page_and_are_read_once() {
    let site = Site::start();
    let (mut ada, mut bob, carl) = (join(&site, "ada"), join(&site, "bob"), join(&site, "carl"));
    ada.croak("for all");
    ada.post("/main", &[("post", "for friends"), ("audience", "followers")]).leads_to("/main");
    let page = ada.get("/main").body;
    let [private, public] = [0, 1]
        .map(|at| page.split("id=\"croak-").nth(at + 1).unwrap().split('"').next().unwrap().to_string());
    // Neither follows ada; carl asks for both croaks.
    let from = cursor(&mut ada);
    let croaks = format!("/live?from={from}&croaks={public},{private},x,");
    let mut streams: Vec<Stream> = (0..5).map(|_| Stream::open(&carl, &croaks, None)).collect();
    let mut without = Stream::open(&carl, &format!("/live?from={from}"), None);
    for stream in streams.iter_mut().chain([&mut without]) {
        assert_eq!(stream.next_event().unwrap().event, "beat");
    }
    let read = site.group.croaks_read();
    ada.post("/like", &[("croak", &private), ("choice", "add")]);
    let (add, remove) =
        ([("croak", public.as_str()), ("choice", "add")], [("croak", public.as_str()), ("choice", "remove")]);
    let reply = [("post", "yes"), ("reply_to", public.as_str())];
    let steps: [(&str, &[(&str, &str)], &str); 4] = [
        ("/like", &add, "0 1 0"),
        ("/share", &add, "0 1 1"),
        ("/main", &reply, "1 1 1"),
        ("/share", &remove, "1 1 0"),
    ];
    for (path, fields, numbers) in steps {
        bob.post(path, fields);
        for stream in &mut streams {
            let mut told = stream.news();
            if numbers == "1 1 0" {
                assert_eq!(told.event, "gone", "the share");
                told = stream.news();
            }
            assert_eq!((told.event.as_str(), told.data), ("count", format!("{public} {numbers}")));
        }
    }
    assert_eq!(without.news().event, "gone", "no counts of croaks that are not on the page");
    assert_eq!(site.group.croaks_read() - read, 4, "each was read once for five readers");
}

#[test]
fn a_share_arrives_and_goes() {
    let site = Site::start();
    let (mut ada, mut bob, carl) = (join(&site, "ada"), join(&site, "bob"), join(&site, "carl"));
    let mut reader = carl.clone();
    reader.post("/manage", &[("username", "bob"), ("choice", "add")]).leads_to("/manage?note=added");
    ada.croak("worth sharing");
    let id =
        ada.get("/main").body.split("id=\"croak-").nth(1).unwrap().split('"').next().unwrap().to_string();
    let mut stream = Stream::open(&carl, &format!("/live?from={}", cursor(&mut reader)), None);
    bob.post("/share", &[("croak", &id), ("choice", "add")]);
    let told = stream.croaks("worth sharing");
    assert!(reader.get("/main").body.contains(told.data.trim_end()), "the same markup as on the page");
    let share = told.data.split("data-share=\"").nth(1).unwrap().split('"').next().unwrap().to_string();
    bob.post("/share", &[("croak", &id), ("choice", "remove")]);
    let gone = stream.news();
    assert_eq!((gone.event.as_str(), gone.data.as_str()), ("gone", share.as_str()));
}

#[test]
fn a_reconnecting_stream_continues_from_its_last_event() {
    let site = Site::start();
    let mut ada = join(&site, "ada");
    let page = cursor(&mut ada);
    ada.croak("first");
    ada.croak("second");
    let mut stream = Stream::open(&ada, &format!("/live?from={page}"), None);
    stream.croaks("first");
    let last = stream.last.clone();
    drop(stream);
    ada.croak("third");
    // The last event of the browser takes precedence over the cursor of the page.
    let mut stream = Stream::open(&ada, &format!("/live?from={page}"), Some(&last));
    stream.croaks("second");
    stream.croaks("third");
    // With an invalid cursor the stream begins at the present.
    let mut stream = Stream::open(&ada, "/live?from=nonsense", Some("what?"));
    assert_eq!(stream.next_event().unwrap().event, "beat");
    ada.croak("fourth");
    stream.croaks("fourth");
}

#[test]
fn a_stream_outlives_its_servers() {
    let site = Site::start();
    let mut ada = join(&site, "ada");
    let from = cursor(&mut ada);
    let mut stream = Stream::open(&ada, &format!("/live?from={from}"), None);
    ada.croak("before");
    stream.croaks("before");
    site.group.be(Mood::Gone);
    std::thread::sleep(Duration::from_millis(500));
    site.group.be(Mood::Well);
    ada.croak("after");
    stream.croaks("after");
}

#[test]
fn the_end_of_a_session_is_announced_and_ends_its_stream() {
    let site = Site::start();
    let mut ada = join(&site, "ada");
    let copy = ada.clone();
    let mut stream = Stream::open(&ada, "/live", None);
    ada.post("/logout", &[]).leads_to("/login");
    assert_eq!(stream.news().event, "ended");
    assert_eq!(stream.next_event(), None);
    for browser in [copy, Browser::new(&site.address)] {
        let mut stream = Stream::open(&browser, "/live", None);
        assert_eq!(stream.news().event, "ended");
        assert_eq!(stream.next_event(), None);
    }
}

#[test]
fn a_stream_that_missed_events_asks_the_page_to_reload() {
    let site = Site::start();
    let mut ada = join(&site, "ada");
    let from = cursor(&mut ada);
    for number in 0..=EVENTS_MAX {
        ada.croak(&format!("number {number}"));
    }
    let elsewhere = format!("{:032x}.1", 0xbeef);
    for from in [from, elsewhere] {
        let mut stream = Stream::open(&ada, &format!("/live?from={from}"), None);
        let told = stream.news();
        assert_eq!((told.event.as_str(), told.id.as_str()), ("again", ""), "the cursor stays");
        assert_eq!(stream.next_event(), None);
    }
}

#[test]
fn an_idle_stream_sends_heartbeats_and_a_stop_ends_it() {
    let site = Site::start();
    let ada = join(&site, "ada");
    let mut stream = Stream::open(&ada, "/live", None);
    let began = Instant::now();
    assert_eq!(stream.next_event().unwrap().event, "beat");
    let told = stream.next_event().unwrap();
    assert_eq!(told.event, "beat");
    assert!(told.id.contains('.') && began.elapsed() < LIVE_BEAT + Duration::from_secs(5));
    let began = Instant::now();
    site.stop();
    assert_eq!(stream.next_event(), None);
    assert!(began.elapsed() < STOP_DEADLINE, "the stream delays the stop");
}

#[test]
fn streams_have_a_limit_of_their_own() {
    let descriptors = 4 * LIVE_STREAMS_MAX as u64 + 500;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if maximum.is_some_and(|maximum| maximum < descriptors) {
        let _ = writeln!(std::io::stderr(), "skipped: this machine allows too few file descriptors");
        return;
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(descriptors), maximum }).unwrap();
    let site = Site::start();
    let mut ada = join(&site, "ada");
    let mut streams: Vec<Stream> = Vec::new();
    for _ in 0..LIVE_STREAMS_MAX {
        let mut stream = Stream::open(&ada, "/live", None);
        assert_eq!(stream.next_event().unwrap().event, "beat");
        streams.push(stream);
    }
    let refused = Stream::try_open(&ada, "/live", None).err().unwrap();
    assert!(refused.contains(" 503 "), "{refused}");
    ada.croak("is there room for me?");
    for stream in &mut streams {
        stream.croaks("is there room for me?");
    }
    let metrics = ada.get("/metrics");
    metrics.says(200, &format!("ribbit_web_streams {LIVE_STREAMS_MAX}"));
    drop(streams);
    let began = Instant::now();
    while Stream::try_open(&ada, "/live", None).is_err() {
        assert!(began.elapsed() < Duration::from_secs(10), "closed streams still count");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_stream_that_is_not_read_is_closed_and_the_others_go_on() {
    let site = Site::start();
    let mut ada = join(&site, "ada");
    let from = cursor(&mut ada);
    let mut quick = Stream::open(&ada, &format!("/live?from={from}"), None);
    let mut slow = Stream::open(&ada, &format!("/live?from={from}"), None);
    slow.next_event().unwrap();
    let began = Instant::now();
    let text = "🐸".repeat(100);
    let mut croaks = 0;
    // Until every buffer of the slow stream is full and its write timeout has passed.
    loop {
        for _ in 0..50 {
            ada.croak(&text);
            quick.croaks(&text);
            croaks += 1;
        }
        if ada.get("/metrics").body.contains("ribbit_web_streams 1\n") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60) + WRITE_STALL, "the slow stream is still open");
    }
    assert!(slow.drain() < croaks * 2_000);
    ada.croak("and on it goes");
    quick.croaks("and on it goes");
}

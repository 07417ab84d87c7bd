//! Metrics and health of every process, on its main port.

use crate::test_cluster::{TestCluster, awaited};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::http::{Reply, exchange};

const SERIES_MAX: usize = 50;

fn get(address: &str, path: &str) -> Reply {
    exchange(
        address,
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )
}

/// Returns every series with its value.
#[track_caller]
fn metrics(address: &str) -> BTreeMap<String, f64> {
    let reply = get(address, "/metrics");
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let mut series = BTreeMap::new();
    let mut typed = String::new();
    for line in reply.body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            typed = rest.split(' ').next().unwrap_or_default().to_string();
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(name.starts_with("ribbit_") && name.split('{').next() == Some(&typed), "{line}");
            let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(series.insert(name.to_string(), value).is_none(), "{line} stands there twice");
        }
    }
    assert!((10..SERIES_MAX).contains(&series.len()), "{}: {}", series.len(), reply.body);
    series
}

/// Asserts that the rules and the dashboard of packaging/monitoring name only metrics that these processes have.
#[track_caller]
fn monitoring_names_existing_metrics(addresses: &[&str]) {
    let name_of = |series: String| series.split('{').next().unwrap_or_default().to_string();
    let mut existing: BTreeSet<String> =
        addresses.iter().flat_map(|address| metrics(address).into_keys().map(name_of)).collect();
    // The one metric that needs an interface of its own.
    existing.insert("ribbit_floating_held".to_string());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/monitoring");
    let mut named = BTreeSet::new();
    for file in ["alerts.yml", "alerts-test.yml", "dashboard.json"] {
        let text = fs::read_to_string(folder.join(file)).expect("it is there");
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        named.extend(words.filter(|word| word.starts_with("ribbit_")).map(str::to_string));
    }
    let unknown: Vec<_> = named.difference(&existing).collect();
    assert!(unknown.is_empty() && named.len() > 25, "{unknown:?} do not exist; {named:?} are named");
    // Each metric is somewhere on the dashboard.
    let unused: Vec<_> = existing.difference(&named).collect();
    assert!(unused.is_empty(), "the dashboard shows nothing of {unused:?}");
}

#[test]
fn every_process_shows_its_figures_and_whether_it_is_well() {
    let mut pond = TestCluster::empty();
    pond.environment.push(("RIBBIT_TEST_SCRUB_MS", "20".into()));
    pond.up(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let mut ada = pond.browser();
    ada.join("adalovelace");
    ada.croak("no metric contains this");
    let mut leaders = 0;
    for part in ["BACKEND_1", "BACKEND_2", "BACKEND_3", "COORDINATOR_1", "COORDINATOR_2"] {
        let address = pond.address(part);
        let figures = metrics(&address);
        assert!(figures["ribbit_in_sync"] == 1.0 && figures["ribbit_memory_bytes"] > 1e6, "{figures:?}");
        assert!(figures["ribbit_store_bytes"] > 0.0 && figures["ribbit_voters"] == 5.0, "{figures:?}");
        leaders += u32::from(figures["ribbit_leads"] == 1.0);
        get(&address, "/health").says(200, "fine\n");
        assert_eq!(get(&address, "/").status, 404);
        // Other methods are not part of the protocol: the connection is closed without an answer.
        let mut stream = TcpStream::connect(&address).expect("it listens");
        stream.write_all(b"POST /metrics HTTP/1.1\r\n\r\n").expect("written");
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert_eq!(leaders, 1);
    let balancer = pond.address("BALANCER");
    awaited("the balancer knows all three", || {
        let figures = metrics(&balancer);
        (figures["ribbit_backends_in_sync"] == 3.0 && figures["ribbit_has_leader"] == 1.0).then_some(())
    });
    assert!(metrics(&balancer).contains_key("ribbit_backend_clients{backend=\"backend-2\"}"));
    get(&balancer, "/health").says(200, "fine\n");
    let figures = metrics(&pond.web());
    assert!(figures["ribbit_web_answers_total{class=\"3xx\"}"] >= 2.0, "{figures:?}");
    get(&pond.web(), "/health").says(200, "\"state\":\"fine\"");
    for address in [&balancer, &pond.web(), &pond.address("BACKEND_1")] {
        let said = get(address, "/metrics").body;
        assert!(!said.contains("adalovelace") && !said.contains("127.0.0.1"), "{said}");
    }

    let scrubbed = || metrics(&pond.address("BACKEND_1")).remove("ribbit_scrub_age_seconds");
    awaited("the store was checked once", scrubbed);
    monitoring_names_existing_metrics(&[&balancer, &pond.web(), &pond.address("BACKEND_1")]);

    // A slow request times out and does not block other requests.
    let mut slow = TcpStream::connect(&balancer).expect("it listens");
    slow.write_all(b"GET /met").expect("written");
    let began = Instant::now();
    metrics(&balancer);
    let _ = slow.read_to_end(&mut Vec::new());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    pond.kill(&["coordinator-1", "coordinator-2", &leader]);
    awaited("the web role says that it is down", || {
        (get(&pond.web(), "/health").status == 503).then_some(())
    });
    awaited("so does the balancer", || (get(&balancer, "/health").status == 503).then_some(()));
    let left = if leader == "backend-1" { "BACKEND_2" } else { "BACKEND_1" };
    awaited("so does who is left", || (get(&pond.address(left), "/health").status == 503).then_some(()));
}

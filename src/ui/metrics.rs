//! Metrics in the text format of Prometheus: `# HELP`, `# TYPE` and samples of each family.
//!
//! A process exports fewer than fifty series, regardless of the number of users and members: larger sets are summed or cut. No series
//! contains names of users, texts or addresses.

use super::version;
use ribbit_net::protocol::NodeStatus;
use std::fmt::Write;

/// Metrics of every process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessMetrics {
    pub uptime_s: u64,
    pub memory_bytes: u64,
    /// Bytes written to disks; 0 if unknown.
    pub written_bytes: u64,
}

/// Metrics of a listener.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConnectionMetrics {
    pub open: u64,
    pub accepted: u64,
    pub refused: u64,
}

/// Load of a backend, as a balancer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendLoad {
    pub name: String,
    /// Clients through all balancers.
    pub clients: u64,
    /// Connections through this balancer.
    pub spliced: u64,
}

/// Metrics of a balancer.
#[derive(Debug, Clone, Default)]
pub struct BalancerMetrics {
    pub serving: u64,
    pub in_sync: u64,
    pub has_leader: bool,
    pub readers: u64,
    pub evened_out: u64,
    /// True while it holds the floating address; `None` if none is configured.
    pub floating: Option<bool>,
    pub backends: Vec<BackendLoad>,
}

/// Metrics of the web role.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebMetrics {
    /// Open connections, without live streams.
    pub open: u64,
    /// Open live streams.
    pub streams: u64,
    /// Connections refused at a limit.
    pub turned_away: u64,
    /// Number of answers by the first digit of their status, from 1.
    pub answers: [u64; 5],
    /// Total time for all answers, in milliseconds.
    pub answer_ms: u64,
}

/// Maximum number of backends in a balancer's metrics, each with two series.
const BACKENDS_MAX: usize = 12;

#[derive(Clone, Copy)]
enum MetricKind {
    Gauge,
    Counter,
}

#[derive(Default)]
struct MetricsText(String);

impl MetricsText {
    fn family(&mut self, name: &str, kind: MetricKind, help: &str) {
        let kind = match kind {
            MetricKind::Gauge => "gauge",
            MetricKind::Counter => "counter",
        };
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n"); // writing to a string cannot fail
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, MetricKind::Gauge, help);
        self.sample(name, &[], value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, MetricKind::Counter, help);
        self.sample(name, &[], value);
    }

    fn process(&mut self, role: &str, name: &str, process: ProcessMetrics) {
        self.family("ribbit_info", MetricKind::Gauge, "Role, name, version and build of this process.");
        let labels = [("role", role), ("name", name), ("version", version::SHORT), ("build", version::BUILT)];
        self.sample("ribbit_info", &labels, 1);
        self.gauge("ribbit_uptime_seconds", "Seconds since this process was started.", process.uptime_s);
        self.gauge("ribbit_memory_bytes", "Resident memory of this process.", process.memory_bytes);
        let help = "Bytes that this process has written to disks.";
        self.counter("ribbit_written_bytes_total", help, process.written_bytes);
    }

    fn connections(&mut self, connections: ConnectionMetrics) {
        self.gauge("ribbit_connections", "Open connections of all kinds.", connections.open);
        let help = "Connections accepted.";
        self.counter("ribbit_connections_accepted_total", help, connections.accepted);
        let help = "Connections closed at once because a limit was reached.";
        self.counter("ribbit_connections_refused_total", help, connections.refused);
    }
}

/// Escapes a label value.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Returns the metrics of a backend or a coordinator.
pub fn member(status: &NodeStatus, process: ProcessMetrics, connections: ConnectionMetrics) -> String {
    let mut text = MetricsText::default();
    let me = &status.me;
    text.process(me.role.name(), &me.name(), process);
    text.connections(connections);
    text.gauge("ribbit_clients", "Client connections.", me.clients.into());
    let has_leader = status.leader.is_some();
    let leads = has_leader && status.leader == Some(me.raft_id);
    for (name, help, yes) in [
        (
            "ribbit_belongs",
            "1 if its store is open and it is a member of a cluster.",
            status.history.is_some(),
        ),
        ("ribbit_has_leader", "1 if it knows a leader.", has_leader),
        ("ribbit_leads", "1 if it is the leader.", leads),
        ("ribbit_votes", "1 if it is a voter.", status.voters.contains(&me.raft_id)),
        ("ribbit_in_sync", "1 if it has heard from a leader lately and is not far behind.", status.in_sync),
        (
            "ribbit_store_full",
            "1 while the disk quota is exceeded and growing writes are refused.",
            status.store.full,
        ),
    ] {
        text.gauge(name, help, yes.into());
    }
    let store = &status.store;
    for (name, help, value) in [
        ("ribbit_term", "Current Raft term.", status.term),
        ("ribbit_applied_index", "Index of the last applied log entry.", me.applied),
        ("ribbit_voters", "Number of voters.", status.voters.len() as u64),
        (
            "ribbit_learners",
            "Number of learners, which replicate and do not vote.",
            status.learners.len() as u64,
        ),
        ("ribbit_members", "Number of known members, including itself.", 1 + status.others.len() as u64),
        ("ribbit_rules_level", "Newest rules level that it understands.", me.rules_level.into()),
        ("ribbit_store_bytes", "Size of its store on disk.", store.bytes),
        ("ribbit_store_quota_bytes", "Disk quota of its store.", store.quota_bytes),
        ("ribbit_disk_free_bytes", "Free space on its disk.", store.free_bytes),
    ] {
        text.gauge(name, help, value);
    }
    if let Some(seconds) = store.scrubbed_s {
        let help = "Seconds since the last full check of its store.";
        text.gauge("ribbit_scrub_age_seconds", help, seconds);
    }
    text.0
}

/// Returns the metrics of a balancer.
pub fn balancer(
    balancer: &BalancerMetrics,
    process: ProcessMetrics,
    connections: ConnectionMetrics,
) -> String {
    let mut text = MetricsText::default();
    text.process("balancer", "balancer", process);
    text.connections(connections);
    text.gauge("ribbit_backends", "Number of backends that serve clients.", balancer.serving);
    text.gauge(
        "ribbit_backends_in_sync",
        "Number of backends that serve clients and are in sync.",
        balancer.in_sync,
    );
    text.gauge(
        "ribbit_has_leader",
        "1 if a member reports that it is the leader.",
        balancer.has_leader.into(),
    );
    text.gauge(
        "ribbit_readers",
        "Number of clients with a lease on a backend to read from.",
        balancer.readers,
    );
    let help = "Connections ended to even out the load of the backends.";
    text.counter("ribbit_evened_out_total", help, balancer.evened_out);
    if let Some(holds) = balancer.floating {
        text.gauge("ribbit_floating_held", "1 if this balancer holds the floating address.", holds.into());
    }
    let shown = || balancer.backends.iter().take(BACKENDS_MAX);
    text.family("ribbit_backend_clients", MetricKind::Gauge, "Clients of a backend through all balancers.");
    shown().for_each(|it| text.sample("ribbit_backend_clients", &[("backend", &it.name)], it.clients));
    text.family(
        "ribbit_backend_spliced",
        MetricKind::Gauge,
        "Connections to a backend through this balancer.",
    );
    shown().for_each(|it| text.sample("ribbit_backend_spliced", &[("backend", &it.name)], it.spliced));
    text.0
}

/// Returns the metrics of the web role.
pub fn web(web: &WebMetrics, process: ProcessMetrics) -> String {
    let mut text = MetricsText::default();
    text.process("web", "web", process);
    text.gauge("ribbit_web_connections", "Open connections of browsers, without live streams.", web.open);
    text.gauge("ribbit_web_streams", "Open live streams.", web.streams);
    let help = "Connections refused because a limit was reached.";
    text.counter("ribbit_web_turned_away_total", help, web.turned_away);
    text.family("ribbit_web_answers_total", MetricKind::Counter, "HTTP answers by class of status.");
    for (class, count) in (1..).zip(web.answers) {
        text.sample("ribbit_web_answers_total", &[("class", &format!("{class}xx"))], count);
    }
    let help = "Total time for all answers.";
    text.counter("ribbit_web_answer_milliseconds_total", help, web.answer_ms);
    text.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_net::protocol::{MemberInfo, StoreStatus};
    use ribbit_state::ClusterId;

    /// Parses the format strictly, as monitoring systems do. Returns the number of series.
    fn series(text: &str) -> usize {
        assert!(text.ends_with('\n'));
        let (mut helped, mut typed, mut count) = (Vec::new(), Vec::new(), 0);
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("help has words");
                assert!(!helped.contains(&name) && !help.is_empty(), "{line}");
                helped.push(name);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a kind");
                assert!(["gauge", "counter"].contains(&kind) && helped.last() == Some(&name), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                typed.push(name);
            } else {
                let (series, value) = line.rsplit_once(' ').expect("a value");
                let name = series.split('{').next().expect("a name");
                let plain = |c: char| c.is_ascii_lowercase() || c == '_';
                assert!(name.starts_with("ribbit_") && name.chars().all(plain), "{line}");
                assert!(typed.last() == Some(&name) && value.parse::<u64>().is_ok(), "{line}");
                count += 1;
            }
        }
        count
    }

    #[test]
    fn every_role_exports_fewer_than_fifty_valid_series() {
        let status = NodeStatus {
            cluster: ClusterId(1),
            history: None,
            me: MemberInfo { raft_id: 1, id: 1, address: "10.1.2.3:9".into(), ..MemberInfo::default() },
            leader: Some(1),
            term: 7,
            voters: vec![1],
            learners: vec![],
            in_sync: true,
            stalled_s: 0,
            lagging: Vec::new(),
            others: vec![],
            store: StoreStatus { scrubbed_s: Some(9), ..StoreStatus::default() },
            leases: Default::default(),
            accepts_old_key: false,
            build: String::new(),
            rules_level: 1,
            auto_finish: false,
        };
        let said = member(&status, ProcessMetrics::default(), ConnectionMetrics::default());
        assert!((20..50).contains(&series(&said)), "{said}");
        assert!(said.contains("\nribbit_leads 1\n") && said.contains("\nribbit_term 7\n"), "{said}");
        assert!(said.contains("ribbit_info{role=\"backend\",name=\"backend-1\",version=\""), "{said}");
        assert!(!said.contains("10.1.2.3"), "{said}");

        let backend = |id| BackendLoad { name: format!("backend-{id}"), clients: 2, spliced: 1 };
        let many =
            BalancerMetrics { backends: (1..=99).map(backend).collect(), ..BalancerMetrics::default() };
        let said = balancer(&many, ProcessMetrics::default(), ConnectionMetrics::default());
        assert!(
            series(&said) < 50 && said.contains("\nribbit_backend_clients{backend=\"backend-1\"} 2\n"),
            "{said}"
        );
        let said =
            web(&WebMetrics { answers: [0, 3, 0, 1, 0], ..WebMetrics::default() }, ProcessMetrics::default());
        assert!(
            series(&said) < 50 && said.contains("\nribbit_web_answers_total{class=\"2xx\"} 3\n"),
            "{said}"
        );
    }

    #[test]
    fn label_values_are_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}

//! Checks of the network: what listens on this machine's ports, and which members answer. The addresses come from the
//! cluster file and the ports file of `up`, then from the members that answer.
//!
//! Requests use the status plane, which needs no cluster key. Each has a timeout, and all run concurrently.

use super::arguments::DoctorOptions;
use super::board::LocalState;
use crate::common::cluster_file::ClusterFile;
use crate::common::defaults::{BALANCER_LISTEN, INSTALLED, INSTALLED_WEB_LISTEN, WEB_LISTEN, usual_listen};
use crate::common::ports::Ports;
use crate::common::probe::{self, reached_at};
use ribbit_net::frame::{FrameError, Plane};
use ribbit_net::keys::Keys;
use ribbit_net::limits::{CONNECT_DEADLINE, STATUS_DEADLINE};
use ribbit_net::oneshot::ask_status;
use ribbit_net::survey::{Survey, survey};
use ribbit_state::limits::RULES_LEVEL;
use ribbit_state::{MemberName, Role};
use ribbit_ui::doctor::{Finding, PortUse, Reachability};
use ribbit_ui::{upgrade, version};
use smol::Timer;
use smol::future::or;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

/// Timeout for a process to return its metrics.
const REACH_MAX: Duration = CONNECT_DEADLINE.saturating_add(STATUS_DEADLINE);
/// Bytes read of a process's metrics: `ribbit_info` is at their beginning.
const FIGURES_BYTES_MAX: u64 = 4 * 1024;

/// Checks the ports on which this machine's roles listen, or would listen.
pub(crate) async fn ports(options: &DoctorOptions, local: &LocalState) -> Vec<Finding> {
    let keys = local.cluster.as_ref().map(ClusterFile::keys);
    let mut findings = Vec::new();
    for (role, listen) in listens(options, local) {
        let held = held(&listen, keys.as_ref()).await;
        findings.push(Finding::Port { role, listen, held });
    }
    findings
}

/// Returns the roles and listen addresses to check: those of `--listen`, else of the ports file, else the default
/// addresses of the members that have a store here, or of a first member.
fn listens(options: &DoctorOptions, local: &LocalState) -> Vec<(String, String)> {
    if !options.listen.is_empty() {
        return options.listen.iter().map(|listen| ("this address".to_string(), listen.clone())).collect();
    }
    let ports = local.ports.clone().unwrap_or_default();
    let usual = |role| [MemberName::at_home(role, 1)];
    let mut members = local.members.clone();
    if members.is_empty() {
        members.extend([usual(Role::Coordinator), usual(Role::Backend)].into_iter().flatten());
    }
    let mut listens: Vec<_> = members
        .iter()
        .map(|name| (name.to_string(), usual_listen(*name, local.cluster.as_ref(), local.ports.as_ref())))
        .collect();
    listens.push(("balancer".into(), ports.balancer.clone().unwrap_or_else(|| BALANCER_LISTEN.into())));
    let usual = if options.cluster_file == Path::new(INSTALLED) { INSTALLED_WEB_LISTEN } else { WEB_LISTEN };
    listens.push(("pages".into(), ports.web.clone().unwrap_or_else(|| usual.into())));
    listens
}

async fn held(listen: &str, keys: Option<&Keys>) -> PortUse {
    let Err(error) = TcpListener::bind(listen) else { return PortUse::Free };
    let address = reached_at(listen);
    let answer = match keys {
        Some(keys) => reach(&address, keys).await,
        None => Reachability::Failed(String::new()),
    };
    match answer {
        Reachability::Answers { name, .. } => PortUse::Own(name),
        _ if probe::is_live(&address).await => PortUse::Own("pages".into()),
        _ if is_ribbit(&address).await => PortUse::Own("without this board's cluster file".into()),
        _ if error.kind() == io::ErrorKind::AddrInUse => PortUse::Other,
        _ => PortUse::Unusable(error.to_string()),
    }
}

/// Checks whether the members that the files list answer, and which build every member runs.
pub(crate) async fn members(local: &LocalState) -> Vec<Finding> {
    let Some(cluster) = &local.cluster else { return Vec::new() };
    let keys = cluster.keys();
    let mut addresses = cluster.coordinators.clone();
    addresses.extend(local.ports.iter().flat_map(Ports::everyone));
    addresses.dedup();
    if addresses.is_empty() {
        return vec![Finding::NobodyKnown];
    }
    let asking: Vec<_> = addresses
        .into_iter()
        .map(|address| {
            let keys = keys.clone();
            smol::spawn(async move {
                let answer = reach(&address, &keys).await;
                (address, answer)
            })
        })
        .collect();
    let (mut findings, mut seeds) = (Vec::new(), Vec::new());
    for asked in asking {
        let (address, answer) = asked.await;
        if matches!(answer, Reachability::Answers { .. }) {
            seeds.push(address.clone());
        }
        findings.push(Finding::Reached { address, answer });
    }
    let survey = survey(&seeds, &keys).await;
    findings.extend(builds(&survey));
    findings.extend(upgrade::unfinished(&survey).map(|(words, fix)| Finding::Upgrade { words, fix }));
    findings
}

async fn reach(address: &str, keys: &Keys) -> Reachability {
    let begin = Instant::now();
    match ask_status(address, Plane::Status, keys).await {
        Ok(status) => Reachability::Answers {
            name: status.me.name(),
            after: begin.elapsed(),
            belongs: status.history.is_some(),
        },
        Err(error) => refused(&error),
    }
}

fn refused(error: &FrameError) -> Reachability {
    match error {
        FrameError::Io(io) => match io.kind() {
            io::ErrorKind::ConnectionRefused => Reachability::NotListening,
            io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable => Reachability::Silent,
            // An unknown host name has no error kind of its own.
            _ if io.raw_os_error().is_none() => Reachability::UnknownName,
            _ => Reachability::Failed(io.to_string()),
        },
        FrameError::TimedOut => Reachability::Silent,
        FrameError::NotRibbit | FrameError::Malformed | FrameError::TooLong { .. } => Reachability::NotRibbit,
        FrameError::OtherVersion(_) => Reachability::OtherVersion(error.to_string()),
        error if error.is_stranger() => Reachability::OtherKey(error.to_string()),
        error => Reachability::Failed(error.to_string()),
    }
}

/// Returns the build of each member that answers.
fn builds(survey: &Survey) -> impl Iterator<Item = Finding> {
    survey.members.iter().filter(|member| member.alive).map(|member| Finding::Build {
        name: member.info.name(),
        theirs: member.build.clone(),
        ours: version::LONG.to_string(),
        rules: (member.info.rules_level, RULES_LEVEL),
    })
}

/// Returns true if a process's `/metrics` are those of ribbit.
async fn is_ribbit(address: &str) -> bool {
    let too_late = async {
        Timer::after(REACH_MAX).await;
        false
    };
    let asked = async {
        let figures = probe::get(address, "/metrics", FIGURES_BYTES_MAX).await;
        figures.is_ok_and(|figures| has_info(&String::from_utf8_lossy(&figures)))
    };
    or(asked, too_late).await
}

fn has_info(figures: &str) -> bool {
    figures.lines().any(|line| line.starts_with("ribbit_info{") && line.contains("version=\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_recognised_by_its_metrics() {
        let figures =
            |labels: &str| format!("# TYPE ribbit_info gauge\nribbit_info{{role=\"x\",{labels}}} 1\n");
        assert!(has_info(&figures("version=\"0.1.0\",build=\"1a2b3c4d, x86_64\"")));
        assert!(has_info(&figures("version=\"0.1.0\"")));
        assert!(!has_info("HTTP/1.1 404 Not Found\r\n\r\n"));
    }

    #[test]
    fn installed_pages_are_checked_at_the_address_of_the_socket_unit() {
        let address = |cluster_file: &str| {
            let options = DoctorOptions {
                data_dir: "ribbit-data".into(),
                cluster_file: cluster_file.into(),
                settings: None,
                disk_quota_bytes: 0,
                listen: Vec::new(),
                json: false,
            };
            listens(&options, &LocalState::default()).pop().unwrap().1
        };
        assert_eq!(address(INSTALLED), "0.0.0.0:80");
        assert_eq!(address("ribbit-data/cluster.ribbit"), "127.0.0.1:8080");
    }

    #[test]
    fn every_error_has_its_finding() {
        let io = |kind: io::ErrorKind| FrameError::Io(kind.into());
        assert_eq!(refused(&FrameError::TimedOut), Reachability::Silent);
        assert_eq!(refused(&FrameError::NotRibbit), Reachability::NotRibbit);
        assert!(matches!(refused(&FrameError::OtherKey), Reachability::OtherKey(_)));
        assert!(matches!(refused(&FrameError::OtherVersion(2)), Reachability::OtherVersion(_)));
        assert_eq!(refused(&io(io::ErrorKind::ConnectionRefused)), Reachability::NotListening);
        let unknown = std::net::ToSocketAddrs::to_socket_addrs("no such name.invalid:1").unwrap_err();
        assert_eq!(refused(&FrameError::Io(unknown)), Reachability::UnknownName);
    }
}

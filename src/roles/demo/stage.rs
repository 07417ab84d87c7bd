//! Cluster of a scene: `ribbit up` on a temporary folder, and the failures of its processes.
//!
//! The processes are the children of that `up`, found in /proc, so no other process is ever killed. `up` runs with
//! `--restart never`, so a killed process stays dead until the stage is switched on again. If this process is killed, `up`
//! and its children end by themselves, because their standard input ends.

use crate::client::arguments::PersonOptions;
use crate::client::session::UserSession;
use crate::common::cluster_file::ClusterFile;
use crate::common::cluster_selection::ClusterAccess;
use crate::common::failure::{Exit, Failure};
use crate::common::ports::Ports;
use crate::common::probe::{formed, reached_at, serves};
use crate::up::supervisor::{ProcessSupervisor, Slot};
use ribbit_net::keys::Keys;
use ribbit_net::protocol::{NewAccount, Password};
use ribbit_net::secret;
use ribbit_net::survey::{Survey, survey};
use rustix::process::{Pid, Signal, kill_process};
use smol::Timer;
use smol::future::or;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Number of voters that `up` starts: three backends and two coordinators.
pub(crate) const VOTERS: usize = 5;
/// Number of processes that `up` starts: the voters, a balancer and the web pages.
pub(crate) const PROCESSES: usize = 7;
/// Timeout for the cluster to be complete.
const ON_MAX: Duration = Duration::from_secs(60);
/// Timeout of one check whether it is complete, after which the addresses are read again.
const LOOK_MAX: Duration = Duration::from_secs(2);
/// Timeout for a new leader after a failure or a leadership transfer.
const LED_MAX: Duration = Duration::from_secs(3);
/// Time to wait for a killed process; after it, the process hangs in the kernel.
const GONE_MAX: Duration = Duration::from_secs(5);
/// Time for `up` to stop; less than this process itself has.
const END_MAX: Duration = Duration::from_secs(6);
/// Pause between two checks.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);
/// Log filter of the children, unless RUST_LOG is set: the demo itself prints what happens.
const CHILDREN_LOG: &str = "error";

/// The cluster of a scene.
pub(crate) struct DemoCluster {
    folder: PathBuf,
    supervisor: ProcessSupervisor,
    slot: Slot,
    /// Pid of `up`.
    pid: u32,
    ports: Ports,
    keys: Option<Keys>,
    password: Password,
}

impl DemoCluster {
    /// Creates the temporary folder; no process runs yet.
    ///
    /// # Errors
    /// 1: the folder cannot be created.
    pub(crate) fn set() -> Result<DemoCluster, Failure> {
        let random: String = secret::new_token()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = std::env::temp_dir().join(format!("ribbit-demo-{random}"));
        // Only if it does not exist: in a folder shared by all users it must be ours.
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(|error| {
            Failure::new(Exit::Refused, format!("cannot create the folder {}: {error}", folder.display()))
        })?;
        let mut supervisor = ProcessSupervisor::default();
        let slot = supervisor.add();
        let password = Password(format!("demo-{random}"));
        Ok(DemoCluster { folder, supervisor, slot, pid: 0, ports: Ports::default(), keys: None, password })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts all processes and waits until the cluster is complete. Returns the time it took.
    ///
    /// # Errors
    /// 1: the cluster does not come up.
    pub(crate) async fn switch_on(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let program = std::env::current_exe().map_err(|error| {
            Failure::new(Exit::Refused, format!("cannot find the path of this program: {error}"))
        })?;
        let mut command = Command::new(program);
        command.args(["up", "--supervised", "--web", "127.0.0.1:0", "--restart", "never", "--data-dir"]);
        command.arg(&self.folder);
        // Settings in the environment are for this process only.
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("RIBBIT_")) {
            command.env_remove(key);
        }
        if std::env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", CHILDREN_LOG);
        }
        self.pid = self
            .supervisor
            .start(self.slot, command)
            .map_err(|error| Failure::new(Exit::Refused, format!("cannot start `ribbit up`: {error}")))?;
        while !self.is_whole().await {
            let over = began.elapsed() > ON_MAX || !self.supervisor.runs(self.slot);
            if over || self.has_ended().await {
                let message = format!("the cluster is not complete after {}", seconds(began.elapsed()));
                return Err(Failure::new(Exit::Refused, message));
            }
        }
        Ok(began.elapsed())
    }

    /// Returns whether `up` has ended by itself.
    async fn has_ended(&mut self) -> bool {
        self.supervisor.all_ended(&[self.slot], PAUSE).await
    }

    /// Reads the ports file and checks whether all voters and the web pages answer.
    async fn is_whole(&mut self) -> bool {
        let (Ok(Some(ports)), Ok(file)) =
            (Ports::read(&self.folder), ClusterFile::read(&ClusterFile::path_in(&self.folder)))
        else {
            return false;
        };
        let keys = file.keys();
        let Some(web) = ports.web.clone() else { return false };
        let whole = async {
            formed(ports.everyone(), keys.clone(), VOTERS).await;
            serves(reached_at(&web)).await;
            true
        };
        let late = async {
            Timer::after(LOOK_MAX).await;
            false
        };
        let whole = or(whole, late).await;
        (self.ports, self.keys) = (ports, Some(keys));
        whole
    }

    /// Surveys the cluster.
    pub(crate) async fn survey(&self) -> Survey {
        match &self.keys {
            Some(keys) => survey(&self.ports.everyone(), keys).await,
            None => Survey::default(),
        }
    }

    /// Surveys the cluster, and waits for a leader for at most `LED_MAX`. There is no leader for a moment during a leadership
    /// transfer, which a coordinator starts as soon as it leads.
    pub(crate) async fn led(&self) -> Survey {
        let began = Instant::now();
        loop {
            let survey = self.survey().await;
            if survey.leader.is_some() || began.elapsed() > LED_MAX {
                return survey;
            }
            Timer::after(PAUSE).await;
        }
    }

    /// Kills all processes at once with SIGKILL. Returns their number.
    ///
    /// # Errors
    /// 1: a process is still there after `GONE_MAX`.
    pub(crate) async fn switch_off(&mut self) -> Result<usize, Failure> {
        let mut pids = children_of(self.pid);
        let killed = pids.len();
        pids.iter().for_each(|pid| kill(*pid));
        self.supervisor.kill(&[self.slot]);
        let gone = self.supervisor.all_ended(&[self.slot], GONE_MAX).await;
        pids.retain(|pid| is_alive(*pid));
        if !gone || !all_gone(&mut pids).await {
            return Err(Failure::new(Exit::Refused, format!("killed processes are still there: {pids:?}")));
        }
        Ok(killed)
    }

    /// Kills one member with SIGKILL. Returns its pid.
    ///
    /// # Errors
    /// 1: there is no living member of that name.
    pub(crate) async fn kill(&mut self, name: &str) -> Result<u32, Failure> {
        let survey = self.survey().await;
        let member = survey.members.iter().find(|member| member.alive && member.info.name() == name);
        let pid = member.map(|member| member.info.pid).filter(|pid| children_of(self.pid).contains(pid));
        let pid = pid.ok_or_else(|| Failure::new(Exit::Refused, format!("there is no {name} to kill")))?;
        kill(pid);
        Ok(pid)
    }

    /// Returns the form for a new account.
    pub(crate) fn form(&self, username: &str, name: &str) -> NewAccount {
        let email = format!("{username}@example.org");
        let (name, username, password) = (name.into(), username.into(), self.password.clone());
        NewAccount { name, username, email, password, invitation: None }
    }

    /// Connects to the balancer, as a newly started program does, and logs in.
    ///
    /// # Errors
    /// The failure of the connection or of the login.
    pub(crate) async fn log_in(&self, username: &str) -> Result<UserSession, Failure> {
        let mut person = self.visitor(username).await?;
        person.log_in(username, self.password.clone()).await?;
        Ok(person)
    }

    /// Connects to the balancer without logging in.
    ///
    /// # Errors
    /// 3: no cluster runs, or no server answers.
    pub(crate) async fn visitor(&self, username: &str) -> Result<UserSession, Failure> {
        let keys =
            self.keys.clone().ok_or_else(|| Failure::new(Exit::Unreachable, "the cluster is not running"))?;
        let cluster = ClusterAccess {
            seeds: self.ports.everyone(),
            servers: self.ports.balancer.clone().into_iter().collect(),
            found_in: Ports::path_in(&self.folder).display().to_string(),
            keys,
            book: None,
        };
        // No session is saved there: it lasts as long as this value.
        let options = PersonOptions { cluster, folder: Some(self.folder.join(username)), no_colour: true };
        UserSession::reach(&options, Box::new(|contact| log::debug!("{contact:?}"))).await
    }

    /// Stops all processes.
    pub(crate) async fn clear(&mut self) {
        let slots = [self.slot];
        self.supervisor.terminate(&slots);
        if !self.supervisor.all_ended(&slots, END_MAX).await {
            self.supervisor.kill(&slots);
            self.supervisor.all_ended(&slots, GONE_MAX).await;
        }
    }

    /// Removes the folder.
    pub(crate) fn remove(&self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            log::warn!("cannot remove the folder {}: {error}", self.folder.display());
        }
    }
}

async fn all_gone(pids: &mut Vec<u32>) -> bool {
    let began = Instant::now();
    while !pids.is_empty() && began.elapsed() < GONE_MAX {
        Timer::after(PAUSE).await;
        pids.retain(|pid| is_alive(*pid));
    }
    pids.is_empty()
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(Err(error)) = pid.map(|pid| kill_process(pid, Signal::KILL)) {
        log::debug!("cannot kill a process: {error}");
    }
}

/// Returns the state and the parent pid of a process.
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // PID (NAME) STATE PARENT …; the name may contain any character.
    let mut rest = text.rsplit_once(')')?.1.split_whitespace();
    Some((rest.next()?.chars().next()?, rest.next()?.parse().ok()?))
}

/// Returns whether a process runs. A zombie counts as dead.
fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

fn children_of(parent: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, its)| its == parent) && is_alive(*pid)).collect()
}

/// `2.4 s`
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_children_are_found_and_other_processes_are_not() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(children_of(std::process::id()).contains(&child.id()) && is_alive(child.id()));
        assert!(!children_of(child.id()).contains(&std::process::id()));
        kill(child.id());
        child.wait().unwrap();
        assert!(!is_alive(child.id()) && !children_of(std::process::id()).contains(&child.id()));
    }
}

//! The group of a scene: `ribbit up` on a temporary folder, and what may happen to its processes.
//!
//! Processes are the children of that `up`, found in /proc: what is killed is one of them and nobody else's. It is told to
//! bring nobody back, so what dies stays dead until it is switched on again. If this process is killed, `up` and its
//! children end by themselves: their standard input ends.

use crate::client::session::UserSession;
use crate::common::cluster_file::ClusterFile;
use crate::common::failure::{Exit, Failure};
use crate::common::options::{Group, PersonOptions};
use crate::common::ports::Ports;
use crate::common::probe::{formed, reached_at, serves};
use crate::up::supervisor::{Slot, Supervisor};
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

/// Who votes in what `up` starts: three backends, two coordinators.
pub const VOTERS: usize = 5;
/// With them a balancer and the pages.
pub const PROCESSES: usize = 7;
/// From switching it on until it is whole.
const ON_MAX: Duration = Duration::from_secs(60);
/// One look at whether it is; then the addresses are read again.
const LOOK_MAX: Duration = Duration::from_secs(2);
/// A leader that hands over, and one that died, has a successor after this.
const LED_MAX: Duration = Duration::from_secs(3);
/// What was killed is gone after this, or hangs in the kernel.
const GONE_MAX: Duration = Duration::from_secs(5);
/// What is told to end gets this long: less than this process itself.
const END_MAX: Duration = Duration::from_secs(6);
/// Before one looks again.
pub const PAUSE: Duration = Duration::from_millis(20);
/// The group's processes say nothing but errors here, unless RUST_LOG says otherwise: it is told what happens.
const CHILDREN_LOG: &str = "error";

pub struct Stage {
    folder: PathBuf,
    supervisor: Supervisor,
    slot: Slot,
    /// Of `up`.
    pid: u32,
    ports: Ports,
    keys: Option<Keys>,
    password: Password,
}

impl Stage {
    /// A folder, and nothing on it yet.
    ///
    /// # Errors
    /// 1: there is no place for it.
    pub fn set() -> Result<Stage, Failure> {
        let random: String = secret::new_token()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = std::env::temp_dir().join(format!("ribbit-demo-{random}"));
        // Not if it exists: in a folder for everybody it must be ours.
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(|error| {
            Failure::new(Exit::Refused, format!("cannot make the folder {}: {error}", folder.display()))
        })?;
        let mut supervisor = Supervisor::default();
        let slot = supervisor.add();
        let password = Password(format!("demo-{random}"));
        Ok(Stage { folder, supervisor, slot, pid: 0, ports: Ports::default(), keys: None, password })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts everything and waits until it is whole. Answers how long that took.
    ///
    /// # Errors
    /// 1: it does not come up.
    pub async fn switch_on(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let program = std::env::current_exe()
            .map_err(|error| Failure::new(Exit::Refused, format!("where is this program? {error}")))?;
        let mut command = Command::new(program);
        command.args(["up", "--supervised", "--web", "127.0.0.1:0", "--restart", "never", "--data-dir"]);
        command.arg(&self.folder);
        // What the environment says is for this process.
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("RIBBIT_")) {
            command.env_remove(key);
        }
        if std::env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", CHILDREN_LOG);
        }
        self.pid = self.supervisor.start(self.slot, command).map_err(|error| {
            Failure::new(Exit::Refused, format!("`ribbit up` cannot be started: {error}"))
        })?;
        while !self.is_whole().await {
            let over = began.elapsed() > ON_MAX || !self.supervisor.runs(self.slot);
            if over || self.has_ended().await {
                let message = format!("the group is not whole after {}", seconds(began.elapsed()));
                return Err(Failure::new(Exit::Refused, message));
            }
        }
        Ok(began.elapsed())
    }

    /// Whether `up` has ended by itself.
    async fn has_ended(&mut self) -> bool {
        self.supervisor.all_ended(&[self.slot], PAUSE).await
    }

    /// Reads where everybody is, and looks whether everybody is there.
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

    /// How the group is.
    pub async fn survey(&self) -> Survey {
        match &self.keys {
            Some(keys) => survey(&self.ports.everyone(), keys).await,
            None => Survey::default(),
        }
    }

    /// How the group is once somebody leads, or after `LED_MAX`: while a leader hands over, and a coordinator does so soon,
    /// nobody leads for a moment.
    pub async fn led(&self) -> Survey {
        let began = Instant::now();
        loop {
            let survey = self.survey().await;
            if survey.leader.is_some() || began.elapsed() > LED_MAX {
                return survey;
            }
            Timer::after(PAUSE).await;
        }
    }

    /// `kill -9` of every process at once. Answers how many they were.
    ///
    /// # Errors
    /// 1: they do not go.
    pub async fn switch_off(&mut self) -> Result<usize, Failure> {
        let mut pids = children_of(self.pid);
        let killed = pids.len();
        pids.iter().for_each(|pid| kill(*pid));
        self.supervisor.kill(&[self.slot]);
        let gone = self.supervisor.all_ended(&[self.slot], GONE_MAX).await;
        pids.retain(|pid| is_alive(*pid));
        if !gone || !all_gone(&mut pids).await {
            return Err(Failure::new(Exit::Refused, format!("killed, and still there: {pids:?}")));
        }
        Ok(killed)
    }

    /// `kill -9` of one member, by name. Answers its process's number.
    ///
    /// # Errors
    /// 1: there is none of that name.
    pub async fn kill(&mut self, name: &str) -> Result<u32, Failure> {
        let survey = self.survey().await;
        let member = survey.members.iter().find(|member| member.alive && member.info.name() == name);
        let pid = member.map(|member| member.info.pid).filter(|pid| children_of(self.pid).contains(pid));
        let pid = pid.ok_or_else(|| Failure::new(Exit::Refused, format!("there is no {name} to kill")))?;
        kill(pid);
        Ok(pid)
    }

    /// Somebody who wants an account.
    pub fn form(&self, username: &str, name: &str) -> NewAccount {
        let email = format!("{username}@example.org");
        NewAccount { name: name.into(), username: username.into(), email, password: self.password.clone() }
    }

    /// This person comes to the balancer, as with a program just started, and logs in.
    ///
    /// # Errors
    /// Nobody answers; it is refused.
    pub async fn log_in(&self, username: &str) -> Result<UserSession, Failure> {
        let mut person = self.visitor(username).await?;
        person.log_in(username, self.password.clone()).await?;
        Ok(person)
    }

    /// The same, without logging in.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn visitor(&self, username: &str) -> Result<UserSession, Failure> {
        let keys =
            self.keys.clone().ok_or_else(|| Failure::new(Exit::Unreachable, "nothing is switched on"))?;
        let group = Group {
            seeds: self.ports.everyone(),
            servers: self.ports.balancer.clone().into_iter().collect(),
            found_in: Ports::path_in(&self.folder).display().to_string(),
            keys,
            book: None,
        };
        // Nothing is kept there: a session lasts as long as its person.
        let options = PersonOptions { group, folder: Some(self.folder.join(username)), no_colour: true };
        UserSession::reach(&options, Box::new(|contact| log::debug!("{contact:?}"))).await
    }

    /// Ends everything.
    pub async fn clear(&mut self) {
        let slots = [self.slot];
        self.supervisor.terminate(&slots);
        if !self.supervisor.all_ended(&slots, END_MAX).await {
            self.supervisor.kill(&slots);
            self.supervisor.all_ended(&slots, GONE_MAX).await;
        }
    }

    /// Removes the folder.
    pub fn remove(&self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            log::warn!("the folder {} stays: {error}", self.folder.display());
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
        log::debug!("it cannot be killed: {error}");
    }
}

/// The state and the parent of a process, as the kernel tells it.
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // PID (NAME) STATE PARENT …, and the name may hold anything.
    let mut rest = text.rsplit_once(')')?.1.split_whitespace();
    Some((rest.next()?.chars().next()?, rest.next()?.parse().ok()?))
}

/// One that waits for somebody to take notice of its end is dead.
fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

fn children_of(parent: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, its)| its == parent) && is_alive(*pid)).collect()
}

/// `2.4 s`
pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_found_and_those_of_others_are_not() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(children_of(std::process::id()).contains(&child.id()) && is_alive(child.id()));
        assert!(!children_of(child.id()).contains(&std::process::id()));
        kill(child.id());
        child.wait().unwrap();
        assert!(!is_alive(child.id()) && !children_of(std::process::id()).contains(&child.id()));
    }
}

//! `ribbit up`: a complete cluster on one machine, every role a process of its own on loopback.
//!
//! ```text
//!   folder, lock, cluster file, ports ─▶ members and balancer ─▶ all voters vote, there is a leader
//!        ─▶ web, gateway?, irc? ─▶ /livez answers ─▶ "ribbit is up" ─▶ restart processes that exit ─▶ stop: web, balancer, members
//! ```
//!
//! Each child runs a command that a user could type (`ribbit backend --id 2 --data-dir ribbit-data`) and reads its addresses
//! from the ports file, so a child can also be restarted by hand. This process holds no data and may be killed: its children
//! then stop by themselves.
//!
//! Until the cluster is up, children are restarted regardless of `--restart`. A child that exits with 78 during that time
//! ends `up`, because a restart would not help.
//!
//! - [`folder`]: the folder, its lock and cluster file; [`ports`]: the choice of ports, stable through restarts
//! - [`supervisor`]: children and their pauses

pub(crate) mod arguments;
pub(crate) mod folder;
pub(crate) mod ports;
pub(crate) mod supervisor;

use crate::common::command_line::command_line;
use crate::common::defaults::{DISK_QUOTA, POSTS_PER_MINUTE};
use crate::common::failure::{Exit, Failure, other_format};
use crate::common::output;
use crate::common::ports::Ports;
use crate::common::probe::{alive_voters, formed, reached_at, serves, voters_of};
use crate::common::values;
use crate::common::{systemd, test_hooks};
use crate::gateway;
use arguments::{Restart, UpOptions};
use folder::Folder;
use ribbit_db::{DbError, format};
use ribbit_net::keys::Keys;
use ribbit_net::survey::survey;
use ribbit_replica::limits::{EVICT_TICKS, TICK_MS};
use ribbit_state::{MemberName, Role};
use smol::Timer;
use smol::future::{or, pending};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Command;
use std::time::{Duration, Instant};
use supervisor::{ChildEvent, ExitStatusKind, ProcessSupervisor, RestartDelay, Slot};

/// Timeout from the start until the web pages answer.
const UP_MAX: Duration = Duration::from_secs(60);
/// Time from the request to stop until the remaining processes are killed.
const STOP_MAX: Duration = Duration::from_secs(5);
/// Part of that time in which the web role and the balancer end their connections, before the members are stopped.
const FRONT_STOP_MAX: Duration = Duration::from_secs(1);
/// Time to wait for a killed process; after it, the process hangs in the kernel.
const KILL_MAX: Duration = Duration::from_secs(2);
/// Shortest restart delay that is printed.
const SHOWN_DELAY_MIN: Duration = Duration::from_millis(500);
/// Default of the members' `--evict-after`.
const EVICT_AFTER: Duration = Duration::from_millis(EVICT_TICKS * TICK_MS);
/// Log filter of the children, unless RUST_LOG is set.
const CHILDREN_LOG: &str = "warn";
/// Number of heaps that glibc's allocator keeps in each child, as the systemd units set it. Every thread would get a heap of
/// its own, which together held 10 MB more of free memory after a load. Other allocators ignore it.
const ARENAS: (&str, &str) = ("MALLOC_ARENA_MAX", "2");

/// Refuses the folder of another version of ribbit, before anything is written and once for all members.
fn check_formats(data_dir: &Path, members: &[(Role, u32)]) -> Result<(), Failure> {
    for (role, id) in members {
        let store = data_dir.join(MemberName::at_home(*role, *id).to_string());
        if let Err(error @ DbError::Format(_)) = format::check_folder(&store, u32::MAX) {
            return Err(other_format(&store, &error));
        }
    }
    Ok(())
}

/// Runs the cluster until `stop` completes.
///
/// # Errors
/// 1: the cluster does not come up. 78: a file or a child's configuration is wrong.
pub(crate) async fn run(options: UpOptions, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let folder = Folder::open(&options.data_dir)?;
    let web = ports::web(&options.web)?;
    let keys = folder.cluster_file()?.keys();
    let members = ports::members(options.backends, options.coordinators);
    check_formats(folder.path(), &members)?;
    let before = Ports::read(folder.path())?.unwrap_or_default();
    let mut ports = ports::choose(&before, &members, web).map_err(|error| {
        Failure::new(Exit::Refused, format!("cannot find free ports on loopback: {error}"))
    })?;
    ports::settle_founder(&mut ports, folder.path());
    let mut up = Up::new(&folder, ports, keys, &options)?;
    up.write_ports()?;
    let ended = up.tend(stop).await;
    up.stop_all().await;
    ended
}

/// Role of a child process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChildRole {
    Member(Role, u32),
    Balancer,
    Web,
    Gateway,
    Irc,
}

impl ChildRole {
    fn name(self) -> String {
        match self {
            ChildRole::Member(role, id) => MemberName::at_home(role, id).to_string(),
            ChildRole::Balancer => "balancer".to_string(),
            ChildRole::Web => "web".to_string(),
            ChildRole::Gateway => "gateway".to_string(),
            ChildRole::Irc => "irc".to_string(),
        }
    }

    /// Returns true if people reach the cluster through it, so it starts once the members have formed one.
    fn is_front(self) -> bool {
        match self {
            ChildRole::Web | ChildRole::Gateway | ChildRole::Irc => true,
            ChildRole::Member(..) | ChildRole::Balancer => false,
        }
    }

    /// Returns the arguments of this child's command.
    fn arguments(self, data_dir: &Path, settings: &ChildSettings) -> Vec<OsString> {
        let mut words: Vec<OsString> = match self {
            ChildRole::Member(role, id) => {
                let mut words = vec![role.name().into(), "--id".into(), id.to_string().into()];
                if settings.evict_after != EVICT_AFTER {
                    let time = settings.evict_after.as_secs();
                    words.extend(["--evict-after".into(), format!("{time}s").into()]);
                }
                if Ok(settings.disk_quota_bytes) != values::disk_quota(DISK_QUOTA) {
                    words.extend(["--disk-quota".into(), settings.disk_quota_bytes.to_string().into()]);
                }
                if role == Role::Backend && settings.posts_per_minute != POSTS_PER_MINUTE {
                    words.extend(["--posts-per-minute".into(), settings.posts_per_minute.to_string().into()]);
                }
                words
            }
            ChildRole::Balancer => vec!["balancer".into()],
            ChildRole::Web => vec!["client".into(), "web".into()],
            ChildRole::Gateway => {
                let mut words: Vec<OsString> = vec!["client".into(), "gateway".into()];
                words.extend(settings.gateway.iter().map(OsString::from));
                words
            }
            ChildRole::Irc => {
                let mut words: Vec<OsString> = vec!["client".into(), "irc".into()];
                words.extend(settings.irc.iter().flat_map(|listen| ["--listen".into(), listen.into()]));
                words
            }
        };
        words.extend(["--data-dir".into(), data_dir.into()]);
        words
    }
}

/// Settings that are passed to children. Those of members are left out if they are the defaults.
#[derive(Debug, Clone)]
struct ChildSettings {
    evict_after: Duration,
    disk_quota_bytes: u64,
    posts_per_minute: u32,
    /// Flags of the gateway; empty without one.
    gateway: Vec<String>,
    /// Listen address for IRC clients, if they are served.
    irc: Option<String>,
}

/// A child process and its restart state.
struct Child {
    part: ChildRole,
    slot: Slot,
    restart_delay: RestartDelay,
    /// Its death was printed, so its return is printed as well.
    missed: bool,
}

/// Progress of the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StartPhase {
    /// Waiting until all voters vote and there is a leader.
    Forming,
    /// Waiting until the web role answers.
    Opening,
    /// The cluster is up.
    Up,
}

struct Up {
    data_dir: PathBuf,
    ephemeral: bool,
    restart: Restart,
    settings: ChildSettings,
    program: PathBuf,
    ports: Ports,
    keys: Keys,
    children: Vec<Child>,
    supervisor: ProcessSupervisor,
    stage: StartPhase,
    goal: Pin<Box<dyn Future<Output = ()>>>,
}

enum Wakeup {
    Stop,
    TooLate,
    Reached,
    Child(ChildEvent),
}

impl Up {
    fn new(folder: &Folder, ports: Ports, keys: Keys, options: &UpOptions) -> Result<Up, Failure> {
        let program = std::env::current_exe().map_err(|error| {
            Failure::new(Exit::Refused, format!("cannot find the path of this program: {error}"))
        })?;
        let mut supervisor = ProcessSupervisor::default();
        let members = ports.members.keys().map(|(role, id)| ChildRole::Member(*role, *id));
        let settings = ChildSettings {
            evict_after: options.evict_after,
            disk_quota_bytes: options.disk_quota_bytes,
            posts_per_minute: options.posts_per_minute,
            gateway: if options.gateway { gateway_flags()? } else { Vec::new() },
            irc: options.irc.as_deref().map(ports::irc).transpose()?,
        };
        let gateway = options.gateway.then_some(ChildRole::Gateway);
        let irc = settings.irc.is_some().then_some(ChildRole::Irc);
        let parts = members.chain([ChildRole::Balancer, ChildRole::Web]).chain(gateway).chain(irc);
        let children = parts.map(|part| {
            let slot = supervisor.add();
            Child { part, slot, restart_delay: RestartDelay::default(), missed: false }
        });
        let children = children.collect();
        Ok(Up {
            data_dir: folder.path().to_path_buf(),
            ephemeral: folder.is_ephemeral(),
            restart: options.restart,
            settings,
            program,
            ports,
            keys,
            children,
            supervisor,
            stage: StartPhase::Forming,
            goal: Box::pin(pending()),
        })
    }

    /// Starts all children in order and supervises them until `stop` completes.
    async fn tend(&mut self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        let mut stop = std::pin::pin!(stop);
        let mut deadline = Timer::after(UP_MAX);
        for index in 0..self.children.len() {
            if !self.children[index].part.is_front() {
                self.start(index);
            }
        }
        self.await_members();
        loop {
            let told = async {
                (&mut stop).await;
                Wakeup::Stop
            };
            let too_late = async {
                (&mut deadline).await;
                Wakeup::TooLate
            };
            let reached = async {
                (&mut self.goal).await;
                Wakeup::Reached
            };
            let child = async { Wakeup::Child(self.supervisor.next().await) };
            match or(told, or(child, or(reached, too_late))).await {
                Wakeup::Stop => return Ok(()),
                Wakeup::TooLate => return Err(self.did_not_come_up().await),
                Wakeup::Reached => {
                    self.advance()?;
                    if self.stage == StartPhase::Up {
                        deadline = Timer::never();
                    }
                }
                Wakeup::Child(event) => self.follow(event)?,
            }
        }
    }

    fn await_members(&mut self) {
        let voters = voters_of(self.ports.members.len() as u32);
        self.goal = Box::pin(formed(self.ports.everyone(), self.keys.clone(), voters));
    }

    fn advance(&mut self) -> Result<(), Failure> {
        match self.stage {
            StartPhase::Forming => {
                (self.ports.founded, self.ports.founder) = (true, None);
                self.write_ports()?;
                self.stage = StartPhase::Opening;
                self.goal = Box::pin(serves(reached_at(self.web())));
                for index in 0..self.children.len() {
                    if self.children[index].part.is_front() {
                        self.start(index);
                    }
                }
            }
            StartPhase::Opening => {
                self.stage = StartPhase::Up;
                output::line(&format!("ribbit is up: http://{}", reached_at(self.web())));
                let words = format!("serving pages on http://{}", self.web());
                self.goal = Box::pin(systemd::serving(move || words.clone()));
                let stays = if self.ephemeral { "temporary" } else { "kept" };
                let data_dir = self.data_dir.display();
                output::line(&format!(
                    "  in {data_dir} ({stays}); `ribbit status --data-dir {data_dir}` shows the members; Ctrl-C stops it"
                ));
                if let Some(served) = served_by(&self.settings.gateway) {
                    output::line(&format!("  older clients are served: {served}"));
                }
                if let Some(listen) = &self.settings.irc {
                    output::line(&format!("  IRC clients are served: {listen}"));
                }
            }
            StartPhase::Up => {}
        }
        Ok(())
    }

    /// Handles an event of a child.
    fn follow(&mut self, event: ChildEvent) -> Result<(), Failure> {
        match event {
            ChildEvent::Due { slot } => {
                let index = self.index_of(slot);
                self.start(index);
            }
            ChildEvent::Died { slot, pid, ending, lived } => {
                let index = self.index_of(slot);
                let died = format!("{} (pid {pid}) {ending}", self.children[index].part.name());
                self.after_death(index, &died, ending, lived)?;
            }
        }
        Ok(())
    }

    fn after_death(
        &mut self,
        index: usize,
        died: &str,
        ending: ExitStatusKind,
        lived: Duration,
    ) -> Result<(), Failure> {
        let part = self.children[index].part;
        let again = command_line(&part.arguments(&self.data_dir, &self.settings));
        self.children[index].missed = true;
        if ending == ExitStatusKind::Code(Exit::Configuration as i32) {
            if self.stage != StartPhase::Up {
                let message = format!("{died}: see its message above");
                return Err(Failure::new(Exit::Configuration, message));
            }
            output::line(&format!("{died}; fix the problem above, then start it with: {again}"));
            return Ok(());
        }
        if self.restart == Restart::Never && self.stage == StartPhase::Up {
            output::line(&format!("{died}; start it again with: {again}"));
            return Ok(());
        }
        self.renew_address(part)?;
        // A full disk stays full for a while, so the backoff must not be reset by a long life.
        let lived = if ending == ExitStatusKind::Code(Exit::Disk as i32) { Duration::ZERO } else { lived };
        let delay = self.children[index].restart_delay.after(lived);
        let when = match delay {
            delay if delay < SHOWN_DELAY_MIN => String::new(),
            delay => format!(" in {:.1} s", delay.as_secs_f32()),
        };
        output::line(&format!("{died}; restarting{when}"));
        self.supervisor.wake_after(self.children[index].slot, delay);
        Ok(())
    }

    /// Assigns a new address to a child that died if another program took its port.
    fn renew_address(&mut self, part: ChildRole) -> Result<(), Failure> {
        let address = match part {
            ChildRole::Member(role, id) => self.ports.members.get_mut(&(role, id)),
            ChildRole::Balancer => self.ports.balancer.as_mut(),
            // Older clients have its ports built in, and people have typed that of IRC into theirs.
            ChildRole::Gateway | ChildRole::Irc => return Ok(()),
            // Users know the address of the pages, so it stays and the web role waits for its port.
            ChildRole::Web => {
                return match self.stage == StartPhase::Opening && ports::is_taken(self.web()) {
                    true => ports::web(self.web()).map(drop),
                    false => Ok(()),
                };
            }
        };
        let Some(address) = address else { return Ok(()) };
        let renewed = ports::renew(address).map_err(|error| {
            Failure::new(Exit::Refused, format!("cannot find a free port on loopback: {error}"))
        })?;
        if !renewed {
            return Ok(());
        }
        log::info!("{} moves to {address}: another program took its port", part.name());
        self.write_ports()?;
        if self.stage == StartPhase::Forming {
            self.await_members();
        }
        if part == ChildRole::Balancer {
            // The fronts learn the balancer's address when they start.
            let front = self.slots(ChildRole::is_front);
            self.supervisor.terminate(&front);
        }
        Ok(())
    }

    /// Starts a child's process. A failed start is retried like a process that died at once.
    fn start(&mut self, index: usize) {
        let command = self.command(self.children[index].part);
        let child = &mut self.children[index];
        let name = child.part.name();
        match self.supervisor.start(child.slot, command) {
            Ok(pid) if std::mem::take(&mut child.missed) => {
                output::line(&format!("{name} is back (pid {pid})"));
            }
            Ok(pid) => log::debug!("{name} started (pid {pid})"),
            Err(error) => {
                let delay = child.restart_delay.after(Duration::ZERO);
                output::line(&format!("cannot start {name}: {error}; trying again"));
                child.missed = true;
                self.supervisor.wake_after(child.slot, delay);
            }
        }
    }

    fn command(&self, part: ChildRole) -> Command {
        let mut command = Command::new(&self.program);
        command.args(part.arguments(&self.data_dir, &self.settings)).arg("--supervised");
        if self.ports.founder.as_ref() == Some(&part.name()) {
            command.arg("--found");
        }
        // Settings in the environment are for this process: a child's addresses are in the ports file. Only test hooks
        // are passed on.
        for (key, _) in std::env::vars_os() {
            let name = key.to_string_lossy();
            if name.starts_with("RIBBIT_") && !test_hooks::is_hook(&name) {
                command.env_remove(&key);
            }
        }
        // Only this process may notify the service manager.
        for name in systemd::FOR_THIS_PROCESS {
            command.env_remove(name);
        }
        if std::env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", CHILDREN_LOG);
        }
        if std::env::var_os(ARENAS.0).is_none() {
            command.env(ARENAS.0, ARENAS.1);
        }
        command
    }

    /// Stops the web role, the gateway and the balancer, then the members; kills what still runs after `STOP_MAX`.
    async fn stop_all(&mut self) {
        let told = Instant::now();
        let front = self.slots(|part| !matches!(part, ChildRole::Member(..)));
        self.supervisor.terminate(&front);
        self.supervisor.all_ended(&front, FRONT_STOP_MAX).await;
        let all = self.slots(|_| true);
        let members = self.slots(|part| matches!(part, ChildRole::Member(..)));
        self.supervisor.terminate(&members);
        if !self.supervisor.all_ended(&all, STOP_MAX.saturating_sub(told.elapsed())).await {
            let running = self.children.iter().filter(|child| self.supervisor.runs(child.slot));
            let names: Vec<String> = running.map(|child| child.part.name()).collect();
            log::warn!("killed because they did not stop within {STOP_MAX:?}: {}", names.join(", "));
            self.supervisor.kill(&all);
            self.supervisor.all_ended(&all, KILL_MAX).await;
        }
    }

    /// Returns the failure that says what is missing.
    async fn did_not_come_up(&self) -> Failure {
        let mut missing = Vec::new();
        let survey = survey(&self.ports.everyone(), &self.keys).await;
        let voters = voters_of(self.ports.members.len() as u32);
        if survey.leader.is_none() {
            missing.push("there is no leader".to_string());
        }
        if alive_voters(&survey) < voters {
            missing.push(format!("only {} of {voters} voters are alive", alive_voters(&survey)));
        }
        let web_is_due = self.stage != StartPhase::Forming;
        let absent = self
            .children
            .iter()
            .filter(|child| !self.supervisor.runs(child.slot) && (!child.part.is_front() || web_is_due));
        missing.extend(absent.map(|child| format!("{} keeps exiting", child.part.name())));
        if missing.is_empty() {
            missing.push(format!("the pages do not answer at {}", self.web()));
        }
        let message =
            format!("the cluster did not come up within {} s: {}", UP_MAX.as_secs(), missing.join("; "));
        Failure::new(Exit::Refused, message)
    }

    fn write_ports(&self) -> Result<(), Failure> {
        let written: io::Result<()> = self.ports.write(&self.data_dir);
        written.map_err(|error| {
            let path = Ports::path_in(&self.data_dir);
            Failure::new(Exit::Refused, format!("cannot write {}: {error}", path.display()))
        })
    }

    fn web(&self) -> &str {
        self.ports.web.as_deref().expect("chosen before anything starts")
    }

    fn index_of(&self, slot: Slot) -> usize {
        let index = self.children.iter().position(|child| child.slot == slot);
        index.expect("every slot belongs to a child")
    }

    fn slots(&self, wanted: impl Fn(ChildRole) -> bool) -> Vec<Slot> {
        self.children.iter().filter(|child| wanted(child.part)).map(|child| child.slot).collect()
    }
}

/// Returns the flags of the gateway: all protocols on their original ports. One whose port is taken is left out, and said.
///
/// # Errors
/// 1: a port of every protocol is taken.
fn gateway_flags() -> Result<Vec<String>, Failure> {
    let mut flags = Vec::new();
    for (name, protocol_ports) in gateway::original_ports() {
        match protocol_ports.iter().find(|port| ports::is_taken(&format!("127.0.0.1:{port}"))) {
            Some(taken) => output::line(&format!("port {taken} is taken, so --{name} is left out")),
            None => {
                let ports: Vec<String> = protocol_ports.iter().map(u16::to_string).collect();
                flags.extend([format!("--{name}"), ports.join(",")]);
            }
        }
    }
    if flags.is_empty() {
        let message = "other programs have the ports of all older systems: stop them, or leave out --gateway";
        return Err(Failure::new(Exit::Refused, message));
    }
    flags.push("--names-without-password".to_string());
    Ok(flags)
}

/// Returns the protocols in the flags of the gateway and their ports, for people.
fn served_by(flags: &[String]) -> Option<String> {
    let served =
        flags.chunks_exact(2).map(|pair| format!("{} on {}", pair[0].trim_start_matches('-'), pair[1]));
    Some(served.collect::<Vec<String>>().join("; ")).filter(|served| !served.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_runs_a_command_that_a_user_could_type() {
        let usual = ChildSettings {
            evict_after: EVICT_AFTER,
            disk_quota_bytes: values::disk_quota(DISK_QUOTA).unwrap(),
            posts_per_minute: POSTS_PER_MINUTE,
            gateway: ["--chat", "1538,2538", "--names-without-password"].map(String::from).to_vec(),
            irc: Some("127.0.0.1:6667".to_string()),
        };
        let typed = |part: ChildRole| command_line(&part.arguments(Path::new("ribbit-data"), &usual));
        assert_eq!(
            typed(ChildRole::Member(Role::Backend, 2)),
            "ribbit backend --id 2 --data-dir ribbit-data"
        );
        assert_eq!(typed(ChildRole::Web), "ribbit client web --data-dir ribbit-data");
        assert_eq!(
            typed(ChildRole::Gateway),
            "ribbit client gateway --chat 1538,2538 --names-without-password --data-dir ribbit-data"
        );
        assert_eq!(typed(ChildRole::Irc), "ribbit client irc --listen 127.0.0.1:6667 --data-dir ribbit-data");
        assert_eq!(served_by(&usual.gateway).as_deref(), Some("chat on 1538,2538"));
        assert_eq!(served_by(&[]), None);
        let part = ChildRole::Member(Role::Coordinator, 1);
        let evict_after = Duration::from_secs(120);
        let settings =
            ChildSettings { evict_after, disk_quota_bytes: 1 << 20, posts_per_minute: 0, ..usual.clone() };
        let words = command_line(&part.arguments(Path::new("d"), &settings));
        assert_eq!(words, "ribbit coordinator --id 1 --evict-after 120s --disk-quota 1048576 --data-dir d");
        let words = command_line(&ChildRole::Member(Role::Backend, 1).arguments(Path::new("d"), &settings));
        assert!(words.contains(" --posts-per-minute 0 "), "{words}");
        assert_eq!(typed(ChildRole::Balancer), "ribbit balancer --data-dir ribbit-data");
    }
}

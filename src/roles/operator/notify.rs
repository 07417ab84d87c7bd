//! `ribbit health --notify PROGRAM`: runs a program when the cluster's health changes.
//!
//! ```text
//!   survey ── as last notified ──▶ wait --every ── survey …
//!       └── other ──▶ wait a moment ──▶ survey again ── the same ──▶ run the program, once, and wait until it ends
//!                                                   └── other, or as before ──▶ look again
//! ```
//!
//! A change is a change of the problems: of their kinds, or of the members that have them. It has to be seen twice, so an election
//! or a member that is restarted is no change. The program is started directly, not through a shell. It is killed with its process
//! group after [`NOTIFY_MAX`], and the next survey begins when it has ended, so there are never two.

use crate::common::cluster_selection::ClusterAccess;
use crate::common::output;
use crate::common::survey::settled;
use crate::common::systemd;
use ribbit_net::health::{Health, Problem, overall, problems};
use ribbit_net::survey::Survey;
use ribbit_ui::health;
use rustix::process::{Pid, Signal, kill_process_group};
use smol::Timer;
use smol::future::FutureExt;
use smol::io::AsyncWriteExt;
use smol::process::Command;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;

/// Maximum time for which the program runs.
const NOTIFY_MAX: Duration = Duration::from_secs(60);
/// Pause after which a change has to be there still, unless `--every` is shorter.
const CONFIRM: Duration = Duration::from_secs(3);

/// The program to run, and how often to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotifyOptions {
    pub program: Vec<OsString>,
    pub every: Duration,
}

/// Surveys the cluster and runs the program for each change, until `stop` completes.
pub(crate) async fn run(
    cluster: &ClusterAccess,
    options: &NotifyOptions,
    json: bool,
    stop: impl Future<Output = ()>,
) {
    watch(cluster, options, json).or(stop).await;
}

async fn watch(cluster: &ClusterAccess, options: &NotifyOptions, json: bool) {
    // At the beginning a healthy cluster is no change.
    let mut notified: Vec<Problem> = Vec::new();
    let first = settled(cluster).await;
    let mut found = problems(&first);
    if found.is_empty() {
        print(&first, json);
    }
    loop {
        if found != notified {
            Timer::after(CONFIRM.min(options.every)).await;
            let survey = settled(cluster).await;
            let again = problems(&survey);
            if again != found {
                found = again;
                continue;
            }
            print(&survey, json);
            notify(options, &survey, overall(&notified)).await;
            notified = found;
        }
        Timer::after(options.every).await;
        found = problems(&settled(cluster).await);
    }
}

fn print(survey: &Survey, json: bool) {
    output::line(&if json { health::json(survey) } else { health::words(survey) });
}

/// Runs the program and waits until it has ended. A failure is reported and changes nothing.
async fn notify(options: &NotifyOptions, survey: &Survey, before: Health) {
    let [program, arguments @ ..] = &options.program[..] else { return };
    let shown = program.to_string_lossy();
    let words = health::words(survey);
    let mut command = std::process::Command::new(program);
    command.args(arguments).process_group(0);
    // It must not talk to the service manager in the name of this process.
    for name in systemd::FOR_THIS_PROCESS {
        command.env_remove(name);
    }
    let troubles: Vec<String> = problems(survey).iter().map(health::problem_words).collect();
    command.env("RIBBIT_HEALTH_STATE", health::health_name(overall(&problems(survey))));
    command.env("RIBBIT_HEALTH_BEFORE", health::health_name(before));
    command.env("RIBBIT_HEALTH_TROUBLES", troubles.join("\n"));
    let mut command = Command::from(command);
    command.stdin(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return eprintln!("cannot run {shown}: {error}"),
    };
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let input = child.stdin.take();
    let fed = async {
        // A program that reads nothing may have closed its input.
        if let Some(mut input) = input {
            let _ = input
                .write_all(format!("{}\n", words.replace("\n  ", " ").replace('\n', " ")).as_bytes())
                .await;
        }
        child.status().await.map(Some)
    };
    let late = async {
        Timer::after(NOTIFY_MAX).await;
        Ok(None)
    };
    match fed.or(late).await {
        Ok(Some(status)) if status.success() => {}
        Ok(Some(status)) => eprintln!("{shown} failed: {status}"),
        Ok(None) => {
            eprintln!("{shown} was stopped: it ran for more than {} s", NOTIFY_MAX.as_secs());
            if let Some(group) = group {
                let _ = kill_process_group(group, Signal::KILL);
            }
        }
        Err(error) => eprintln!("the end of {shown} is unknown: {error}"),
    }
}

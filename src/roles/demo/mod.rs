//! `ribbit demo`: demonstrates crash recovery and failover with real processes on this machine, and checks each claim.
//!
//! ```text
//!   temporary folder ─▶ `ribbit up` on it ─▶ scene: action, claim, action, claim … ─▶ verdict
//!                                              └─ a claim fails: printed, counted, the folder is kept, exit code 1
//! ```
//!
//! - [`stage`]: the cluster and its failures
//! - [`persistence`]: all processes killed while messages wait; [`replication`]: the leader killed during a conversation
//!
//! The claims are what users rely on, and they are checked as a user would: log in, read, count. A request that gets no
//! answer is a failed claim as well. Ctrl-C stops the demo and leaves nothing behind.

mod persistence;
mod replication;
mod stage;

use crate::common::failure::{Exit, Failure};
use crate::common::output;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};
use ribbit_net::survey::Survey;
use ribbit_ui::demo::{self, Claim, MarkStyle};
use smol::Timer;
use smol::future::or;
use stage::DemoCluster;
use std::io::IsTerminal;
use std::time::Duration;

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Scene to play
    #[arg(value_name = "SCENE", value_enum)]
    pub scene: Scene,
    /// Skip the pauses that leave time to read
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub fast: bool,
}

/// Scene of `demo`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Scene {
    /// Kill all processes while messages wait, then start them again
    Persistence,
    /// Kill the leader during a conversation, then the next leader
    Replication,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Runs a cluster of its own on this machine, on free ports and in a temporary
folder. Each claim is checked. If a check fails, the exit code is 1 and the
folder is kept. Ctrl-C stops the demo.

Examples:
  ribbit demo persistence
  ribbit demo replication --fast";

/// Exit code after Ctrl-C, as shells report it.
const INTERRUPTED: u8 = 130;
/// Pause between two outputs, so that users can read along.
const PACE: Duration = Duration::from_millis(1_500);

/// Plays a scene and returns the exit code.
///
/// # Errors
/// 1: the cluster cannot be started, or a claim failed.
pub(crate) async fn run(options: &DemoArgs, stop: impl Future<Output = ()>) -> Result<u8, Failure> {
    let mut stage = DemoCluster::set()?;
    let mut narrator = Narrator::new(if options.fast { Duration::ZERO } else { PACE });
    let played = async { Some(play(options.scene, &mut stage, &mut narrator).await) };
    let stopped = async {
        stop.await;
        None
    };
    let played = or(stopped, played).await;
    stage.clear().await;
    match played {
        None => {
            stage.remove();
            Ok(INTERRUPTED)
        }
        Some(played) => {
            if let Err(failure) = played {
                narrator.claim("the scene can go on", failure.message, false).await;
            }
            output::line(&demo::verdict(
                narrator.held,
                narrator.failed,
                &stage.folder().display().to_string(),
            ));
            if narrator.failed > 0 {
                return Err(Failure::said(Exit::Refused));
            }
            stage.remove();
            Ok(0)
        }
    }
}

async fn play(scene: Scene, stage: &mut DemoCluster, narrator: &mut Narrator) -> Result<(), Failure> {
    match scene {
        Scene::Persistence => persistence::play(stage, narrator).await,
        Scene::Replication => replication::play(stage, narrator).await,
    }
}

/// Starts the cluster of a scene. Returns the time it took and a survey of the cluster.
async fn begin(stage: &mut DemoCluster, narrator: &Narrator) -> Result<(Duration, Survey), Failure> {
    narrator
        .does("Start a cluster on this machine: three backends, two coordinators, a balancer, the web pages.")
        .await;
    let took = stage.switch_on().await?;
    Ok((took, stage.led().await))
}

/// Prints the scene and counts the claims.
struct Narrator {
    pace: Duration,
    marks: MarkStyle,
    held: usize,
    failed: usize,
}

impl Narrator {
    fn new(pace: Duration) -> Narrator {
        // The first of these variables that is set determines the locale.
        let mut named = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|name| std::env::var(name).ok());
        let lang = named.find(|value| !value.is_empty()).unwrap_or_default();
        let marks = MarkStyle::fitting(std::io::stdout().is_terminal(), &lang);
        Narrator { pace, marks, held: 0, failed: 0 }
    }

    fn title(&self, text: &str) {
        output::line(&demo::title(text));
    }

    /// Prints the next action.
    async fn does(&self, text: &str) {
        Timer::after(self.pace).await;
        output::line(&demo::done(text));
        Timer::after(self.pace / 2).await;
    }

    /// Pauses between two lines of a conversation.
    async fn breath(&self) {
        Timer::after(self.pace / 3).await;
    }

    /// Prints and counts a claim: the expected state, the actual state, and whether it holds.
    async fn claim(&mut self, expected: impl Into<String>, seen: impl Into<String>, holds: bool) {
        let claim = Claim { expected: expected.into(), seen: seen.into(), holds };
        output::line(&demo::claim(&claim, self.marks));
        *(if holds { &mut self.held } else { &mut self.failed }) += 1;
        Timer::after(self.pace / 2).await;
    }

    /// Claims that two lists are equal, in the same order and without duplicates.
    async fn same(&mut self, what: &str, expected: &[String], seen: &[String]) {
        let listed = |texts: &[String]| match texts {
            [] => "none".to_string(),
            texts => texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", "),
        };
        self.claim(format!("{what}: {}", listed(expected)), listed(seen), expected == seen).await;
    }
}

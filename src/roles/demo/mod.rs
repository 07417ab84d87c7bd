//! `ribbit demo`: the two classic scenes, played on this machine by real processes, each claim checked.
//!
//! ```text
//!   a folder of its own ─▶ `ribbit up` on it ─▶ scene: does, claims, does, claims … ─▶ verdict
//!                                                 └─ a claim fails: said, counted, the folder is kept, exit code 1
//! ```
//!
//! - [`stage`]: the group: switched on, switched off, parts of it killed
//! - [`persistence`]: everything off with messages waiting, then on; [`replication`]: the leader killed in mid-conversation
//!
//! What is claimed is what people rely on, and it is looked at as people would: log in, read, count. What is done when
//! nobody answers is a claim that failed, too. Ctrl-C ends all of it and leaves nothing behind.

mod persistence;
mod replication;
mod stage;

use crate::common::failure::{Exit, Failure};
use crate::common::options::{DemoOptions, Scene};
use crate::common::output;
use ribbit_net::survey::Survey;
use ribbit_ui::demo::{self, Claim, Marks};
use smol::Timer;
use smol::future::or;
use stage::Stage;
use std::io::IsTerminal;
use std::time::Duration;

/// What shells say of a command that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;
/// Between what is said, so that one can read it.
const PACE: Duration = Duration::from_millis(1_500);

/// Plays a scene; answers the exit code.
///
/// # Errors
/// 1: it cannot be played here.
pub async fn run(options: &DemoOptions, stop: impl Future<Output = ()>) -> Result<u8, Failure> {
    let mut stage = Stage::set()?;
    let mut teller = Teller::new(if options.fast { Duration::ZERO } else { PACE });
    let played = async { Some(play(options.scene, &mut stage, &mut teller).await) };
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
                teller.claim("it goes on", failure.message, false).await;
            }
            output::line(&demo::verdict(teller.held, teller.failed, &stage.folder().display().to_string()));
            if teller.failed > 0 {
                return Err(Failure::said(Exit::Refused));
            }
            stage.remove();
            Ok(0)
        }
    }
}

async fn play(scene: Scene, stage: &mut Stage, teller: &mut Teller) -> Result<(), Failure> {
    match scene {
        Scene::Persistence => persistence::play(stage, teller).await,
        Scene::Replication => replication::play(stage, teller).await,
    }
}

/// The beginning of each scene. Answers how long it took, and how the group is.
async fn begin(stage: &mut Stage, teller: &Teller) -> Result<(Duration, Survey), Failure> {
    teller
        .does("A group starts on this machine: three backends, two coordinators, a balancer, the pages.")
        .await;
    let took = stage.switch_on().await?;
    Ok((took, stage.led().await))
}

/// Says what happens, and counts what held.
struct Teller {
    pace: Duration,
    marks: Marks,
    held: usize,
    failed: usize,
}

impl Teller {
    fn new(pace: Duration) -> Teller {
        // The first that says something counts, as everywhere.
        let mut named = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|name| std::env::var(name).ok());
        let lang = named.find(|value| !value.is_empty()).unwrap_or_default();
        let marks = Marks::fitting(std::io::stdout().is_terminal(), &lang);
        Teller { pace, marks, held: 0, failed: 0 }
    }

    fn title(&self, text: &str) {
        output::line(&demo::title(text));
    }

    /// What is done next.
    async fn does(&self, text: &str) {
        Timer::after(self.pace).await;
        output::line(&demo::done(text));
        Timer::after(self.pace / 2).await;
    }

    /// Between two lines of a conversation.
    async fn breath(&self) {
        Timer::after(self.pace / 3).await;
    }

    /// What should be so, and what is.
    async fn claim(&mut self, expected: impl Into<String>, seen: impl Into<String>, holds: bool) {
        let claim = Claim { expected: expected.into(), seen: seen.into(), holds };
        output::line(&demo::claim(&claim, self.marks));
        *(if holds { &mut self.held } else { &mut self.failed }) += 1;
        Timer::after(self.pace / 2).await;
    }

    /// The same of two lists, which should be equal: in order, each once.
    async fn same(&mut self, what: &str, expected: &[String], seen: &[String]) {
        let listed = |texts: &[String]| match texts {
            [] => "none".to_string(),
            texts => texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", "),
        };
        self.claim(format!("{what}: {}", listed(expected)), listed(seen), expected == seen).await;
    }
}

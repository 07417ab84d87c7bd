//! Flags of `demo`, and their conversion to options.

use crate::common::options::{DemoOptions, Scene};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};

#[derive(Debug, Args)]
pub struct DemoFlags {
    /// Scene to play
    #[arg(value_name = "SCENE", value_enum)]
    pub scene: SceneFlag,
    /// Skip the pauses that leave time to read
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub fast: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SceneFlag {
    /// Kill all processes while messages wait, then start them again
    Persistence,
    /// Kill the leader during a conversation, then the next leader
    Replication,
}

pub const DEMO_HELP: &str = "\
Runs a cluster of its own on this machine, on free ports and in a temporary
folder. Each claim is checked. If a check fails, the exit code is 1 and the
folder is kept. Ctrl-C stops the demo.

Examples:
  ribbit demo persistence
  ribbit demo replication --fast";

pub(super) fn demo(flags: &DemoFlags) -> DemoOptions {
    let scene = match flags.scene {
        SceneFlag::Persistence => Scene::Persistence,
        SceneFlag::Replication => Scene::Replication,
    };
    DemoOptions { scene, fast: flags.fast }
}

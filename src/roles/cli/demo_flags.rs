//! The flags of `demo`, and what they make of them.

use crate::common::options::{DemoOptions, Scene};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};

#[derive(Debug, Args)]
pub struct DemoFlags {
    /// Which scene
    #[arg(value_name = "SCENE", value_enum)]
    pub scene: SceneFlag,
    /// Without pauses for who reads along
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub fast: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SceneFlag {
    /// Everything goes off while messages wait, and comes on again
    Persistence,
    /// The leader dies in the middle of a conversation, then another one
    Replication,
}

pub const DEMO_HELP: &str = "\
A group of its own starts on this machine, on free ports and in a temporary
folder, and dies as told. Each claim is checked; exits 1 when one does not
hold, and keeps the folder then. Ctrl-C ends it.

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

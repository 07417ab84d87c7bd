//! The flags that found a group.

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};

#[derive(Debug, Args)]
pub struct FoundFlags {
    /// Found the group, once: ignored when there is data already, refused when a member answers
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub found: bool,
    /// The same, and end: for a unit that runs once
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new(), conflicts_with = "found")]
    pub found_only: bool,
}

//! Flags that create a cluster.

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};

#[derive(Debug, Args)]
pub struct FoundFlags {
    /// Create the cluster; ignored if this member has data already, refused if another member answers
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub found: bool,
    /// Like --found, but exit as soon as the cluster exists
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new(), conflicts_with = "found")]
    pub found_only: bool,
}

//! `ribbit client`: the group as a person uses it at a terminal.

use super::failure::{Exit, Failure};
use super::options::TerminalOptions;

/// # Errors
/// 2: there is nothing yet.
pub async fn run(_: &TerminalOptions) -> Result<u8, Failure> {
    Err(Failure::new(Exit::Usage, "say what to do, like `ribbit client feed`"))
}

//! Placeholder.
use super::failure::{Exit, Failure};
use super::options::NodeOptions;

pub async fn run(_options: NodeOptions, _stop: impl Future<Output = ()>) -> Result<(), Failure> {
    Err(Failure::new(Exit::Refused, "not there yet"))
}

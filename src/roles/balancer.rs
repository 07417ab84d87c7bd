//! Placeholder.
use super::failure::{Exit, Failure};
use super::options::BalancerOptions;

pub async fn run(_options: BalancerOptions, _stop: impl Future<Output = ()>) -> Result<(), Failure> {
    Err(Failure::new(Exit::Refused, "not there yet"))
}

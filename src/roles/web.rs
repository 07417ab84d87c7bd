//! Placeholder.
use super::failure::{Exit, Failure};
use super::options::WebOptions;

pub async fn run(_options: WebOptions, _stop: impl Future<Output = ()>) -> Result<(), Failure> {
    Err(Failure::new(Exit::Refused, "not there yet"))
}

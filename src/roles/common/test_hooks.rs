//! Test hooks: environment variables named `RIBBIT_TEST_…` that replace a number, such as a pause or a bound.

use super::failure::{Exit, Failure};

/// Returns the value of a test hook's variable, or `None` if it is not set.
///
/// # Errors
/// `Configuration` when the value is not a number.
pub fn number(name: &str) -> Result<Option<u64>, Failure> {
    let Some(value) = std::env::var_os(name) else { return Ok(None) };
    match value.to_str().and_then(|text| text.parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(Failure::new(Exit::Configuration, format!("{name} is not a number"))),
    }
}

//! Test hooks: environment variables named `RIBBIT_TEST_…` that replace a number, such as a pause or a bound.
//!
//! They work only with the feature `test-hooks`, which tests switch on. Without it the code below is constant and is not in the
//! binary; `scripts/dist` checks that the prefix is not.

use super::failure::{Exit, Failure};

/// Prefix of the variables.
const PREFIX: &str = "RIBBIT_TEST_";

/// Returns the value of the hook `RIBBIT_TEST_{name}`, or `None` if it is not set or this build has no hooks.
///
/// # Errors
/// `Configuration` when the value is not a number.
pub(crate) fn number(name: &str) -> Result<Option<u64>, Failure> {
    if !cfg!(feature = "test-hooks") {
        return Ok(None);
    }
    let name = format!("{PREFIX}{name}");
    let Some(value) = std::env::var_os(&name) else { return Ok(None) };
    match value.to_str().and_then(|text| text.parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(Failure::new(Exit::Configuration, format!("{name} is not a number"))),
    }
}

/// Returns true if the environment variable is a test hook, which `up` passes on to its processes.
pub(crate) fn is_hook(variable: &str) -> bool {
    cfg!(feature = "test-hooks") && variable.starts_with(PREFIX)
}

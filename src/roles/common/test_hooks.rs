//! Test hooks: environment variables named `RIBBIT_TEST_…` that replace a number, such as a pause or a bound.
//!
//! They exist only with the feature `test-hooks`, which tests switch on. The shipped binary reads none of these variables;
//! `scripts/dist` checks that.

use super::failure::Failure;

/// Prefix of the variables.
#[cfg(feature = "test-hooks")]
const PREFIX: &str = "RIBBIT_TEST_";

/// Returns the value of the hook `RIBBIT_TEST_{name}`, or `None` if it is not set.
///
/// # Errors
/// `Configuration` when the value is not a number.
#[cfg(feature = "test-hooks")]
pub(crate) fn number(name: &str) -> Result<Option<u64>, Failure> {
    let name = format!("{PREFIX}{name}");
    let Some(value) = std::env::var_os(&name) else { return Ok(None) };
    match value.to_str().and_then(|text| text.parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(Failure::new(super::failure::Exit::Configuration, format!("{name} is not a number"))),
    }
}

/// Returns `None`: this build has no hooks.
///
/// # Errors
/// None.
#[cfg(not(feature = "test-hooks"))]
pub(crate) fn number(_: &str) -> Result<Option<u64>, Failure> {
    Ok(None)
}

/// Returns true if the environment variable is a test hook, which `up` passes on to its processes.
pub(crate) fn is_hook(variable: &str) -> bool {
    #[cfg(feature = "test-hooks")]
    return variable.starts_with(PREFIX);
    #[cfg(not(feature = "test-hooks"))]
    {
        let _ = variable;
        false
    }
}

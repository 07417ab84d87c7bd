//! Parses the command line, runs the role, returns its exit code.

use ribbit_roles::cli::start;
use ribbit_roles::cli::{self, Refusal};
use ribbit_roles::common::failure::Failure;
use ribbit_roles::locks::lock::child;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = child::become_command(std::env::args_os()) {
        return ExitCode::from(code);
    }
    let ended = match cli::parse(std::env::args_os()) {
        Ok(invocation) => start::run(invocation),
        // Prints help on standard output (0), or what is wrong on standard error (2).
        Err(Refusal::Usage(error)) => error.exit(),
        Err(Refusal::Failure(failure)) => Err(failure),
    };
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(Failure { exit, message }) => {
            if !message.is_empty() {
                eprintln!("ribbit: {message}");
            }
            ExitCode::from(exit as u8)
        }
    }
}

//! The `--config` file: values for flags that neither the command line nor the environment sets.
//!
//! The file's values replace clap's defaults, which gives them the right precedence: command line, environment, file,
//! built-in default. A `RIBBIT_…` key that no flag of any command has is refused, so that a typing error is noticed. Keys
//! of other commands are accepted, because one file may serve several. Other keys are ignored, except `RUST_LOG`.

use crate::common::env_file::{self, EnvEntry};
use crate::common::failure::{Exit, Failure};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

/// Environment variable that names the config file.
const VARIABLE: &str = "RIBBIT_CONFIG";

/// A parsed config file.
#[derive(Debug)]
pub(crate) struct Config {
    path: PathBuf,
    entries: Vec<EnvEntry>,
}

impl Config {
    /// Reads the config file that the command line or the environment names; `None` if neither does.
    ///
    /// # Errors
    /// 78: the file cannot be read, or a line of it is malformed.
    pub(crate) fn named_in(args: &[OsString]) -> Result<Option<Config>, Failure> {
        let Some(path) = path_in(args).or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from)) else {
            return Ok(None);
        };
        let shown = path.display();
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::new(Exit::Configuration, format!("cannot read the config file {shown}: {error}"))
        })?;
        let entries = env_file::parse(&text).map_err(|error| {
            Failure::new(Exit::Configuration, format!("{shown}:{}: {}", error.line, error.what))
        })?;
        Ok(Some(Config { path, entries }))
    }

    /// Returns the entry of a key; the last one counts.
    pub(crate) fn get(&self, key: &str) -> Option<&EnvEntry> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }

    /// Returns the command line with this file's values as defaults.
    ///
    /// # Errors
    /// 78: the file has a key that no flag has.
    pub(crate) fn apply(&self, command: clap::Command) -> Result<clap::Command, Failure> {
        let mut known = BTreeSet::new();
        collect_keys(&command, &mut known);
        known.remove(VARIABLE);
        for entry in self.entries.iter().filter(|entry| entry.key.starts_with("RIBBIT_")) {
            if !known.contains(&entry.key) {
                return Err(self.wrong(entry, "unknown setting; `ribbit COMMAND --help` lists all of them"));
            }
        }
        Ok(self.with_defaults(command))
    }

    fn with_defaults(&self, command: clap::Command) -> clap::Command {
        command.mut_subcommands(|inner| self.with_defaults(inner)).mut_args(|arg| {
            let entry = key_of(&arg).and_then(|key| self.get(&key));
            match entry {
                // A flag with a default is never missing.
                Some(entry) => arg.required(false).default_value(entry.value.clone()),
                None => arg,
            }
        })
    }

    /// Returns the failure that names the line of this file which caused a usage error; `None` if no line did.
    pub(crate) fn blame(&self, error: &clap::Error, mut command: clap::Command) -> Option<Failure> {
        if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
            return None;
        }
        let Some(ContextValue::String(arg)) = error.get(ContextKind::InvalidArg) else { return None };
        let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else { return None };
        // Only a built command knows how its flags are displayed in errors.
        command.build();
        let entry = self.get(&key_shown_as(&command, arg)?)?;
        if !entry.value.contains(value.as_str()) {
            return None;
        }
        let what = error.to_string();
        // The first line of clap's message says what is wrong; the rest is about how to use flags.
        let what = what.lines().next().unwrap_or_default().trim_start_matches("error: ");
        Some(self.wrong(entry, what))
    }

    fn wrong(&self, entry: &EnvEntry, what: &str) -> Failure {
        let place = format!("{}:{}", self.path.display(), entry.line);
        Failure::new(Exit::Configuration, format!("{place}: {}: {what}", entry.key))
    }
}

/// Returns the value of `--config`. Found without clap, because the file decides which flags clap reports as missing.
fn path_in(args: &[OsString]) -> Option<PathBuf> {
    let mut args = args.iter().skip(1).take_while(|arg| *arg != "--");
    let mut found = None;
    while let Some(arg) = args.next() {
        if arg == "--config" {
            found = args.next().map(PathBuf::from);
        } else if let Some(value) = arg.to_str().and_then(|arg| arg.strip_prefix("--config=")) {
            found = Some(PathBuf::from(value));
        }
    }
    found
}

fn key_of(arg: &clap::Arg) -> Option<String> {
    arg.get_env().and_then(|name| name.to_str()).map(str::to_string)
}

fn collect_keys(command: &clap::Command, keys: &mut BTreeSet<String>) {
    keys.extend(command.get_arguments().filter_map(key_of));
    command.get_subcommands().for_each(|inner| collect_keys(inner, keys));
}

fn key_shown_as(command: &clap::Command, shown: &str) -> Option<String> {
    let here = command.get_arguments().find(|arg| arg.to_string() == shown).and_then(key_of);
    here.or_else(|| command.get_subcommands().find_map(|inner| key_shown_as(inner, shown)))
}

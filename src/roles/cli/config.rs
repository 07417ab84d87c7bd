//! The `--config` file: flags that are given neither on the command line nor in the environment.
//!
//! The file's values become clap's defaults, which is exactly their rank: a flag counts before the environment,
//! the environment before the file, the file before what is built in. A key that no flag of any command has is
//! refused, so that a typing error is not passed over in silence; keys of other commands are fine, one file may
//! serve several. Keys that do not begin with RIBBIT_ are others' business, except RUST_LOG.

use crate::common::env_file::{self, Entry};
use crate::common::failure::{Exit, Failure};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

const VARIABLE: &str = "RIBBIT_CONFIG";

#[derive(Debug)]
pub struct Config {
    path: PathBuf,
    entries: Vec<Entry>,
}

impl Config {
    /// The file that the command line or the environment names.
    ///
    /// # Errors
    /// 78: it cannot be read, or a line cannot.
    pub fn named_in(args: &[OsString]) -> Result<Option<Config>, Failure> {
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

    /// The later one counts.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }

    /// The command line with this file's values as defaults.
    ///
    /// # Errors
    /// 78: a key that no flag has.
    pub fn apply(&self, command: clap::Command) -> Result<clap::Command, Failure> {
        let mut known = BTreeSet::new();
        collect_keys(&command, &mut known);
        known.remove(VARIABLE);
        for entry in self.entries.iter().filter(|entry| entry.key.starts_with("RIBBIT_")) {
            if !known.contains(&entry.key) {
                return Err(
                    self.wrong(entry, "no flag has this name; `ribbit COMMAND --help` shows them all")
                );
            }
        }
        Ok(self.with_defaults(command))
    }

    fn with_defaults(&self, command: clap::Command) -> clap::Command {
        command.mut_subcommands(|inner| self.with_defaults(inner)).mut_args(|arg| {
            let entry = key_of(&arg).and_then(|key| self.get(&key));
            match entry {
                // What has a default is never missing.
                Some(entry) => arg.required(false).default_value(entry.value.clone()),
                None => arg,
            }
        })
    }

    /// The line of this file that a usage error is about, if it is about one.
    pub fn blame(&self, error: &clap::Error, mut command: clap::Command) -> Option<Failure> {
        if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
            return None;
        }
        let Some(ContextValue::String(arg)) = error.get(ContextKind::InvalidArg) else { return None };
        let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else { return None };
        // Flags have their shown form only in a command that is built.
        command.build();
        let entry = self.get(&key_shown_as(&command, arg)?)?;
        if !entry.value.contains(value.as_str()) {
            return None;
        }
        let what = error.to_string();
        // clap's first line says what is wrong; the rest is about how to use flags.
        let what = what.lines().next().unwrap_or_default().trim_start_matches("error: ");
        Some(self.wrong(entry, what))
    }

    fn wrong(&self, entry: &Entry, what: &str) -> Failure {
        let place = format!("{}:{}", self.path.display(), entry.line);
        Failure::new(Exit::Configuration, format!("{place}: {}: {what}", entry.key))
    }
}

/// The value of `--config`. Looked for by hand, before clap: what the file says decides what clap finds missing.
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

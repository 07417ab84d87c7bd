//! Commands of the shell: one grammar for the parser, the help and completion.

use crate::common::values::tree_path;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use ribbit_state::command::Guard;
use ribbit_state::{Consistency, LogIndex, TreePath};
use ribbit_ui::nearest::nearest;
use ribbit_ui::plain;
use std::path::PathBuf;

/// A command line of the shell.
#[derive(Debug, Parser)]
#[command(
    name = "",
    about = "The lock namespace: a tree of folders, small files and locks",
    no_binary_name = true,
    disable_version_flag = true,
    subcommand_value_name = "COMMAND",
    subcommand_help_heading = "Commands",
    after_help = "`help COMMAND` shows details and examples. Ctrl-D leaves the shell."
)]
pub struct ShellLine {
    #[command(subcommand)]
    pub verb: ShellCommand,
}

/// A shell command with its arguments.
#[derive(Debug, Subcommand)]
pub enum ShellCommand {
    /// Draw a path and everything below it, with the holders of locks
    #[command(after_help = "Examples:\n  ls\n  ls -l /clusters\n  ls --depth 1 /jobs")]
    Ls {
        /// Also show kind, size in bytes, and index and time of the last change
        #[arg(short, long)]
        long: bool,
        /// Show at most N levels
        #[arg(long, value_name = "N")]
        depth: Option<u8>,
        #[command(flatten)]
        fresh: ConsistencyArgs,
        /// Path in the tree, for example /jobs/state
        #[arg(default_value = "/", value_parser = tree_path, value_name = "PATH")]
        path: TreePath,
    },
    /// Print the content of a file or a lock (into a pipe or file: unchanged)
    #[command(after_help = "Examples:\n  cat /jobs/state\n  cat --stale /jobs/state")]
    Cat {
        #[command(flatten)]
        fresh: ConsistencyArgs,
        /// Path in the tree, for example /jobs/state
        #[arg(value_parser = tree_path, value_name = "PATH")]
        path: TreePath,
    },
    /// Show the details of one path
    #[command(after_help = "Examples:\n  stat /clusters/1/master")]
    Stat {
        #[command(flatten)]
        fresh: ConsistencyArgs,
        /// Path in the tree, for example /jobs/state
        #[arg(value_parser = tree_path, value_name = "PATH")]
        path: TreePath,
    },
    /// Check whether a path exists: exit code 0 if it does, 1 if not
    #[command(after_help = "\
Examples:
  test /jobs
  test -l /jobs/backup

Exit code 5: the servers cannot agree, so the answer is unknown.")]
    Test(TestArgs),
    /// Create an empty file, or update the time of its last change
    #[command(after_help = "Examples:\n  touch /jobs/seen")]
    Touch {
        /// Path in the tree, for example /jobs/state
        #[arg(value_parser = tree_path, value_name = "PATH")]
        path: TreePath,
    },
    /// Create a folder
    #[command(after_help = "Examples:\n  mkdir /jobs\n  mkdir -p /jobs/a/b")]
    Mkdir {
        /// Create missing parent folders, and accept an existing folder
        #[arg(short, long)]
        parents: bool,
        /// Path in the tree, for example /jobs/state
        #[arg(value_parser = tree_path, value_name = "PATH")]
        path: TreePath,
    },
    /// Remove a file or a folder
    #[command(
        after_help = "Examples:\n  rm /jobs/state\n  rm -r /jobs\n\nA folder cannot be removed while a lock in it is held."
    )]
    Rm {
        /// Remove everything below as well, without asking
        #[arg(short, long)]
        recursive: bool,
        #[command(flatten)]
        guard: GuardArgs,
        /// Path in the tree, for example /jobs/state
        #[arg(value_parser = tree_path, value_name = "PATH")]
        path: TreePath,
    },
    /// Write TEXT to a file; without TEXT, write standard input
    #[command(after_help = "\
Examples:
  write /jobs/state done
  write --append /jobs/log \"one more line\"
  write --lock /jobs/backup --fence 1050 /jobs/state done

With --lock and --fence, the write is refused unless the lock is held with
that fencing token. `ribbit lock` passes both to the command that it runs.")]
    Write {
        /// Append to the file
        #[arg(short, long)]
        append: bool,
        #[command(flatten)]
        guard: GuardArgs,
        /// Path in the tree, for example /jobs/state
        #[arg(value_parser = tree_path, value_name = "PATH")]
        path: TreePath,
        /// Text; several words are joined by single spaces
        text: Vec<String>,
    },
    /// Copy a file or a folder to a folder of this machine, without overwriting anything
    #[command(after_help = "Examples:\n  save /jobs backup-of-jobs\n  save / everything")]
    Save {
        #[command(flatten)]
        fresh: ConsistencyArgs,
        /// Path in the tree, for example /jobs/state
        #[arg(value_parser = tree_path, value_name = "PATH")]
        path: TreePath,
        /// Target folder; created if missing
        folder: PathBuf,
    },
    /// Acquire a lock and hold it until this shell ends
    #[command(
        after_help = "Examples:\n  acquire /jobs/backup\n\nOutside this shell, `ribbit lock PATH -- CMD` holds a lock while CMD runs."
    )]
    Acquire {
        /// Path in the tree, for example /jobs/state
        #[arg(value_parser = tree_path, value_name = "PATH")]
        path: TreePath,
    },
    /// Release a lock of this shell
    #[command(after_help = "Examples:\n  release /jobs/backup")]
    Release {
        /// Path in the tree, for example /jobs/state
        #[arg(value_parser = tree_path, value_name = "PATH")]
        path: TreePath,
    },
    /// List the held locks with path, holder and fencing token
    #[command(after_help = "Examples:\n  holders\n  holders /clusters")]
    Holders {
        #[command(flatten)]
        fresh: ConsistencyArgs,
        /// Path in the tree, for example /jobs/state
        #[arg(default_value = "/", value_parser = tree_path, value_name = "PATH")]
        path: TreePath,
    },
    /// Show changes at a path and below it, until Ctrl-C
    #[command(after_help = "Examples:\n  watch /clusters")]
    Watch {
        /// Path in the tree, for example /jobs/state
        #[arg(default_value = "/", value_parser = tree_path, value_name = "PATH")]
        path: TreePath,
    },
    /// Leave the shell
    #[command(after_help = "Examples:\n  exit", alias = "quit")]
    Exit,
}

/// Kind of node that `test` expects.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct TestKindArgs {
    /// Accept any kind (the default)
    #[arg(short)]
    pub exists: bool,
    /// Accept a file only
    #[arg(short)]
    pub file: bool,
    /// Accept a folder only
    #[arg(short = 'd')]
    pub folder: bool,
    /// Accept a held lock only
    #[arg(short)]
    pub lock: bool,
}

/// Arguments of `test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    #[command(flatten)]
    pub kind: TestKindArgs,
    #[command(flatten)]
    pub fresh: ConsistencyArgs,
    /// Path in the tree, for example /jobs/state
    #[arg(value_parser = tree_path, value_name = "PATH")]
    pub path: TreePath,
}

/// Flag for the consistency of a read.
#[derive(Debug, Clone, Copy, Args)]
pub struct ConsistencyArgs {
    /// Read from one server, even if the servers cannot agree; the answer may be out of date and is marked so
    #[arg(long)]
    pub stale: bool,
}

impl ConsistencyArgs {
    /// Returns the consistency of the read: linearizable, or stale with `--stale`.
    pub fn consistency(self) -> Consistency {
        if self.stale { Consistency::Stale } else { Consistency::Linearizable }
    }
}

/// Flags for a fencing check of a change.
#[derive(Debug, Args)]
pub struct GuardArgs {
    /// Refuse the change unless this lock is held with the fencing token of --fence
    #[arg(long, value_name = "PATH", value_parser = tree_path, requires = "fence", env = "RIBBIT_LOCK", hide_env_values = true)]
    pub lock: Option<TreePath>,
    /// Fencing token that the lock of --lock must have
    #[arg(long, value_name = "N", requires = "lock", env = "RIBBIT_FENCE", hide_env_values = true)]
    pub fence: Option<LogIndex>,
}

impl GuardArgs {
    /// Returns the guard, if both flags are given.
    pub fn guard(self) -> Option<Guard> {
        Some(Guard { lock: self.lock?, fence: self.fence? })
    }
}

/// Parses the words of a line.
///
/// # Errors
/// Clap's error for an invalid line, with the nearest command for an unknown one; and the text of `help`, which clap returns
/// as an error with exit code 0.
pub fn parse(words: &[String]) -> Result<ShellCommand, clap::Error> {
    ShellLine::try_parse_from(words).map(|line| line.verb).map_err(|error| match words.first() {
        Some(word) if error.kind() == ErrorKind::InvalidSubcommand => {
            let known = ShellLine::command();
            let names = known.get_subcommands().map(clap::Command::get_name).chain(["help"]);
            let meant = match nearest(word, names) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "type `help` for a list".to_string(),
            };
            let words = format!("unknown command `{}`; {meant}", plain::line(word));
            ShellLine::command().error(ErrorKind::InvalidSubcommand, words)
        }
        _ => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_summary_and_valid_examples() {
        let line = ShellLine::command();
        line.clone().debug_assert();
        for command in line.get_subcommands() {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name}");
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("  ")).collect();
            assert!(help.starts_with("Examples:\n") && !examples.is_empty(), "{name}");
            for example in examples {
                let words = super::super::quoting::split(example).unwrap();
                assert_eq!(words[0], name);
                ShellLine::try_parse_from(words).unwrap();
            }
        }
    }

    #[test]
    fn unknown_commands_suggest_the_nearest_one() {
        let said = |word: &str| parse(&[word.to_string()]).map(drop).unwrap_err().to_string();
        for (typed, meant) in [
            ("sl", "ls"),
            ("l", "ls"),
            ("cta", "cat"),
            ("mkdri", "mkdir"),
            ("aquire", "acquire"),
            ("whatch", "watch"),
        ] {
            assert!(said(typed).contains(&format!("did you mean `{meant}`?")), "{}", said(typed));
        }
        assert!(said("frogs").contains("`help`"));
    }

    #[test]
    fn errors_of_arguments_name_the_argument() {
        let said = |line: &str| ShellLine::try_parse_from(line.split(' ')).map(drop).unwrap_err().to_string();
        assert!(said("ls --dept 1").contains("'--depth'"));
        assert!(said("cat jobs").contains("starts with a slash: /jobs"));
        assert!(said("test -f -d /a").contains("cannot be used with"));
        assert!(said("write --fence 5 /a b").contains("--lock"));
    }
}

//! What can be typed at the shell: one table, for its parser, its help and its completion.

use crate::cli::typed::place;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use ribbit_state::namespace::Guard;
use ribbit_state::{Consistency, LogIndex, TreePath};
use ribbit_ui::nearest::nearest;
use ribbit_ui::plain;
use std::path::PathBuf;

/// One line.
#[derive(Debug, Parser)]
#[command(
    name = "",
    about = "The lock namespace: a tree of folders, small files, and locks that somebody holds",
    no_binary_name = true,
    disable_version_flag = true,
    subcommand_value_name = "COMMAND",
    subcommand_help_heading = "Commands",
    after_help = "`help COMMAND` says more, with examples. Ctrl-D ends."
)]
pub struct Line {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Draw a place and everything below it, with who holds what
    #[command(after_help = "Examples:\n  ls\n  ls -l /clusters\n  ls --depth 1 /jobs")]
    Ls {
        /// Kind, bytes, index and time of the last change before each
        #[arg(short, long)]
        long: bool,
        /// How many names deep
        #[arg(long, value_name = "N")]
        depth: Option<u8>,
        #[command(flatten)]
        fresh: FreshLine,
        /// A place, like /jobs/state
        #[arg(default_value = "/", value_parser = place, value_name = "PATH")]
        path: TreePath,
    },
    /// Show what is in a file or a lock; as it is where it does not go to a terminal
    #[command(after_help = "Examples:\n  cat /jobs/state\n  cat --stale /jobs/state")]
    Cat {
        #[command(flatten)]
        fresh: FreshLine,
        /// A place, like /jobs/state
        #[arg(value_parser = place, value_name = "PATH")]
        path: TreePath,
    },
    /// Show everything that is known of one place
    #[command(after_help = "Examples:\n  stat /clusters/1/master")]
    Stat {
        #[command(flatten)]
        fresh: FreshLine,
        /// A place, like /jobs/state
        #[arg(value_parser = place, value_name = "PATH")]
        path: TreePath,
    },
    /// Whether there is something: exit code 0, or 1 if not
    #[command(after_help = "\
Examples:
  test /jobs
  test -l /jobs/backup

Exit code 5: the servers cannot agree, so neither is known.")]
    Test(TestLine),
    /// Make an empty file, or let one count as changed now
    #[command(after_help = "Examples:\n  touch /jobs/seen")]
    Touch {
        /// A place, like /jobs/state
        #[arg(value_parser = place, value_name = "PATH")]
        path: TreePath,
    },
    /// Make a folder
    #[command(after_help = "Examples:\n  mkdir /jobs\n  mkdir -p /jobs/a/b")]
    Mkdir {
        /// The folders above too; fine when it is there already
        #[arg(short, long)]
        parents: bool,
        /// A place, like /jobs/state
        #[arg(value_parser = place, value_name = "PATH")]
        path: TreePath,
    },
    /// Remove a file or a folder
    #[command(
        after_help = "Examples:\n  rm /jobs/state\n  rm -r /jobs\n\nWhile a lock is held somewhere in it, nothing of it goes."
    )]
    Rm {
        /// With everything below, without asking
        #[arg(short, long)]
        recursive: bool,
        #[command(flatten)]
        guard: GuardLine,
        /// A place, like /jobs/state
        #[arg(value_parser = place, value_name = "PATH")]
        path: TreePath,
    },
    /// Write a file: TEXT, or standard input without it
    #[command(after_help = "\
Examples:
  write /jobs/state done
  write --append /jobs/log \"one more line\"
  write --lock /jobs/backup --fence 1050 /jobs/state done

With --lock and --fence it is refused unless that lock is held under that
number at this very moment. `ribbit lock` gives both to what it runs.")]
    Write {
        /// Behind what is there
        #[arg(short, long)]
        append: bool,
        #[command(flatten)]
        guard: GuardLine,
        /// A place, like /jobs/state
        #[arg(value_parser = place, value_name = "PATH")]
        path: TreePath,
        /// Words are joined by one blank
        text: Vec<String>,
    },
    /// Copy a file, or a folder with everything in it, to a folder of this machine; overwrites nothing
    #[command(after_help = "Examples:\n  save /jobs backup-of-jobs\n  save / everything")]
    Save {
        #[command(flatten)]
        fresh: FreshLine,
        /// A place, like /jobs/state
        #[arg(value_parser = place, value_name = "PATH")]
        path: TreePath,
        /// Made if it is not there
        folder: PathBuf,
    },
    /// Take a lock, if nobody has it; it is let go when this shell ends
    #[command(
        after_help = "Examples:\n  acquire /jobs/backup\n\nFrom outside, `ribbit lock PATH -- CMD` holds one while CMD runs."
    )]
    Acquire {
        /// A place, like /jobs/state
        #[arg(value_parser = place, value_name = "PATH")]
        path: TreePath,
    },
    /// Let a lock of this shell go
    #[command(after_help = "Examples:\n  release /jobs/backup")]
    Release {
        /// A place, like /jobs/state
        #[arg(value_parser = place, value_name = "PATH")]
        path: TreePath,
    },
    /// Show every lock that is held: its path, its holder, its fence
    #[command(after_help = "Examples:\n  holders\n  holders /clusters")]
    Holders {
        #[command(flatten)]
        fresh: FreshLine,
        /// A place, like /jobs/state
        #[arg(default_value = "/", value_parser = place, value_name = "PATH")]
        path: TreePath,
    },
    /// Show what happens to a place and below it, until Ctrl-C
    #[command(after_help = "Examples:\n  watch /clusters")]
    Watch {
        /// A place, like /jobs/state
        #[arg(default_value = "/", value_parser = place, value_name = "PATH")]
        path: TreePath,
    },
    /// End
    #[command(after_help = "Examples:\n  exit", alias = "quit")]
    Exit,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct TestKind {
    /// Anything (so it is without a flag)
    #[arg(short)]
    pub exists: bool,
    /// A file
    #[arg(short)]
    pub file: bool,
    /// A folder
    #[arg(short = 'd')]
    pub folder: bool,
    /// A lock, which is there while it is held
    #[arg(short)]
    pub lock: bool,
}

#[derive(Debug, Args)]
pub struct TestLine {
    #[command(flatten)]
    pub kind: TestKind,
    #[command(flatten)]
    pub fresh: FreshLine,
    /// A place, like /jobs/state
    #[arg(value_parser = place, value_name = "PATH")]
    pub path: TreePath,
}

/// How new an answer must be.
#[derive(Debug, Clone, Copy, Args)]
pub struct FreshLine {
    /// What one server has: also answered when the servers cannot agree, and marked, since it may be old
    #[arg(long)]
    pub stale: bool,
}

impl FreshLine {
    pub fn consistency(self) -> Consistency {
        if self.stale { Consistency::Stale } else { Consistency::Linearizable }
    }
}

/// What a change relies on.
#[derive(Debug, Args)]
pub struct GuardLine {
    /// Only while this lock is held under the number of --fence
    #[arg(long, value_name = "PATH", value_parser = place, requires = "fence", env = "RIBBIT_LOCK", hide_env_values = true)]
    pub lock: Option<TreePath>,
    /// The fencing number that --lock must have
    #[arg(long, value_name = "N", requires = "lock", env = "RIBBIT_FENCE", hide_env_values = true)]
    pub fence: Option<LogIndex>,
}

impl GuardLine {
    pub fn guard(self) -> Option<Guard> {
        Some(Guard { lock: self.lock?, fence: self.fence? })
    }
}

/// A line, or what is wrong with it; of a word that is no command, which one was meant.
///
/// # Errors
/// Help, which is no error, and whatever cannot be done.
pub fn parse(words: &[String]) -> Result<Verb, clap::Error> {
    Line::try_parse_from(words).map(|line| line.verb).map_err(|error| match words.first() {
        Some(word) if error.kind() == ErrorKind::InvalidSubcommand => {
            let known = Line::command();
            let names = known.get_subcommands().map(clap::Command::get_name).chain(["help"]);
            let meant = match nearest(word, names) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "`help` shows what there is".to_string(),
            };
            let words = format!("`{}`: no such command; {meant}", plain::line(word));
            Line::command().error(ErrorKind::InvalidSubcommand, words)
        }
        _ => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_words_and_examples_that_can_be_typed() {
        let line = Line::command();
        line.clone().debug_assert();
        for command in line.get_subcommands() {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name}");
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("  ")).collect();
            assert!(help.starts_with("Examples:\n") && !examples.is_empty(), "{name}");
            for example in examples {
                let words = super::super::words::split(example).unwrap();
                assert_eq!(words[0], name);
                Line::try_parse_from(words).unwrap();
            }
        }
    }

    #[test]
    fn the_nearest_command_is_found_and_nothing_far() {
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
    fn what_was_meant_is_said() {
        let said = |line: &str| Line::try_parse_from(line.split(' ')).map(drop).unwrap_err().to_string();
        assert!(said("ls --dept 1").contains("'--depth'"));
        assert!(said("cat jobs").contains("like /jobs"));
        assert!(said("test -f -d /a").contains("cannot be used with"));
        assert!(said("write --fence 5 /a b").contains("--lock"));
    }
}

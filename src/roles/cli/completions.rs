//! `ribbit completions SHELL`: what a shell is told, so that Tab completes commands, flags and their values.
//!
//! ```text
//!   shell, once:    source <(ribbit completions bash)
//!   shell, at Tab:  ribbit completions bash -- client fe      ──▶ feed
//! ```
//!
//! The script is short and asks ribbit at each Tab, so that it can never tell of another version's flags, and a board has
//! to keep no script of a hundred kilobytes. What is typed is only looked at: nothing is read, nobody is asked. Where ribbit
//! has nothing to say, the shell completes names of files.

use clap::{Arg, ArgAction, Args, Command, ValueEnum};
use std::ffi::OsString;

#[derive(Debug, Args)]
pub struct CompletionsFlags {
    /// Whose
    #[arg(value_enum)]
    pub shell: Shell,
    /// What was typed behind `ribbit`: shows what the last word may become
    #[arg(value_name = "WORD", last = true, allow_hyphen_values = true)]
    pub words: Option<Vec<OsString>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(super) const HELP: &str = "\
Examples:
  source <(ribbit completions bash)      in ~/.bashrc; zsh: in ~/.zshrc, after compinit
  ribbit completions fish > ~/.config/fish/completions/ribbit.fish

Packages bring them along.";

const BASH: &str = r#"# Completions of ribbit, for bash.
_ribbit() {
  local ask=("${COMP_WORDS[@]:1:COMP_CWORD}")
  mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" completions bash -- "${ask[@]}" 2>/dev/null)
}
complete -o bashdefault -o default -F _ribbit ribbit"#;

const ZSH: &str = r#"#compdef ribbit
# Completions of ribbit, for zsh.
_ribbit() {
  local -a found
  found=("${(@f)$("${words[1]}" completions zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "${found[*]}" ]]; then
    _describe ribbit found
  else
    _files
  fi
}
if [[ "${funcstack[1]}" == _ribbit ]]; then
  _ribbit "$@"
else
  compdef _ribbit ribbit
fi"#;

const FISH: &str = r#"# Completions of ribbit, for fish.
function __ribbit
    set -l words (commandline -opc) (commandline -ct)
    set -l found ($words[1] completions fish -- $words[2..] 2>/dev/null)
    if test -n "$found"
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c ribbit -f -a '(__ribbit)'"#;

/// What is shown: the script, or what the last word may become, one a line, as the shell reads it.
pub fn text(flags: &CompletionsFlags, command: Command) -> String {
    let Some(words) = &flags.words else {
        let script = match flags.shell {
            Shell::Bash => BASH,
            Shell::Zsh => ZSH,
            Shell::Fish => FISH,
        };
        return script.to_string();
    };
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let found = candidates(command, &words).into_iter().map(|(word, about)| match flags.shell {
        Shell::Bash => word,
        Shell::Zsh => format!("{}:{about}", word.replace(':', "\\:")),
        Shell::Fish => format!("{word}\t{about}"),
    });
    found.collect::<Vec<_>>().join("\n")
}

/// What the last word may become, each with a few words about it.
fn candidates(mut command: Command, words: &[String]) -> Vec<(String, String)> {
    // Flags that count everywhere are part of every command once it is built.
    command.build();
    let Some((last, before)) = words.split_last() else { return Vec::new() };
    let Some(place) = place(&command, before) else { return Vec::new() };
    let mut found = match (place.value_of, last.split_once('=')) {
        (Some(arg), _) => values(arg, ""),
        (None, Some((flag, _))) => {
            flag_named(place.command, flag).map_or_else(Vec::new, |arg| values(arg, &format!("{flag}=")))
        }
        (None, None) if last.starts_with('-') => flags(place.command),
        (None, None) => words_of(&place),
    };
    found.retain(|(word, _)| word.starts_with(last.as_str()));
    found
}

/// Where in the command line one is.
struct Place<'a> {
    command: &'a Command,
    /// The flag whose value comes next.
    value_of: Option<&'a Arg>,
    /// How many words that are no flags stand behind the command's name.
    positionals: usize,
}

/// Nothing behind `--`: what stands there is not ribbit's.
fn place<'a>(command: &'a Command, before: &[String]) -> Option<Place<'a>> {
    let mut place = Place { command, value_of: None, positionals: 0 };
    for word in before {
        if place.value_of.take().is_some() {
            continue;
        }
        if word == "--" {
            return None;
        }
        if word.starts_with('-') {
            let arg = flag_named(place.command, word);
            place.value_of = arg.filter(|arg| takes_value(arg));
        } else if let Some(inner) = place.command.find_subcommand(word).filter(|_| place.positionals == 0) {
            place.command = inner;
        } else {
            place.positionals += 1;
        }
    }
    Some(place)
}

fn flag_named<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let is_it = |arg: &&Arg| match word.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => {
            arg.get_short().is_some_and(|short| word.strip_prefix('-') == Some(short.to_string().as_str()))
        }
    };
    command.get_arguments().find(is_it)
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

fn flags(command: &Command) -> Vec<(String, String)> {
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    shown.filter_map(|arg| Some((format!("--{}", arg.get_long()?), about(arg.get_help())))).collect()
}

/// Subcommands, or what may stand in this place.
fn words_of(place: &Place<'_>) -> Vec<(String, String)> {
    let inner = place.command.get_subcommands().filter(|it| !it.is_hide_set() && place.positionals == 0);
    let mut found: Vec<_> = inner.map(|it| (it.get_name().to_string(), about(it.get_about()))).collect();
    found.extend(
        place.command.get_positionals().nth(place.positionals).map_or_else(Vec::new, |it| values(it, "")),
    );
    found
}

fn values(arg: &Arg, prefix: &str) -> Vec<(String, String)> {
    let values = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set());
    values.map(|value| (format!("{prefix}{}", value.get_name()), about(value.get_help()))).collect()
}

/// On one line.
fn about(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(|text| text.to_string().lines().collect::<Vec<_>>().join(" ")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::flags::command;
    use super::*;

    fn completed(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split(' ').map(str::to_string).collect();
        candidates(command(), &words).into_iter().map(|(word, _)| word).collect()
    }

    #[test]
    fn commands_flags_and_values_are_completed() {
        assert_eq!(completed("stat"), ["status"]);
        assert_eq!(completed("member "), ["remove", "drain", "undrain", "help"]);
        assert_eq!(completed("member remove --y"), ["--yes"]);
        assert_eq!(completed("up --restart n"), ["never"]);
        assert_eq!(completed("up --restart=n"), ["--restart=never"]);
        assert_eq!(completed("completions f"), ["fish"]);
        assert_eq!(completed("--config x.conf client fee"), ["feed"]);
        assert_eq!(completed("status --conf"), ["--config"], "what counts everywhere counts here");
    }

    #[test]
    fn where_ribbit_has_nothing_to_say_the_shell_goes_on() {
        for line in
            ["status --data-dir ", "lock /jobs/it -- st", "transfer ", "frog st", "up --restart nev -- "]
        {
            assert_eq!(completed(line), Vec::<String>::new(), "{line}");
        }
        assert!(!completed("").contains(&"--supervised".to_string()));
        assert!(!completed("-").contains(&"--supervised".to_string()), "what is hidden stays so");
    }

    #[test]
    fn each_shell_reads_its_own_lines() {
        let shown = |shell| {
            let words = Some(vec!["up".into(), "--restart".into(), "al".into()]);
            text(&CompletionsFlags { shell, words }, command())
        };
        assert_eq!(shown(Shell::Bash), "always");
        assert!(shown(Shell::Zsh).starts_with("always:") && shown(Shell::Fish).starts_with("always\t"));
    }
}

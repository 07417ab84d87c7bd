//! `ribbit completions SHELL`: shell completion of commands, flags and their values.
//!
//! ```text
//!   shell, once:    source <(ribbit completions bash)
//!   shell, at Tab:  ribbit completions bash -- client fe      ──▶ feed
//! ```
//!
//! The script is short and runs ribbit at each Tab. So it always fits the installed version, and no script of a hundred
//! kilobytes has to be stored. Completion only looks at the typed words: it reads no file and opens no connection. Without
//! candidates, the shell falls back to file names.

use clap::{Arg, ArgAction, Args, Command, ValueEnum};
use std::ffi::OsString;

#[derive(Debug, Args)]
pub(crate) struct CompletionsFlags {
    /// Shell to complete for
    #[arg(value_enum)]
    pub shell: CompletionShell,
    /// Words typed after `ribbit`: print the candidates for the last one
    #[arg(value_name = "WORD", last = true, allow_hyphen_values = true)]
    pub words: Option<Vec<OsString>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompletionShell {
    Bash,
    Zsh,
    Fish,
}

pub(super) const HELP: &str = "\
Examples:
  source <(ribbit completions bash)      In ~/.bashrc
  source <(ribbit completions zsh)       In ~/.zshrc, after compinit
  ribbit completions fish > ~/.config/fish/completions/ribbit.fish

The packages install these scripts.";

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

/// Returns the completion script, or the candidates for the last word, one per line in the shell's format.
pub(crate) fn text(flags: &CompletionsFlags, command: Command) -> String {
    let Some(words) = &flags.words else {
        let script = match flags.shell {
            CompletionShell::Bash => BASH,
            CompletionShell::Zsh => ZSH,
            CompletionShell::Fish => FISH,
        };
        return script.to_string();
    };
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let found = candidates(command, &words).into_iter().map(|(word, about)| match flags.shell {
        CompletionShell::Bash => word,
        CompletionShell::Zsh => format!("{}:{about}", word.replace(':', "\\:")),
        CompletionShell::Fish => format!("{word}\t{about}"),
    });
    found.collect::<Vec<_>>().join("\n")
}

/// Returns the candidates for the last word, each with a short description.
fn candidates(mut command: Command, words: &[String]) -> Vec<(String, String)> {
    // Building the command adds the global flags to every subcommand.
    command.build();
    let Some((last, before)) = words.split_last() else { return Vec::new() };
    let Some(position) = position(&command, before) else { return Vec::new() };
    let mut found = match (position.value_of, last.split_once('=')) {
        (Some(arg), _) => values(arg, ""),
        (None, Some((flag, _))) => {
            flag_named(position.command, flag).map_or_else(Vec::new, |arg| values(arg, &format!("{flag}=")))
        }
        (None, None) if last.starts_with('-') => flags(position.command),
        (None, None) => words_of(&position),
    };
    found.retain(|(word, _)| word.starts_with(last.as_str()));
    found
}

/// Position in the command line.
struct CursorPosition<'a> {
    command: &'a Command,
    /// Flag that expects its value next.
    value_of: Option<&'a Arg>,
    /// Number of positional arguments after the command's name.
    positionals: usize,
}

/// Returns the position after the words `before`. `None` after `--`: those words belong to another program.
fn position<'a>(command: &'a Command, before: &[String]) -> Option<CursorPosition<'a>> {
    let mut position = CursorPosition { command, value_of: None, positionals: 0 };
    for word in before {
        if position.value_of.take().is_some() {
            continue;
        }
        if word == "--" {
            return None;
        }
        if word.starts_with('-') {
            let arg = flag_named(position.command, word);
            position.value_of = arg.filter(|arg| takes_value(arg));
        } else if let Some(inner) =
            position.command.find_subcommand(word).filter(|_| position.positionals == 0)
        {
            position.command = inner;
        } else {
            position.positionals += 1;
        }
    }
    Some(position)
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

/// Returns the subcommands and the values of the positional argument at this position.
fn words_of(position: &CursorPosition<'_>) -> Vec<(String, String)> {
    let CursorPosition { command, positionals, .. } = *position;
    let inner = command.get_subcommands().filter(|it| !it.is_hide_set() && positionals == 0);
    let mut found: Vec<_> = inner.map(|it| (it.get_name().to_string(), about(it.get_about()))).collect();
    found.extend(command.get_positionals().nth(positionals).map_or_else(Vec::new, |it| values(it, "")));
    found
}

fn values(arg: &Arg, prefix: &str) -> Vec<(String, String)> {
    let values = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set());
    values.map(|value| (format!("{prefix}{}", value.get_name()), about(value.get_help()))).collect()
}

/// Returns the help text on one line.
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
        assert_eq!(completed("status --conf"), ["--config"], "a global flag");
    }

    #[test]
    fn without_candidates_the_shell_completes_file_names() {
        for line in
            ["status --data-dir ", "lock /jobs/it -- st", "transfer ", "frog st", "up --restart nev -- "]
        {
            assert_eq!(completed(line), Vec::<String>::new(), "{line}");
        }
        assert!(!completed("").contains(&"--supervised".to_string()));
        assert!(!completed("-").contains(&"--supervised".to_string()), "hidden flags are not offered");
    }

    #[test]
    fn candidates_have_the_format_of_the_shell() {
        let shown = |shell| {
            let words = Some(vec!["up".into(), "--restart".into(), "al".into()]);
            text(&CompletionsFlags { shell, words }, command())
        };
        assert_eq!(shown(CompletionShell::Bash), "always");
        assert!(
            shown(CompletionShell::Zsh).starts_with("always:")
                && shown(CompletionShell::Fish).starts_with("always\t")
        );
    }
}

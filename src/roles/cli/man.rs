//! `ribbit man`: the manual page, generated from the `--help` texts so that the two never differ. Pure.
//!
//! One page covers all commands. The flags that select the cluster are the same for every command and appear once.

use clap::{Arg, ArgAction, Command};
use ribbit_ui::version;

/// Help heading of the flags that many commands share.
const SHARED: &str = "Cluster options";

/// Returns the manual page in roff, the language of `man`.
pub(crate) fn page(mut command: Command) -> String {
    command.build();
    let mut page = ManPage::default();
    page.line(&format!(".TH RIBBIT 1 \"\" \"ribbit {}\" \"ribbit\"", version::SHORT));
    // No hyphenation: command names must not be split.
    page.line(".nh\n.ad l");
    page.section("NAME");
    page.text(&format!("ribbit - {}", plain(command.get_about()).trim_end_matches('.').to_lowercase()));
    page.section("SYNOPSIS");
    page.usage(&mut command);
    page.section("COMMANDS");
    page.commands(&mut command);
    page.section("CLUSTER OPTIONS");
    page.text("These flags select the cluster for all commands that talk to one.");
    page.shared(&command);
    page.section("GLOBAL OPTIONS");
    command
        .get_arguments()
        .filter(|arg| arg.is_global_set() && !arg.is_hide_set())
        .for_each(|arg| page.flag(arg));
    page.section("ENVIRONMENT AND EXIT CODES");
    page.verbatim(&plain(command.get_after_help()));
    page.section("SEE ALSO");
    page.text("systemd.exec(5), EnvironmentFile=: the syntax of the --config file.");
    page.text
}

#[derive(Default)]
struct ManPage {
    text: String,
}

impl ManPage {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn section(&mut self, name: &str) {
        self.line(&format!(".SH {name}"));
    }

    /// Adds a paragraph.
    fn text(&mut self, text: &str) {
        self.line(".PP");
        text.lines().for_each(|line| self.line(&escaped(line)));
    }

    /// Adds lines without filling them.
    fn verbatim(&mut self, text: &str) {
        self.line(".PP");
        self.line(".nf");
        text.lines().for_each(|line| self.line(&escaped(line)));
        self.line(".fi");
    }

    fn usage(&mut self, command: &mut Command) {
        let usage = command.render_usage().to_string();
        self.line(".PP");
        for line in usage.trim_start_matches("Usage:").lines() {
            self.line(&format!("\\fB{}\\fR", escaped(line.trim())));
            self.line(".br");
        }
    }

    fn commands(&mut self, command: &mut Command) {
        for inner in command.get_subcommands_mut().filter(|it| it.get_name() != "help" && !it.is_hide_set()) {
            let leaf = inner.get_subcommands().all(|it| it.get_name() == "help");
            if leaf || inner.get_arguments().any(|arg| is_own(arg) && !arg.is_hide_set()) {
                self.command(inner);
            }
            self.commands(inner);
        }
    }

    fn command(&mut self, command: &mut Command) {
        let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_string();
        self.line(&format!(".SS {}", escaped(&name)));
        self.text(&(plain(command.get_about()) + "."));
        self.usage(command);
        command
            .get_arguments()
            .filter(|arg| is_own(arg) && !arg.is_hide_set())
            .for_each(|arg| self.flag(arg));
        let help = plain(command.get_after_help());
        if !help.is_empty() {
            self.verbatim(&help);
        }
    }

    /// Adds the shared flags, taken from the first command that has them.
    fn shared(&mut self, command: &Command) {
        let is_shared = |arg: &&Arg| arg.get_help_heading() == Some(SHARED);
        let has = |command: &&Command| command.get_arguments().any(|arg| is_shared(&arg));
        if let Some(command) = command.get_subcommands().find(has) {
            command.get_arguments().filter(is_shared).for_each(|arg| self.flag(arg));
        }
    }

    fn flag(&mut self, arg: &Arg) {
        self.line(".TP");
        let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
        let value = match arg.get_value_names().filter(|_| takes_value) {
            Some(names) => names.iter().map(clap::builder::Str::as_str).collect::<Vec<_>>().join(" "),
            None => String::new(),
        };
        let short = arg.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
        self.line(&match arg.get_long() {
            Some(long) => {
                format!("\\fB{}\\fR \\fI{}\\fR", escaped(&format!("{short}--{long}")), escaped(&value))
            }
            None => format!("\\fI{}\\fR", escaped(&value)),
        });
        self.line(&escaped(&(plain(arg.get_help()) + &remarks(arg, takes_value))));
    }
}

/// Returns whether the argument is listed with its command and not in a shared section.
fn is_own(arg: &Arg) -> bool {
    let of_clap = matches!(arg.get_id().as_str(), "help" | "version");
    !of_clap && !arg.is_global_set() && arg.get_help_heading() != Some(SHARED)
}

/// Returns the default, the possible values and the environment variable, in the format of `--help`.
fn remarks(arg: &Arg, takes_value: bool) -> String {
    let joined = |values: Vec<String>| values.join(",");
    let default =
        joined(arg.get_default_values().iter().map(|it| it.to_string_lossy().into_owned()).collect());
    let possible = joined(arg.get_possible_values().iter().map(|it| it.get_name().to_string()).collect());
    let variable = arg.get_env().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    [("default: ", default), ("possible values: ", possible), ("env: ", variable)]
        .into_iter()
        .filter(|(name, value)| !value.is_empty() && (takes_value || *name == "env: "))
        .map(|(name, value)| format!(" [{name}{value}]"))
        .collect()
}

fn plain(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

/// Escapes a line for roff: a leading dot would start a request, a dash could become a typographic hyphen that cannot be
/// pasted into a shell, and non-ASCII characters would be read byte by byte.
fn escaped(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len());
    for (at, c) in line.chars().enumerate() {
        match c {
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '.' if at == 0 => escaped.push_str("\\&."),
            c if c.is_ascii() => escaped.push(c),
            c => escaped.push_str(&format!("\\[u{:04X}]", u32::from(c))),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::flags::command;
    use super::*;

    #[test]
    fn every_command_and_every_flag_is_in_the_page() {
        fn check(command: &Command, page: &str) {
            for inner in command.get_subcommands().filter(|it| it.get_name() != "help" && !it.is_hide_set()) {
                if !inner.has_subcommands() {
                    let name = inner.get_bin_name().unwrap();
                    assert!(page.contains(&format!(".SS {}\n", escaped(name))), "{name}");
                }
                for long in inner.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(Arg::get_long) {
                    assert!(long == "help" || page.contains(&escaped(&format!("--{long}"))), "{long}");
                }
                check(inner, page);
            }
        }
        let mut command = command();
        let page = page(command.clone());
        command.build();
        check(&command, &page);
        assert_eq!(page.matches("Public key of the cluster").count(), 1, "shared flags appear once");
        assert!(!page.contains("supervised"));
    }

    #[test]
    fn text_never_becomes_a_roff_request() {
        assert_eq!(escaped(".so x"), "\\&.so x");
        assert_eq!(escaped("it's a-\\b"), "it\\(aqs a\\-\\eb");
        assert_eq!(escaped("a,…"), "a,\\[u2026]");
    }
}

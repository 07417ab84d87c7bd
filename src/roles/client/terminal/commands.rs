//! What can be typed in the terminal client: one table, for its parser, its help and its completion.
//!
//! ```text
//!   /dm bob  see you   ──▶ Command::Message { name: bob, text: see you }
//!   hello              ──▶ Text: a croak while the chat is live, else a question what was meant
//!   /pots hello        ──▶ Wrong: did you mean `/post`?
//! ```
//!
//! What stands behind `/post` and behind the name of `/dm` is taken as it is: no quotes, no backslashes.

use ribbit_ui::nearest::nearest;
use ribbit_ui::plain;

/// A longer word is no command that was mistyped.
const COMMAND_CHARS_MAX: usize = 32;

/// A line, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    Nothing,
    Command(Command),
    /// No command: what it becomes depends on whether the chat is live.
    Text(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Post {
        text: String,
    },
    Feed {
        more: bool,
    },
    Live {
        take_over: bool,
    },
    /// Without a text: the conversation.
    Message {
        name: String,
        text: Option<String>,
    },
    Unread,
    Friends,
    Add {
        name: String,
    },
    Remove {
        name: String,
    },
    People {
        pattern: Option<String>,
    },
    Who,
    Export {
        file: Option<String>,
    },
    Delete,
    Help(Option<&'static Entry>),
    Quit,
}

/// What is wrong with a line, and what was meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(pub String);

/// A command as help shows it.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Without its slash.
    pub name: &'static str,
    /// What follows it.
    pub takes: &'static str,
    pub about: &'static str,
    /// What `/help NAME` says beyond that.
    pub more: &'static str,
    /// Whether a user name follows: what Tab completes.
    pub names: bool,
}

const fn entry(name: &'static str, takes: &'static str, about: &'static str, more: &'static str) -> Entry {
    Entry { name, takes, about, more, names: false }
}

const fn of_names(name: &'static str, takes: &'static str, about: &'static str, more: &'static str) -> Entry {
    Entry { name, takes, about, more, names: true }
}

pub const TABLE: &[Entry] = &[
    entry(
        "post",
        "TEXT",
        "croak it, to everybody who follows you",
        "At most 100 characters. All that follows the blank is taken as it is, slashes too.",
    ),
    entry(
        "feed",
        "[more]",
        "the newest croaks of your friends and your own",
        "`/feed more` goes on with what is older, as often as you like.",
    ),
    entry(
        "live",
        "[--take-over]",
        "the chat: everything you type is croaked; `/live` again leaves it",
        "It begins with the newest 20 croaks. One of your terminals at a time is live: `/live --take-over` moves \
         the chat here from where it is. New croaks and messages are shown with and without it.",
    ),
    of_names(
        "dm",
        "NAME [TEXT]",
        "a message to one person; without a text, your conversation",
        "At most 1000 characters. Who is away finds it later. Behind each of yours stands how far it got: saved, \
         delivered, read.",
    ),
    entry(
        "unread",
        "",
        "what waits to be read, and from whom",
        "`/dm NAME` shows it, and then it counts as read.",
    ),
    entry("friends", "", "whom you follow", "`/add NAME` and `/remove NAME` change it."),
    of_names(
        "add",
        "NAME",
        "follow somebody: their croaks come to your feed",
        "`/people` lists who is there.",
    ),
    of_names(
        "remove",
        "NAME",
        "follow somebody no longer",
        "Their croaks leave your feed, the old ones too.",
    ),
    of_names(
        "people",
        "[PATTERN]",
        "who is there; `*`, `?` and `[a-z]` stand for letters",
        "`/people b*` lists all whose user names begin with b.",
    ),
    entry("who", "", "who is in the chat at this moment", "Those for whom `/live` is on, in a terminal."),
    entry(
        "export",
        "[FILE]",
        "everything you have here, in a file on this machine",
        "As JSON, for you alone to read. It overwrites nothing.",
    ),
    entry(
        "delete",
        "",
        "delete your account and everything you wrote; asks for your password first",
        "There is no way back. An empty password leaves all as it is.",
    ),
    entry("help", "[COMMAND]", "this, or more on one command", ""),
    entry(
        "quit",
        "",
        "end; so does Ctrl-D, and Ctrl-C logs out",
        "With `/quit` and Ctrl-D you stay logged in for the next time; Ctrl-C ends a session that was begun here.",
    ),
];

/// What a finger may know from elsewhere.
const ALIASES: &[(&str, &str)] = &[
    ("exit", "quit"),
    ("q", "quit"),
    ("msg", "dm"),
    ("croak", "post"),
    ("follow", "add"),
    ("unfollow", "remove"),
    ("rm", "remove"),
    ("?", "help"),
];

/// The command of this name, or of one that fingers know from elsewhere; in small letters, without the slash.
pub fn find(name: &str) -> Option<&'static Entry> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
    TABLE.iter().find(|entry| entry.name == name)
}

/// A line, or what is wrong with it.
///
/// # Errors
/// It begins with a slash and is no command.
pub fn parse(line: &str) -> Result<Typed, Wrong> {
    let line = line.trim();
    let Some(rest) = line.strip_prefix('/') else {
        return Ok(if line.is_empty() { Typed::Nothing } else { Typed::Text(line.to_string()) });
    };
    let (name, rest) = word(rest);
    Ok(Typed::Command(command(entry_of(name)?, rest)?))
}

/// What to say to a text that is not posted: outside of the chat a line is a command.
pub fn unposted(text: &str) -> Wrong {
    let first = text.split_whitespace().next().unwrap_or_default();
    let meant = find(&first.to_ascii_lowercase()).map(|entry| format!("did you mean `/{}`? ", entry.name));
    let meant = meant.unwrap_or_default();
    Wrong(format!(
        "{meant}Nothing was posted: `/post TEXT` croaks it; after `/live` everything you type is croaked"
    ))
}

/// All commands, or one of them.
pub fn help(entry: Option<&Entry>) -> String {
    let usage = |entry: &Entry| format!("/{} {}", entry.name, entry.takes).trim_end().to_string();
    if let Some(entry) = entry {
        return format!("{}\n  {}\n  {}", usage(entry), entry.about, entry.more).trim_end().to_string();
    }
    let width = TABLE.iter().map(|entry| usage(entry).len()).max().unwrap_or_default();
    let lines = TABLE.iter().map(|entry| format!("{:width$}  {}", usage(entry), entry.about));
    lines
        .chain(["Tab completes commands and names; `/help COMMAND` says more.".to_string()])
        .collect::<Vec<_>>()
        .join("\n")
}

fn entry_of(name: &str) -> Result<&'static Entry, Wrong> {
    let folded = name.to_ascii_lowercase();
    if let Some(entry) = find(&folded) {
        return Ok(entry);
    }
    let names = || TABLE.iter().map(|entry| entry.name);
    let mut begun = names().filter(|name| !folded.is_empty() && name.starts_with(&folded));
    let meant = match (begun.next(), begun.next()) {
        (Some(name), None) => Some(name),
        _ if folded.chars().count() <= COMMAND_CHARS_MAX => nearest(&folded, names()),
        _ => None,
    };
    let meant = match meant {
        Some(name) => format!("did you mean `/{name}`?"),
        None => "`/help` shows what there is".to_string(),
    };
    let name: String = name.chars().take(COMMAND_CHARS_MAX).collect();
    Err(Wrong(format!("`/{}`: no such command; {meant}", plain::line(&name))))
}

fn command(entry: &'static Entry, rest: &str) -> Result<Command, Wrong> {
    Ok(match entry.name {
        "post" => match rest {
            "" => return Err(missing(entry, "what?")),
            text => Command::Post { text: text.to_string() },
        },
        "feed" => Command::Feed { more: flag(entry, rest, "more")? },
        "live" => Command::Live { take_over: flag(entry, rest, "--take-over")? },
        "dm" => {
            let (name, text) = word(rest);
            let text = (!text.is_empty()).then(|| text.to_string());
            Command::Message { name: user(entry, name)?, text }
        }
        "add" => Command::Add { name: user(entry, rest)? },
        "remove" => Command::Remove { name: user(entry, rest)? },
        "people" => {
            Command::People { pattern: at_most_one(entry, rest)?.map(|name| without_at(name).to_string()) }
        }
        // A file's name may have blanks in it.
        "export" => Command::Export { file: (!rest.is_empty()).then(|| rest.to_string()) },
        "help" => match at_most_one(entry, rest)? {
            Some(name) => Command::Help(Some(entry_of(name.strip_prefix('/').unwrap_or(name))?)),
            None => Command::Help(None),
        },
        name => {
            if !rest.is_empty() {
                return Err(Wrong(format!("`/{name}` stands alone")));
            }
            match name {
                "unread" => Command::Unread,
                "friends" => Command::Friends,
                "who" => Command::Who,
                "delete" => Command::Delete,
                _ => Command::Quit,
            }
        }
    })
}

/// The first word, and what follows the blanks behind it.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

/// People write `@bob` for bob.
fn without_at(name: &str) -> &str {
    name.strip_prefix('@').unwrap_or(name)
}

fn user(entry: &Entry, name: &str) -> Result<String, Wrong> {
    match at_most_one(entry, name)?.map(without_at) {
        Some(name) if !name.is_empty() => Ok(name.to_string()),
        _ => Err(missing(entry, "whom?")),
    }
}

fn at_most_one<'a>(entry: &Entry, rest: &'a str) -> Result<Option<&'a str>, Wrong> {
    match rest.split_whitespace().count() {
        0 => Ok(None),
        1 => Ok(Some(rest)),
        _ => Err(Wrong(format!("one at a time: `/{} {}`", entry.name, entry.takes))),
    }
}

fn flag(entry: &Entry, rest: &str, flag: &str) -> Result<bool, Wrong> {
    match rest {
        "" => Ok(false),
        word if word == flag => Ok(true),
        _ => Err(Wrong(format!("`/{}` alone, or `/{} {flag}`", entry.name, entry.name))),
    }
}

fn missing(entry: &Entry, question: &str) -> Wrong {
    Wrong(format!("{question} `/{} {}`", entry.name, entry.takes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Command {
        match parse(line) {
            Ok(Typed::Command(command)) => command,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn wrong(line: &str) -> String {
        parse(line).unwrap_err().to_string()
    }

    #[test]
    fn commands_are_taken_apart() {
        assert_eq!(typed(" /post  two  words /x "), Command::Post { text: "two  words /x".into() });
        assert_eq!(typed("/POST a"), Command::Post { text: "a".into() });
        let message =
            |text: Option<&str>| Command::Message { name: "bob".into(), text: text.map(Into::into) };
        assert_eq!(typed("/dm @bob  see you"), message(Some("see you")));
        assert_eq!(typed("/msg bob"), message(None));
        assert_eq!(typed("/live"), Command::Live { take_over: false });
        assert_eq!(typed("/live --take-over"), Command::Live { take_over: true });
        assert_eq!(typed("/feed more"), Command::Feed { more: true });
        assert_eq!(typed("/people b*"), Command::People { pattern: Some("b*".into()) });
        assert_eq!(typed("/export my things.json"), Command::Export { file: Some("my things.json".into()) });
        assert_eq!(typed("/help /dm"), Command::Help(find("dm")));
        assert_eq!(typed("/exit"), Command::Quit);
        assert_eq!(parse("  "), Ok(Typed::Nothing));
        assert_eq!(parse(" hello /post "), Ok(Typed::Text("hello /post".into())));
    }

    #[test]
    fn every_command_can_be_typed_and_has_its_help() {
        for Entry { name, takes, .. } in TABLE {
            let line = format!("/{name} {}", if takes.starts_with(char::is_uppercase) { "bob" } else { "" });
            typed(&line);
            assert!(help(None).contains(&format!("/{name}")));
            assert!(help(find(name)).lines().count() >= 2);
        }
        for (_, name) in ALIASES {
            assert!(find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn what_was_meant_is_said() {
        for (line, meant) in
            [("/pots hello", "/post"), ("/fr", "/friends"), ("/unraed", "/unread"), ("/ad bob", "/add")]
        {
            assert!(wrong(line).contains(&format!("did you mean `{meant}`?")), "{}", wrong(line));
        }
        assert_eq!(wrong("/frogs\x1b"), r"`/frogs\x1b`: no such command; `/help` shows what there is");
        assert!(wrong(&format!("/{}", "x".repeat(100_000))).len() < 200);
        assert_eq!(wrong("/post"), "what? `/post TEXT`");
        assert_eq!(wrong("/dm"), "whom? `/dm NAME [TEXT]`");
        assert_eq!(wrong("/add a b"), "one at a time: `/add NAME`");
        assert_eq!(wrong("/who is it"), "`/who` stands alone");
        assert_eq!(wrong("/live on"), "`/live` alone, or `/live --take-over`");
        assert!(unposted("Feed").0.starts_with("did you mean `/feed`? "));
        assert!(unposted("hello").0.starts_with("Nothing was posted: `/post TEXT`"));
    }
}

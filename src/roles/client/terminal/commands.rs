//! Slash commands of the terminal client: one table for parser, help and completion.
//!
//! ```text
//!   /dm bob  see you   ──▶ Command::Message { name: bob, text: see you }
//!   hello              ──▶ Text: a croak while live chat is on, otherwise a hint
//!   /pots hello        ──▶ Wrong: did you mean `/post`?
//! ```
//!
//! The text after `/post` and after the name in `/dm` is taken literally: no quotes, no backslashes.

use ribbit_state::Audience;
use ribbit_ui::nearest::nearest;
use ribbit_ui::plain;

/// Maximum length, in characters, of an unknown command for which the nearest command is searched.
const COMMAND_CHARS_MAX: usize = 32;

/// A parsed line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParsedLine {
    Nothing,
    Command(TerminalCommand),
    /// Text without a slash: a croak while live chat is on.
    Text(String),
}

/// A slash command with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TerminalCommand {
    Post {
        text: String,
    },
    Feed {
        more: bool,
    },
    Live {
        take_over: bool,
    },
    /// Sends `text`; without a text, shows the conversation.
    Message {
        name: String,
        text: Option<String>,
    },
    /// Answers a croak.
    Reply {
        to: u64,
        text: String,
    },
    Like {
        croak: u64,
        undo: bool,
    },
    Share {
        croak: u64,
        undo: bool,
    },
    /// Pins a croak of the user to their profile.
    Pin {
        croak: u64,
        undo: bool,
    },
    /// Shows a profile; without a name, the user's own.
    Profile {
        name: Option<String>,
    },
    Everyone,
    /// Sets the audience of the next croaks and replies; without one, shows it.
    Audience {
        audience: Option<Audience>,
    },
    /// Shows the announcements, or dismisses all of them.
    Announcements {
        dismiss: bool,
    },
    Unread,
    Notifications,
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
    /// Mutes a user, or unmutes them.
    Mute {
        name: String,
        muted: bool,
    },
    /// Blocks a user, or unblocks them.
    Block {
        name: String,
        blocked: bool,
    },
    Who,
    Rooms,
    /// Opens a room, and joins it if necessary.
    Join {
        name: String,
    },
    /// Closes the open room; with a name, leaves that room.
    Leave {
        name: Option<String>,
    },
    /// Says something in the open room. No command stands for it: it is text without a slash.
    Say {
        text: String,
    },
    Export {
        file: Option<String>,
    },
    Delete,
    Help(Option<&'static CommandInfo>),
    Quit,
}

/// A line that is not a valid command: the error message with a hint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InputError(pub String);

/// A row of the command table.
#[derive(Debug, PartialEq, Eq)]
pub struct CommandInfo {
    /// Name without the slash.
    pub name: &'static str,
    /// Arguments, as the usage line shows them.
    pub takes: &'static str,
    /// Summary in the list of commands.
    pub about: &'static str,
    /// Details that `/help NAME` adds.
    pub more: &'static str,
    /// Kind of the first argument, which Tab completes.
    pub first: FirstArgument,
}

/// Kind of the first argument of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstArgument {
    UserName,
    RoomName,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Anything else, or no argument.
    Other,
}

const fn entry(
    name: &'static str,
    takes: &'static str,
    about: &'static str,
    more: &'static str,
) -> CommandInfo {
    CommandInfo { name, takes, about, more, first: FirstArgument::Other }
}

impl CommandInfo {
    const fn with(self, first: FirstArgument) -> CommandInfo {
        CommandInfo { first, ..self }
    }

    const fn of_names(self) -> CommandInfo {
        self.with(FirstArgument::UserName)
    }

    const fn of_rooms(self) -> CommandInfo {
        self.with(FirstArgument::RoomName)
    }
}

/// All commands, in the order of `/help`. A summary of up to 58 characters fits on a line of 80 columns.
pub const TABLE: &[CommandInfo] = &[
    entry(
        "post",
        "TEXT",
        "post a croak to everyone who follows you",
        "Up to 100 characters. Everything after the space is posted as you type it.",
    ),
    entry(
        "feed",
        "[more]",
        "show the latest croaks from you and the people you follow",
        "`/feed more` shows older croaks; repeat it to go further back.",
    )
    .with(FirstArgument::Word(&["more"])),
    entry(
        "live",
        "[--take-over]",
        "turn live chat on or off: when on, all you type is posted",
        "Starts with the latest 20 croaks. Only one of your terminals can be live at a time; `/live --take-over` \
         moves the chat here. New croaks and messages appear whether live chat is on or off.",
    )
    .with(FirstArgument::Word(&["--take-over"])),
    entry(
        "reply",
        "ID TEXT",
        "answer a croak; its number stands before it in `/feed`",
        "The name of the person you answer is added, and does not count against the 100 characters.",
    ),
    entry("like", "ID [undo]", "like a croak", "`/like ID undo` takes the like back."),
    entry(
        "share",
        "ID [undo]",
        "show a croak to everyone who follows you",
        "`/share ID undo` takes the share back.",
    ),
    entry(
        "pin",
        "ID [undo]",
        "show one of your croaks first on your profile",
        "`/pin ID undo` takes it down. It also goes when you delete the croak or pin another one.",
    ),
    entry(
        "profile",
        "[NAME]",
        "show what someone says about themselves",
        "`ribbit client profile --bio TEXT` and the pages change yours.",
    )
    .of_names(),
    entry(
        "audience",
        "[everyone|followers]",
        "set who sees what you post from here",
        "With `followers`, your croaks and replies are shown to your followers and the people they mention only, until you \
         leave or type `/audience everyone`. Before, your settings decide.",
    )
    .with(FirstArgument::Word(&["everyone", "followers"])),
    entry("everyone", "", "show the latest croaks of all people", "Also those of people you do not follow."),
    entry(
        "dm",
        "NAME [TEXT]",
        "send a message; without TEXT, show your conversation",
        "Up to 1000 characters. People who are away see it when they are back. Next to each message you sent is its \
         status: saved, delivered or read.",
    )
    .of_names(),
    entry(
        "unread",
        "",
        "show what you have not read yet",
        "`/dm NAME` opens a conversation and marks it as read.",
    ),
    entry(
        "notifications",
        "",
        "show mentions, replies, likes, shares and new followers",
        "Shows the latest 20 and marks them as read, here and on the pages.",
    ),
    entry(
        "announcements",
        "[dismiss]",
        "show what the people who run the servers announce",
        "`/announcements dismiss` hides them from you, here and on the pages.",
    )
    .with(FirstArgument::Word(&["dismiss"])),
    entry(
        "friends",
        "",
        "list the people you follow",
        "`/add NAME` follows someone, `/remove NAME` unfollows.",
    ),
    entry(
        "add",
        "NAME",
        "follow someone: their croaks appear in your feed",
        "`/people` lists everyone you can follow.",
    )
    .of_names(),
    entry("remove", "NAME", "unfollow someone", "Their croaks disappear from your feed, old ones too.").of_names(),
    entry(
        "people",
        "[PATTERN]",
        "list people; PATTERN can use `*`, `?` and `[a-z]`",
        "For example, `/people b*` lists everyone whose user name starts with b.",
    )
    .of_names(),
    entry("mute", "NAME", "stop seeing someone; they are not told", "`/unmute NAME` shows them again.").of_names(),
    entry("unmute", "NAME", "see someone again whom you had muted", "`ribbit client muted` lists them.").of_names(),
    entry(
        "block",
        "NAME",
        "neither of you sees the other any more",
        "Also ends that you follow each other. `/unblock NAME` lifts it.",
    )
    .of_names(),
    entry("unblock", "NAME", "lift a block", "`ribbit client blocked` lists the people you have blocked.").of_names(),
    entry(
        "who",
        "",
        "show who is in the live chat now",
        "Lists the people who have `/live` on in a terminal.",
    ),
    entry(
        "rooms",
        "",
        "list your rooms, and those that you can join",
        "Rooms are group chats. `ribbit client room-create NAME` or the web pages make a new one.",
    ),
    entry(
        "join",
        "NAME",
        "open a room: all you type is said there",
        "Joins the room if you are not in it yet, and shows the latest messages. `/leave` closes it again.",
    )
    .of_rooms(),
    entry(
        "leave",
        "[NAME]",
        "close the open room; with NAME, leave that room for good",
        "After `/leave` you are still a member. `/leave NAME` ends that; to come back to a room by invitation you need \
         another invitation.",
    )
    .of_rooms(),
    entry(
        "export",
        "[FILE]",
        "save everything you have here to a file",
        "Writes a JSON file that only you can read. Existing files are not overwritten.",
    ),
    entry(
        "delete",
        "",
        "delete your account (asks for your password first)",
        "Deletes your account and everything you wrote. This cannot be undone. To cancel, press Enter without a \
         password.",
    ),
    entry("help", "[COMMAND]", "show this list, or more about one command", ""),
    entry(
        "quit",
        "",
        "leave (Ctrl-D does the same; Ctrl-C also logs you out)",
        "After `/quit` or Ctrl-D you are still logged in next time. Ctrl-C logs out if you logged in here.",
    ),
];

/// Alternative names that users know from other products.
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

/// Returns the table row for a lower-case name or alias without its slash.
pub fn find(name: &str) -> Option<&'static CommandInfo> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
    TABLE.iter().find(|entry| entry.name == name)
}

/// Parses a line.
///
/// # Errors
/// [`InputError`] when the line starts with a slash and is not a valid command.
pub fn parse(line: &str) -> Result<ParsedLine, InputError> {
    let line = line.trim();
    let Some(rest) = line.strip_prefix('/') else {
        return Ok(if line.is_empty() { ParsedLine::Nothing } else { ParsedLine::Text(line.to_string()) });
    };
    let (name, rest) = word(rest);
    Ok(ParsedLine::Command(command(entry_of(name)?, rest)?))
}

/// Returns the hint for text without a slash that was typed while live chat is off.
pub fn unposted(text: &str) -> InputError {
    let first = text.split_whitespace().next().unwrap_or_default();
    let meant = find(&first.to_ascii_lowercase()).map(|entry| format!("did you mean `/{}`? ", entry.name));
    let meant = meant.unwrap_or_default();
    InputError(format!("{meant}Not posted. To post, type `/post TEXT`, or turn on live chat with `/live`"))
}

/// Returns the help text of all commands, or of one.
pub fn help(entry: Option<&CommandInfo>) -> String {
    let usage = |entry: &CommandInfo| format!("/{} {}", entry.name, entry.takes).trim_end().to_string();
    if let Some(entry) = entry {
        return format!("{}\n  {}\n  {}", usage(entry), entry.about, entry.more).trim_end().to_string();
    }
    let width = TABLE.iter().map(|entry| usage(entry).len()).max().unwrap_or_default();
    let lines = TABLE.iter().map(|entry| format!("{:width$}  {}", usage(entry), entry.about));
    lines
        .chain(["Press Tab to complete commands and names. `/help COMMAND` says more.".to_string()])
        .collect::<Vec<_>>()
        .join("\n")
}

fn entry_of(name: &str) -> Result<&'static CommandInfo, InputError> {
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
        None => "type `/help` for a list".to_string(),
    };
    let name: String = name.chars().take(COMMAND_CHARS_MAX).collect();
    Err(InputError(format!("unknown command `/{}`; {meant}", plain::line(&name))))
}

/// Returns the id of a croak.
fn number(entry: &CommandInfo, text: &str) -> Result<u64, InputError> {
    text.trim_start_matches('#').parse().map_err(|_| missing(entry, "the number of a croak"))
}

fn command(entry: &'static CommandInfo, rest: &str) -> Result<TerminalCommand, InputError> {
    Ok(match entry.name {
        "post" => match rest {
            "" => return Err(missing(entry, "a text")),
            text => TerminalCommand::Post { text: text.to_string() },
        },
        "reply" => match (number(entry, word(rest).0)?, word(rest).1) {
            (_, "") => return Err(missing(entry, "a text")),
            (to, text) => TerminalCommand::Reply { to, text: text.to_string() },
        },
        "like" | "share" | "pin" => {
            let (id, rest) = word(rest);
            let (croak, undo) = (number(entry, id)?, flag(entry, rest, "undo")?);
            match entry.name {
                "pin" => TerminalCommand::Pin { croak, undo },
                "like" => TerminalCommand::Like { croak, undo },
                _ => TerminalCommand::Share { croak, undo },
            }
        }
        "announcements" => TerminalCommand::Announcements { dismiss: flag(entry, rest, "dismiss")? },
        "feed" => TerminalCommand::Feed { more: flag(entry, rest, "more")? },
        "live" => TerminalCommand::Live { take_over: flag(entry, rest, "--take-over")? },
        "dm" => {
            let (name, text) = word(rest);
            let text = (!text.is_empty()).then(|| text.to_string());
            TerminalCommand::Message { name: user(entry, name)?, text }
        }
        "audience" => TerminalCommand::Audience {
            audience: match rest {
                "" => None,
                word => Some(word.parse().map_err(|()| {
                    InputError("type `/audience everyone` or `/audience followers`".to_string())
                })?),
            },
        },
        "add" => TerminalCommand::Add { name: user(entry, rest)? },
        "remove" => TerminalCommand::Remove { name: user(entry, rest)? },
        "mute" | "unmute" => TerminalCommand::Mute { name: user(entry, rest)?, muted: entry.name == "mute" },
        "block" | "unblock" => {
            TerminalCommand::Block { name: user(entry, rest)?, blocked: entry.name == "block" }
        }
        "join" => match at_most_one(entry, rest)?.map(without_sign) {
            Some(name) if !name.is_empty() => TerminalCommand::Join { name: name.to_string() },
            _ => return Err(missing(entry, "the name of a room")),
        },
        "leave" => TerminalCommand::Leave {
            name: at_most_one(entry, rest)?.map(|name| without_sign(name).to_string()),
        },
        "profile" => TerminalCommand::Profile {
            name: at_most_one(entry, rest)?.map(|name| without_at(name).to_string()),
        },
        "people" => TerminalCommand::People {
            pattern: at_most_one(entry, rest)?.map(|name| without_at(name).to_string()),
        },
        // A file name may contain spaces.
        "export" => TerminalCommand::Export { file: (!rest.is_empty()).then(|| rest.to_string()) },
        "help" => match at_most_one(entry, rest)? {
            Some(name) => TerminalCommand::Help(Some(entry_of(name.strip_prefix('/').unwrap_or(name))?)),
            None => TerminalCommand::Help(None),
        },
        name => {
            if !rest.is_empty() {
                return Err(InputError(format!("`/{name}` takes no arguments")));
            }
            match name {
                "everyone" => TerminalCommand::Everyone,
                "unread" => TerminalCommand::Unread,
                "notifications" => TerminalCommand::Notifications,
                "friends" => TerminalCommand::Friends,
                "who" => TerminalCommand::Who,
                "rooms" => TerminalCommand::Rooms,
                "delete" => TerminalCommand::Delete,
                _ => TerminalCommand::Quit,
            }
        }
    })
}

/// Splits off the first word and the spaces after it.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

/// Removes the `#` of `#pond`.
fn without_sign(name: &str) -> &str {
    name.strip_prefix('#').unwrap_or(name)
}

/// Removes the `@` of `@bob`.
fn without_at(name: &str) -> &str {
    name.strip_prefix('@').unwrap_or(name)
}

fn user(entry: &CommandInfo, name: &str) -> Result<String, InputError> {
    match at_most_one(entry, name)?.map(without_at) {
        Some(name) if !name.is_empty() => Ok(name.to_string()),
        _ => Err(missing(entry, "a user name")),
    }
}

fn at_most_one<'a>(entry: &CommandInfo, rest: &'a str) -> Result<Option<&'a str>, InputError> {
    match rest.split_whitespace().count() {
        0 => Ok(None),
        1 => Ok(Some(rest)),
        _ => Err(InputError(format!("too many words: type `/{} {}`", entry.name, entry.takes))),
    }
}

fn flag(entry: &CommandInfo, rest: &str, flag: &str) -> Result<bool, InputError> {
    match rest {
        "" => Ok(false),
        word if word == flag => Ok(true),
        _ => Err(InputError(format!("type `/{}` or `/{} {flag}`", entry.name, entry.name))),
    }
}

fn missing(entry: &CommandInfo, argument: &str) -> InputError {
    InputError(format!("`/{}` needs {argument}: `/{} {}`", entry.name, entry.name, entry.takes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> TerminalCommand {
        match parse(line) {
            Ok(ParsedLine::Command(command)) => command,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn wrong(line: &str) -> String {
        parse(line).unwrap_err().to_string()
    }

    #[test]
    fn lines_parse_into_commands_and_text() {
        assert_eq!(typed(" /post  two  words /x "), TerminalCommand::Post { text: "two  words /x".into() });
        assert_eq!(typed("/POST a"), TerminalCommand::Post { text: "a".into() });
        let message =
            |text: Option<&str>| TerminalCommand::Message { name: "bob".into(), text: text.map(Into::into) };
        assert_eq!(typed("/dm @bob  see you"), message(Some("see you")));
        assert_eq!(typed("/msg bob"), message(None));
        assert_eq!(typed("/live"), TerminalCommand::Live { take_over: false });
        assert_eq!(typed("/live --take-over"), TerminalCommand::Live { take_over: true });
        assert_eq!(typed("/feed more"), TerminalCommand::Feed { more: true });
        assert_eq!(typed("/people b*"), TerminalCommand::People { pattern: Some("b*".into()) });
        assert_eq!(
            typed("/export my things.json"),
            TerminalCommand::Export { file: Some("my things.json".into()) }
        );
        assert_eq!(typed("/help /dm"), TerminalCommand::Help(find("dm")));
        assert_eq!(typed("/reply 22  see you"), TerminalCommand::Reply { to: 22, text: "see you".into() });
        assert_eq!(typed("/like #22"), TerminalCommand::Like { croak: 22, undo: false });
        assert_eq!(typed("/share 22 undo"), TerminalCommand::Share { croak: 22, undo: true });
        assert_eq!(typed("/unmute @bob"), TerminalCommand::Mute { name: "bob".into(), muted: false });
        assert_eq!(typed("/block bob"), TerminalCommand::Block { name: "bob".into(), blocked: true });
        assert_eq!(typed("/audience"), TerminalCommand::Audience { audience: None });
        let followers = TerminalCommand::Audience { audience: Some(Audience::Followers) };
        assert_eq!(typed("/audience followers"), followers);
        assert_eq!(typed("/pin #22 undo"), TerminalCommand::Pin { croak: 22, undo: true });
        assert_eq!(typed("/profile @bob"), TerminalCommand::Profile { name: Some("bob".into()) });
        assert_eq!(typed("/profile"), TerminalCommand::Profile { name: None });
        assert_eq!(typed("/exit"), TerminalCommand::Quit);
        assert_eq!(parse("  "), Ok(ParsedLine::Nothing));
        assert_eq!(parse(" hello /post "), Ok(ParsedLine::Text("hello /post".into())));
    }

    #[test]
    fn every_command_parses_and_has_a_help_text() {
        for CommandInfo { name, takes, .. } in TABLE {
            let arguments = match *takes {
                "ID TEXT" => "7 hello",
                takes if takes.starts_with("ID") => "7",
                takes if takes.starts_with(char::is_uppercase) => "bob",
                _ => "",
            };
            typed(&format!("/{name} {arguments}"));
            assert!(help(None).contains(&format!("/{name}")));
            assert!(help(find(name)).lines().count() >= 2);
        }
        for (_, name) in ALIASES {
            assert!(find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn errors_suggest_what_to_type() {
        for (line, meant) in
            [("/pots hello", "/post"), ("/fr", "/friends"), ("/unraed", "/unread"), ("/ad bob", "/add")]
        {
            assert!(wrong(line).contains(&format!("did you mean `{meant}`?")), "{}", wrong(line));
        }
        assert_eq!(wrong("/frogs\x1b"), r"unknown command `/frogs\x1b`; type `/help` for a list");
        assert!(wrong(&format!("/{}", "x".repeat(100_000))).len() < 200);
        assert_eq!(wrong("/post"), "`/post` needs a text: `/post TEXT`");
        assert_eq!(wrong("/like it"), "`/like` needs the number of a croak: `/like ID [undo]`");
        assert_eq!(wrong("/dm"), "`/dm` needs a user name: `/dm NAME [TEXT]`");
        assert_eq!(wrong("/add a b"), "too many words: type `/add NAME`");
        assert_eq!(wrong("/who is it"), "`/who` takes no arguments");
        assert_eq!(wrong("/audience friends"), "type `/audience everyone` or `/audience followers`");
        assert_eq!(wrong("/live on"), "type `/live` or `/live --take-over`");
        assert!(unposted("Feed").0.starts_with("did you mean `/feed`? "));
        assert!(unposted("hello").0.starts_with("Not posted. To post, type `/post TEXT`"));
    }
}

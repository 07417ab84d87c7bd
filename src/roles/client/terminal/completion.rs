//! Tab completion of commands, user names and rooms, also of `@name` and `#room` in a text. User names come from this
//! session and from a query to the servers, rooms from a query alone.

use super::commands::{FirstArgument, TABLE, find};
use crate::common::editor::pair;
use ribbit_state::sync::MutexExt;
use rustyline::completion::Pair;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

/// Maximum number of remembered user names. Further names come from the query alone.
const NAMES_MAX: usize = 1_000;

/// User names that appeared in this session. Clones share the set.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownNames(Arc<Mutex<BTreeSet<String>>>);

impl KnownNames {
    /// Remembers a user name.
    pub(crate) fn remember(&self, username: &str) {
        let mut names = self.names();
        if names.len() < NAMES_MAX && !names.contains(username) {
            names.insert(username.to_string());
        }
    }

    fn beginning(&self, begin: &str) -> BTreeSet<String> {
        self.names().iter().filter(|name| name.starts_with(begin)).cloned().collect()
    }

    fn names(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.locked()
    }
}

/// Queries for completions. Each returns the names with a given prefix.
pub(crate) trait NameQueries {
    fn people(&self, begin: &str) -> Vec<String>;
    fn rooms(&self, begin: &str) -> Vec<String>;
}

/// Returns the byte offset of the word at the end of `line` and its completions.
pub(crate) fn complete(line: &str, names: &KnownNames, queries: &impl NameQueries) -> (usize, Vec<Pair>) {
    let begins = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let word = &line[begins..];
    let before: Vec<&str> = line[..begins].split_whitespace().collect();
    let found = match before[..] {
        [] if word.starts_with('/') => commands(word),
        ["/help"] => commands(&format!("/{}", word.trim_start_matches('/'))),
        [command] => match first_argument(command) {
            FirstArgument::UserName => people(word, names, queries),
            FirstArgument::RoomName => rooms(word, queries),
            FirstArgument::Word(words) => whole(words, word),
            FirstArgument::Other => in_text(word, names, queries),
        },
        _ => in_text(word, names, queries),
    };
    (begins, found)
}

/// Returns the completions of a word in a text: of a mention or a room.
fn in_text(word: &str, names: &KnownNames, queries: &impl NameQueries) -> Vec<Pair> {
    match word.chars().next() {
        Some('@') if word.len() > 1 => people(word, names, queries),
        Some('#') if word.len() > 1 => rooms(word, queries),
        _ => Vec::new(),
    }
}

fn first_argument(command: &str) -> FirstArgument {
    let name = command.strip_prefix('/').map(str::to_ascii_lowercase);
    name.and_then(|name| find(&name)).map_or(FirstArgument::Other, |entry| entry.first)
}

fn commands(begin: &str) -> Vec<Pair> {
    let names = TABLE.iter().map(|entry| format!("/{}", entry.name));
    names.filter(|name| begin.starts_with('/') && name.starts_with(begin)).map(pair).collect()
}

fn whole(words: &[&str], begin: &str) -> Vec<Pair> {
    words.iter().filter(|word| word.starts_with(begin)).map(|word| pair((*word).to_string())).collect()
}

fn people(word: &str, names: &KnownNames, queries: &impl NameQueries) -> Vec<Pair> {
    let at = if word.starts_with('@') { "@" } else { "" };
    let begin = word[at.len()..].to_ascii_lowercase();
    let mut found = names.beginning(&begin);
    found.extend(queries.people(&begin));
    found.into_iter().map(|name| pair(format!("{at}{name}"))).collect()
}

fn rooms(word: &str, queries: &impl NameQueries) -> Vec<Pair> {
    let sign = if word.starts_with('#') { "#" } else { "" };
    let found = queries.rooms(&word[sign.len()..].to_ascii_lowercase());
    found.into_iter().map(|name| pair(format!("{sign}{name}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Servers that know one user and two rooms.
    struct Servers;

    impl NameQueries for Servers {
        fn people(&self, begin: &str) -> Vec<String> {
            if begin == "bo" { vec!["bo-from-afar".to_string()] } else { Vec::new() }
        }
        fn rooms(&self, begin: &str) -> Vec<String> {
            let rooms = ["north", "pond"].map(str::to_string);
            rooms.into_iter().filter(|room| room.starts_with(begin)).collect()
        }
    }

    #[test]
    fn commands_and_names_are_completed() {
        let names = KnownNames::default();
        for name in ["bob", "bonny", "carl"] {
            names.remember(name);
        }
        let done = |line: &str| {
            let (begins, found) = complete(line, &names, &Servers);
            let found: Vec<String> = found.into_iter().map(|pair| pair.replacement).collect();
            (begins, found.join("|"))
        };
        assert_eq!(done("/pe"), (0, "/people ".into()));
        assert_eq!(done("/po").1, "/post ");
        assert_eq!(done("/dm bo"), (4, "bo-from-afar |bob |bonny ".into()));
        assert_eq!(done("/DM @BOB"), (4, "@bob ".into()));
        assert_eq!(done("/live --"), (6, "--take-over ".into()));
        assert_eq!(done("/join po"), (6, "pond ".into()));
        assert_eq!(done("/leave #"), (7, "#north |#pond ".into()));
        assert_eq!(done("/audience f"), (10, "followers ".into()));
        assert_eq!(done("/help d"), (6, "/dm |/delete ".into()));
        // Mentions and rooms in texts.
        for text in ["", "hi ", "/post ", "/post hi ", "/dm bob ", "/reply 7 "] {
            assert_eq!(done(&format!("{text}@bob")), (text.len(), "@bob ".into()), "{text}");
            assert_eq!(done(&format!("{text}#po")), (text.len(), "#pond ".into()), "{text}");
        }
        for nothing in ["bo", "/dm bob bo", "/post bo", "/frog bo", "@", "hi #"] {
            assert_eq!(done(nothing).1, "", "{nothing}");
        }
    }
}

//! Words of the golden scripts for replies, likes, shares and threads: commands, queries, pages and rows.

use super::scripts::{Words, first, person_words, session};
use crate::command::{Audience, Command, ConversationCommand};
use crate::ids::{AccountId, LogIndex};
use crate::query::{CroakBody, CroakNumbers, FeedCroak, FrontCroak, FrontPage};
use crate::query::{Page, Query, ReactionKind, Thread, ThreadCroak, Unread};
use crate::rows::{
    Counts, Croak, CroakCounts, CroakKind, CroakSweeps, Key, LikedBy, Likes, Replies, SharedBy, Shares,
    Table, TableId, decode,
};
use goldenscript::ArgumentConsumer;
use std::error::Error;
use std::fmt::Write as _;

/// Returns the command that a line names, if this module knows it.
pub(super) fn command(name: &str, args: &mut ArgumentConsumer) -> Result<Option<Command>, Box<dyn Error>> {
    let command = match name {
        "croak" => {
            let session = session(args)?;
            let times = args.lookup_parse("times")?.unwrap_or(1);
            let text = first(args)?.repeat(times);
            let for_followers: Option<bool> = args.lookup_parse("followers")?;
            let audience = for_followers
                .map(|followers| if followers { Audience::Followers } else { Audience::Everyone });
            return Ok(Some(Command::Croak {
                session,
                text,
                reply_to: args.lookup_parse("reply")?,
                audience,
            }));
        }
        "like" => ConversationCommand::Like { session: session(args)?, croak: first(args)?.parse()? },
        "unlike" => ConversationCommand::Unlike { session: session(args)?, croak: first(args)?.parse()? },
        "share" => ConversationCommand::Share { session: session(args)?, croak: first(args)?.parse()? },
        "unshare" => ConversationCommand::Unshare { session: session(args)?, croak: first(args)?.parse()? },
        "sweepcroak" => ConversationCommand::SweepCroak { croak: first(args)?.parse()? },
        _ => return Ok(None),
    };
    Ok(Some(command.into()))
}

/// Returns the query that a line names, if this module knows it.
pub(super) fn query(name: &str, args: &mut ArgumentConsumer) -> Result<Option<Query>, Box<dyn Error>> {
    let kind = if name == "likers" { ReactionKind::Like } else { ReactionKind::Share };
    Ok(Some(match name {
        "thread" => Query::Thread {
            session: session(args)?,
            id: first(args)?.parse()?,
            after: args.lookup_parse("after")?,
            limit: args.lookup_parse("limit")?.unwrap_or(10),
        },
        "everyone" => Query::Everyone {
            session: session(args)?,
            before: args.lookup_parse("before")?,
            limit: args.lookup_parse("limit")?.unwrap_or(10),
        },
        "search" => Query::Search {
            session: session(args)?,
            words: first(args)?,
            before: args.lookup_parse("before")?,
            limit: args.lookup_parse("limit")?.unwrap_or(10),
        },
        "likers" | "sharers" => {
            Query::Reactions { session: session(args)?, croak: first(args)?.parse()?, kind }
        }
        _ => return Ok(None),
    }))
}

/// Returns a croak's text, and what distinguishes it from an original for everyone.
fn body_words(body: &CroakBody) -> String {
    let reply = body.reply_to.map_or(String::new(), |to| format!(", to {to}"));
    let followers = if body.audience == Audience::Followers { ", for followers" } else { "" };
    format!("{:?}{reply}{followers}", body.text)
}

/// Returns the counts that are not zero.
fn numbers_words(numbers: &CroakNumbers) -> String {
    let CroakNumbers { replies, likes, shares, liked, shared, pinned } = *numbers;
    let mut words = String::new();
    for (count, name) in [(replies, "replies"), (likes, "likes"), (shares, "shares")] {
        if count > 0 {
            words += &format!(", {count} {name}");
        }
    }
    let did = [(liked, ", liked"), (shared, ", shared"), (pinned, ", pinned")];
    words + &did.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect::<String>()
}

/// Returns a croak of a list in one line.
pub(super) fn croak_words(croak: &FeedCroak) -> String {
    let FeedCroak { id, author, body, numbers, share } = croak;
    let share = share
        .as_ref()
        .map_or(String::new(), |share| format!(", share {} by {}", share.id, share.by.username));
    format!("{id} {}: {}{}{share}", author.username, body_words(body), numbers_words(numbers))
}

fn thread_words(croak: &ThreadCroak) -> String {
    match croak {
        ThreadCroak::Croak(croak) => croak_words(croak),
        ThreadCroak::Gap => "gap".into(),
    }
}

/// Returns the text of a page, if this module knows it.
pub(super) fn page(page: &Page) -> Result<Option<String>, Box<dyn Error>> {
    let mut output = String::new();
    match page {
        Page::Croaks(croaks) => output += &profile_words(croaks)?,
        Page::Feed { croaks, older, .. }
        | Page::Everyone { croaks, older, .. }
        | Page::Liked { croaks, older, .. } => {
            for croak in croaks {
                writeln!(output, "{}", croak_words(croak))?;
            }
            writeln!(output, "older: {older:?}")?;
        }
        Page::Found(found) => {
            for known in &found.people {
                writeln!(output, "{}", person_words(&known.person))?;
            }
            for croak in &found.croaks {
                writeln!(output, "{}", croak_words(croak))?;
            }
            writeln!(output, "older: {:?}", found.older)?;
        }
        Page::Croak(croak) => writeln!(output, "{}", croak_words(croak))?,
        Page::Front(FrontPage { me, authors, croaks, older, unread, audience }) => {
            writeln!(output, "me: {}", person_words(me))?;
            let name = |position: u16| &authors[usize::from(position)].username;
            for FrontCroak { id, author, body, numbers, share } in croaks {
                let text = body.as_ref().map_or("known".to_string(), body_words);
                let share =
                    share.map_or(String::new(), |(id, _, by)| format!(", share {id} by {}", name(by)));
                writeln!(output, "{id} {}: {text}{}{share}", name(*author), numbers_words(numbers))?;
            }
            let audience = if *audience == Audience::Followers { ", for followers" } else { "" };
            let Unread { messages, croaks, .. } = unread;
            writeln!(output, "older: {older:?}, unread: {messages} and {croaks}{audience}")?;
        }
        Page::Thread(thread) => {
            let Thread { above, more_above, croak, replies, more, .. } = thread.as_ref();
            if *more_above {
                writeln!(output, "^ more")?;
            }
            for above in above {
                writeln!(output, "^ {}", thread_words(above))?;
            }
            writeln!(output, "= {}", croak_words(croak))?;
            for reply in replies {
                writeln!(output, "> {}", thread_words(&reply.croak))?;
                for nested in &reply.replies {
                    writeln!(output, ">> {}", thread_words(nested))?;
                }
                if reply.more {
                    writeln!(output, ">> more")?;
                }
            }
            writeln!(output, "more: {more:?}")?;
        }
        Page::Reactions { people, .. } => {
            let names: Vec<&str> = people.iter().map(|person| person.username.as_str()).collect();
            writeln!(output, "{names:?}")?;
        }
        _ => return Ok(None),
    }
    Ok(Some(output))
}

/// Returns the text of a key, if this module knows the table.
pub(super) fn key(table: TableId, key: &[u8]) -> Option<String> {
    match table {
        Replies::ID | Likes::ID | Shares::ID | LikedBy::ID | SharedBy::ID => {
            let (first, second) = <(u64, u64)>::from_bytes(key)?;
            Some(format!("{first} {second}"))
        }
        _ => None,
    }
}

/// Returns the text of a row, if this module knows the table.
pub(super) fn row(table: TableId, row: &[u8]) -> Option<String> {
    Some(match table {
        Likes::ID | Shares::ID => format!(": by {}", decode::<AccountId>(row)?.0),
        LikedBy::ID | SharedBy::ID => format!(": {}", decode::<LogIndex>(row)?),
        CroakCounts::ID => {
            let Counts { author, replies, likes, shares, gap } = decode::<Counts>(row)?;
            let gap = match gap {
                Some(gap) => format!(", gap to {:?}", gap.reply_to),
                None => String::new(),
            };
            format!(": of {}, {replies} replies, {likes} likes, {shares} shares{gap}", author.0)
        }
        Replies::ID | CroakSweeps::ID => String::new(),
        _ => return None,
    })
}

/// Returns the text of a stored croak.
pub(super) fn stored_words(croak: &Croak) -> String {
    let kind = match croak.kind {
        CroakKind::Original => String::new(),
        CroakKind::Reply { to } => format!(", to {to}"),
        CroakKind::Share { of } => format!(", share of {of}"),
    };
    let followers = if croak.audience == Audience::Followers { ", for followers" } else { "" };
    format!("by {} {:?}{kind}{followers}", croak.author.0, croak.text)
}

/// Returns a page of a croak list for [`super::scripts`].
pub(super) fn profile_words(croaks: &[FeedCroak]) -> Words {
    let mut output = String::new();
    for croak in croaks {
        writeln!(output, "{}", croak_words(croak))?;
    }
    Ok(output)
}

//! Words of the golden scripts for messages and for changes to accounts: commands, queries, pages and rows.

use super::conversation_words::{croak_words, profile_words};
use super::notice_words;
use super::scripts::{Words, first, person_words, role_words, session};
use crate::accounts::hash_digest;
use crate::command::Command;
use crate::command::MessageCommand;
use crate::command::{AccountChanges, AccountCommand, OperatorCommand};
use crate::ids::{AccountId, LogIndex};
use crate::query::{FollowSide, OperatorQuery, Page, Query, TalkMessage, TalkPartner, WaitingMessage};
use crate::query::{PersonRelation, Profile};
use crate::rows::{
    AccountProfile, Key, Mailboxes, Messages, Profiles, SettingsRow, Suspended, Table, TableId, TalkMarks,
    TalkOf, TalksByAge, Waiting, decode,
};
use goldenscript::ArgumentConsumer;
use std::error::Error;
use std::fmt::Write as _;

fn account(args: &mut ArgumentConsumer) -> Result<AccountId, Box<dyn Error>> {
    Ok(AccountId(first(args)?.parse()?))
}

/// Returns the command that a line names, if this module knows it.
pub(super) fn command(name: &str, args: &mut ArgumentConsumer) -> Result<Option<Command>, Box<dyn Error>> {
    let command = match name {
        "send" => {
            let times = args.lookup_parse("times")?.unwrap_or(1);
            let known = args.lookup_parse("known")?;
            let (session, username) = (session(args)?, first(args)?);
            let text = first(args)?.repeat(times);
            match known {
                None => MessageCommand::Send { session, username, text }.into(),
                Some(known) => MessageCommand::SendAgain { session, username, text, known }.into(),
            }
        }
        "mark" => MessageCommand::Mark {
            session: session(args)?,
            with: account(args)?,
            delivered_through: args.lookup_parse("delivered")?.unwrap_or(0),
            read_through: args.lookup_parse("read")?.unwrap_or(0),
        }
        .into(),
        "readfeed" => {
            MessageCommand::ReadFeed { session: session(args)?, through: first(args)?.parse()? }.into()
        }
        "rename" => AccountCommand::Describe {
            session: session(args)?,
            changes: AccountChanges {
                name: args.lookup_parse("name")?,
                bio: args.lookup_parse("bio")?,
                links: args
                    .lookup("links")
                    .map(|arg| arg.value.split_whitespace().map(str::to_string).collect()),
                avatar: args.lookup("avatar").map(|arg| arg.value.parse().expect("an avatar")),
                email: args.lookup_parse("email")?,
                audience: args.lookup("audience").map(|arg| arg.value.parse().expect("an audience")),
            },
        }
        .into(),
        "pin" => AccountCommand::Pin {
            session: session(args)?,
            croak: first(args)?.parse()?,
            pinned: !args.lookup_parse("off")?.unwrap_or(false),
        }
        .into(),
        "newpassword" => AccountCommand::ChangePassword {
            session: session(args)?,
            credential_version: args.lookup_parse("version")?.unwrap_or(1),
            password_hash: first(args)?,
        }
        .into(),
        "endsession" => {
            AccountCommand::EndSession { session: session(args)?, opened: first(args)?.parse()? }.into()
        }
        "endothers" => AccountCommand::EndOtherSessions { session: session(args)? }.into(),
        "uncroak" => {
            AccountCommand::RemoveCroak { session: session(args)?, croak: first(args)?.parse()? }.into()
        }
        "setpassword" => {
            OperatorCommand::SetPassword { account: account(args)?, password_hash: first(args)? }.into()
        }
        "suspend" => {
            let suspended = !args.lookup_parse("off")?.unwrap_or(false);
            OperatorCommand::Suspend { account: account(args)?, suspended }.into()
        }
        "removeaccount" => OperatorCommand::RemoveAccount { account: account(args)? }.into(),
        "removecroak" => OperatorCommand::RemoveCroak { croak: first(args)?.parse()? }.into(),
        // `rehash ACCOUNT HASH-BEFORE HASH`
        "rehash" => Command::Rehash {
            account: account(args)?,
            before: hash_digest(&first(args)?),
            password_hash: first(args)?,
            credential_version: args.lookup_parse("version")?.unwrap_or(1),
        },
        "site" => {
            let (name, welcome) = (args.lookup_parse("name")?, args.lookup_parse("welcome")?);
            OperatorCommand::DescribeSite { name, welcome }.into()
        }
        name => return notice_words::command(name, args),
    };
    Ok(Some(command))
}

/// Returns the query that a line names, if this module knows it.
pub(super) fn query(name: &str, args: &mut ArgumentConsumer) -> Result<Option<Query>, Box<dyn Error>> {
    if let Some(query) = notice_words::query(name, args)? {
        return Ok(Some(query));
    }
    let limit = args.lookup_parse("limit")?.unwrap_or(10);
    let before: Option<LogIndex> = args.lookup_parse("before")?;
    let after = args.lookup("after").map(|arg| arg.value.clone());
    Ok(Some(match name {
        "talks" => Query::Talks { session: session(args)?, before, limit },
        "talk" => {
            let session = session(args)?;
            let with = match args.lookup_parse("account")? {
                Some(account) => TalkPartner::Account(AccountId(account)),
                None => TalkPartner::Named(first(args)?),
            };
            Query::Talk { session, with, before, limit }
        }
        "message" => Query::Message { session: session(args)?, id: first(args)?.parse()? },
        "waiting" => {
            let after = args.lookup_parse("after")?;
            Query::Waiting { session: session(args)?, after, limit }
        }
        "follows" | "followed-since" => {
            let side = if name == "follows" { FollowSide::Followed } else { FollowSide::Followers };
            Query::Follows { session: session(args)?, side, after: None }
        }
        "followed-by" | "followers-of" => {
            let session = session(args)?;
            let side = if name == "followed-by" { FollowSide::Followed } else { FollowSide::Followers };
            Query::FollowsOf { session, username: first(args)?, side, after: None }
        }
        "croaks" => Query::Croaks { session: session(args)?, ids: numbers(args)? },
        "profiles" => {
            let session = session(args)?;
            Query::Profiles { session, accounts: numbers(args)?.into_iter().map(AccountId).collect() }
        }
        "persons" => {
            let session = session(args)?;
            Query::Persons {
                session,
                usernames: args.rest_pos().iter().map(|arg| arg.value.clone()).collect(),
            }
        }
        "liked" => Query::Liked { session: session(args)?, before, limit },
        "unread" => Query::Unread { session: session(args)? },
        "show" => Query::Croak { session: session(args)?, id: first(args)?.parse()? },
        "profile" => Query::Profile { session: session(args)?, username: first(args)?, before, limit },
        "people" => Query::People { session: session(args)?, names: first(args)?, after },
        "followers" => Query::Followers { session: session(args)?, after: None },
        "chatting" => Query::Chatting { session: session(args)? },
        "account" => Query::Account { session: session(args)? },
        "sessions" => Query::Sessions { session: session(args)? },
        "settings" => Query::Settings,
        "accounts" => OperatorQuery::Accounts { names: first(args)?, after }.into(),
        _ => return Ok(None),
    }))
}

/// Returns the numbers that are the rest of a line.
fn numbers(args: &mut ArgumentConsumer) -> Result<Vec<u64>, Box<dyn Error>> {
    Ok(args.rest_pos().iter().map(|arg| arg.value.parse()).collect::<Result<_, _>>()?)
}

fn message_words(message: &TalkMessage) -> String {
    let TalkMessage { id, mine, text, status, .. } = message;
    let way = if *mine { ">" } else { "<" };
    let text = if text.len() > 40 { format!("{} bytes", text.len()) } else { format!("{text:?}") };
    format!("{id} {way} {text} {status:?}")
}

pub(super) fn relation_words(who: &PersonRelation) -> String {
    let followed = if who.followed { ", followed" } else { "" };
    let follows = if who.follows { ", follows" } else { "" };
    let muted = if who.muted { ", muted" } else { "" };
    let blocked = if who.blocked { ", blocked" } else { "" };
    let blocks = if who.blocks { ", blocks" } else { "" };
    format!("{}{followed}{follows}{muted}{blocked}{blocks}", person_words(&who.person))
}

pub(super) fn page(page: &Page) -> Words {
    let mut output = String::new();
    match page {
        Page::Talks { talks, older, .. } => {
            for talk in talks {
                let with = talk.with.as_ref().map_or("[deleted]".into(), |with| with.username.clone());
                let (account, waiting) = (talk.with_account.0, talk.waiting);
                writeln!(output, "{account} {with}, {waiting} waiting: {}", message_words(&talk.newest))?;
            }
            writeln!(output, "older: {older:?}")?;
        }
        Page::Talk(talk) => {
            let with = talk.with.as_ref().map_or("[deleted]".into(), |with| with.username.clone());
            let (waiting, read) = (talk.waiting, talk.read_through);
            writeln!(output, "with {} {with}, {waiting} waiting, read through {read}", talk.with_account.0)?;
            for message in &talk.messages {
                writeln!(output, "{}", message_words(message))?;
            }
            writeln!(output, "older: {:?}", talk.older)?;
        }
        Page::Message { with_account, message, .. } => {
            writeln!(output, "with {}: {}", with_account.0, message_words(message))?;
        }
        Page::Follows { people, more, .. } => {
            for (person, index) in people {
                writeln!(output, "{} since {index}", person.username)?;
            }
            writeln!(output, "more: {more:?}")?;
        }
        Page::Waiting { messages, more, .. } => {
            for WaitingMessage { id, from, username, deleted, text, .. } in messages {
                let deleted = if *deleted { " [deleted]" } else { "" };
                writeln!(output, "{id} from {} {username}{deleted}: {text:?}", from.0)?;
            }
            writeln!(output, "more: {more}")?;
        }
        Page::Profile { profile, pinned, croaks, .. } => {
            let Profile { relation, bio, links, croaks: count, friends, followers, .. } = profile;
            writeln!(output, "{}", relation_words(relation))?;
            writeln!(output, "{count} croaks, {friends} friends, {followers} followers")?;
            if !bio.is_empty() || !links.is_empty() {
                writeln!(output, "{bio:?} {links:?}")?;
            }
            if let Some(pinned) = pinned {
                writeln!(output, "pinned: {}", croak_words(pinned))?;
            }
            output += &profile_words(croaks)?;
        }
        Page::Profiles { profiles, .. } => {
            for Profile { relation, bio, croaks, friends, followers, .. } in profiles {
                let words = relation_words(relation);
                writeln!(
                    output,
                    "{words}: {croaks} croaks, {friends} friends, {followers} followers {bio:?}"
                )?;
            }
        }
        Page::Persons(people) => {
            for person in people {
                writeln!(output, "{}", person_words(person))?;
            }
        }
        Page::People { people, more, .. } => {
            for who in people {
                writeln!(output, "{}", relation_words(who))?;
            }
            writeln!(output, "more: {more:?}")?;
        }
        Page::Followers { people, .. } => {
            for who in people {
                writeln!(output, "{}", relation_words(who))?;
            }
        }
        Page::Chatting { people } => {
            let names: Vec<&str> = people.iter().map(|person| person.username.as_str()).collect();
            writeln!(output, "in the chat: {names:?}")?;
        }
        Page::Accounts { accounts, more } => {
            for line in accounts {
                let suspended = if line.suspended { ", suspended" } else { "" };
                let role = role_words(line.role);
                let (person, email, sessions) = (person_words(&line.person), &line.email, line.sessions);
                writeln!(output, "{person} {email}{suspended}{role}, {sessions} sessions")?;
            }
            writeln!(output, "more: {more:?}")?;
        }
        Page::Sessions(sessions) => {
            for session in sessions {
                let this = if session.this { ", this one" } else { "" };
                let device = &session.device;
                let used = session.used_wall_ms / (24 * 3600 * 1000);
                writeln!(output, "opened at {}{this}, {device:?}, used on day {used}", session.opened)?;
            }
        }
        page => return notice_words::page(page),
    }
    Ok(output)
}

/// Returns the text of a key, if this module knows the table.
pub(super) fn key(table: TableId, key: &[u8]) -> Option<String> {
    Some(match table {
        TalkOf::ID | Waiting::ID => {
            let (whose, with, message) = <(AccountId, AccountId, u64)>::from_bytes(key)?;
            format!("{} {} {message}", whose.0, with.0)
        }
        TalkMarks::ID | TalksByAge::ID => {
            let (whose, with) = <(AccountId, u64)>::from_bytes(key)?;
            format!("{} {with}", whose.0)
        }
        SettingsRow::ID => String::new(),
        table => return notice_words::key(table, key),
    })
}

/// Returns the text of a row, if this module knows the table.
pub(super) fn row(table: TableId, row: &[u8]) -> Option<String> {
    Some(match table {
        Messages::ID => {
            let row = decode::<<Messages as Table>::Row>(row)?;
            let text = if row.text.len() > 40 {
                format!("{} bytes", row.text.len())
            } else {
                format!("{:?}", row.text)
            };
            format!(": from {} to {} {text}", row.from.0, row.to.0)
        }
        TalkMarks::ID => {
            let row = decode::<<TalkMarks as Table>::Row>(row)?;
            let (delivered, read) = (row.delivered_through, row.read_through);
            format!(": newest {}, {} waiting, delivered {delivered}, read {read}", row.newest, row.waiting)
        }
        TalksByAge::ID => format!(": {}", decode::<AccountId>(row)?.0),
        Mailboxes::ID => {
            let row = decode::<<Mailboxes as Table>::Row>(row)?;
            format!(": {} waiting, feed read {}", row.waiting, row.feed_read_through)
        }
        Profiles::ID => {
            let AccountProfile { bio, links, pinned, audience } = decode(row)?;
            format!(": {bio:?} {links:?}, pinned {pinned:?}, {}", audience.name())
        }
        SettingsRow::ID => {
            let row = decode::<<SettingsRow as Table>::Row>(row)?;
            let (name, welcome) = (row.site_name, row.welcome);
            let (registration, inviters) = (row.registration.name(), row.inviters.name());
            format!(": registration {registration}, {inviters} invite, name {name:?}, welcome {welcome:?}")
        }
        Waiting::ID => format!(": {}", decode::<String>(row)?),
        TalkOf::ID | Suspended::ID => String::new(),
        table => return notice_words::row(table, row),
    })
}

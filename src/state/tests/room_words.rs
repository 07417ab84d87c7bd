//! Words of the golden scripts for rooms: commands, queries, pages and rows.

use super::scripts::{Words, first, session};
use crate::command::{Command, RoomCommand};
use crate::ids::{AccountId, LogIndex, RoomId};
use crate::query::{Page, Query, RoomBody, RoomInfo, RoomStanding, RoomText};
use crate::rows::{
    Key, RoomCountsOf, RoomGuests, RoomMembers, RoomMessages, RoomNames, RoomRank, RoomTotalsRow, Rooms,
    RoomsOf, Table, TableId, decode,
};
use goldenscript::ArgumentConsumer;
use std::error::Error;
use std::fmt::Write as _;

fn rank(word: &str) -> Result<RoomRank, Box<dyn Error>> {
    let ranks = [RoomRank::Member, RoomRank::Moderator, RoomRank::Owner];
    Ok(ranks.into_iter().find(|rank| rank.name() == word).ok_or("no such rank")?)
}

/// Returns the command that a line names, if this module knows it.
pub(super) fn command(name: &str, args: &mut ArgumentConsumer) -> Result<Option<Command>, Box<dyn Error>> {
    if !["mkroom", "setroom", "joinroom", "leaveroom", "closeroom", "invite", "withdraw", "kick", "rank"]
        .contains(&name)
        && !["say", "unsay", "readroom"].contains(&name)
    {
        return Ok(None);
    }
    let times = args.lookup_parse("times")?.unwrap_or(1);
    let (session, room) = (session(args)?, first(args)?);
    let topic = args.lookup("topic").map(|arg| arg.value.clone());
    let (open, history) = (args.lookup_parse("open")?, args.lookup_parse("history")?);
    Ok(Some(Command::Room(match name {
        "mkroom" => RoomCommand::Create {
            session,
            room,
            topic: topic.unwrap_or_default(),
            open: open.unwrap_or(true),
            history: history.unwrap_or(true),
        },
        "setroom" => RoomCommand::Change { session, room, topic, open, history },
        "joinroom" => RoomCommand::Join { session, room },
        "leaveroom" => RoomCommand::Leave { session, room },
        "closeroom" => RoomCommand::Close { session, room },
        "invite" => RoomCommand::Invite { session, room, username: first(args)? },
        "withdraw" => RoomCommand::Withdraw { session, room, username: first(args)? },
        "kick" => RoomCommand::Remove { session, room, username: first(args)? },
        "rank" => {
            let username = first(args)?;
            RoomCommand::SetRank { session, room, username, rank: rank(&first(args)?)? }
        }
        "say" => RoomCommand::Say { session, room, text: first(args)?.repeat(times) },
        "unsay" => RoomCommand::RemoveMessage { session, room, message: first(args)?.parse()? },
        _ => RoomCommand::Mark { session, room, read_through: first(args)?.parse()? },
    })))
}

/// Returns the query that a line names, if this module knows it.
pub(super) fn query(name: &str, args: &mut ArgumentConsumer) -> Result<Option<Query>, Box<dyn Error>> {
    Ok(Some(match name {
        "myrooms" => Query::Rooms { session: session(args)? },
        "openrooms" => Query::OpenRooms {
            session: session(args)?,
            after: args.lookup("after").map(|arg| arg.value.clone()),
        },
        "room" => {
            let limit = args.lookup_parse("limit")?.unwrap_or(10);
            let before: Option<LogIndex> = args.lookup_parse("before")?;
            Query::Room { session: session(args)?, room: first(args)?, before, limit }
        }
        "roompeople" => Query::RoomPeople {
            session: session(args)?,
            room: first(args)?,
            after: args.lookup_parse("after")?.map(AccountId),
        },
        "roomsaid" => Query::RoomMessage {
            session: session(args)?,
            room: RoomId(first(args)?.parse()?),
            id: first(args)?.parse()?,
        },
        _ => return Ok(None),
    }))
}

fn info_words(room: &RoomInfo) -> String {
    let RoomInfo { id, name, topic, open, history, members, .. } = room;
    let open = if *open { "open" } else { "by invitation" };
    let history = if *history { "" } else { ", history hidden" };
    format!("room {} {name} {topic:?} {open}{history}, {members} members", id.0)
}

fn standing_words(standing: RoomStanding) -> String {
    match standing {
        RoomStanding::Member { rank, read_through } => format!("{}, read {read_through}", rank.name()),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn text_words(message: &RoomText) -> String {
    let author = message.author.as_ref().map_or("[deleted]", |author| &author.username);
    let body = match &message.body {
        RoomBody::Text(text) if text.len() > 40 => format!("{} bytes", text.len()),
        RoomBody::Text(text) => format!("{text:?}"),
        RoomBody::Removed { by_author: true } => "removed by its author".into(),
        RoomBody::Removed { by_author: false } => "removed by a moderator".into(),
    };
    format!("{} {author}: {body}", message.id)
}

/// Returns the text of a page, if this module knows it.
pub(super) fn page(page: &Page) -> Option<Words> {
    let mut output = String::new();
    let written = match page {
        Page::Rooms { rooms, invitations, .. } => {
            for one in rooms {
                let newest = one.newest.as_ref().map_or("nothing said".into(), text_words);
                let (rank, unread) = (one.rank.name(), one.unread);
                writeln!(output, "{}, {rank}, {unread} unread: {newest}", info_words(&one.room)).ok()?;
            }
            for one in invitations {
                let by = one.by.as_ref().map_or("[deleted]", |by| &by.username);
                writeln!(output, "invited by {by} to {}", info_words(&one.room)).ok()?;
            }
            writeln!(output, "{} rooms, {} invitations", rooms.len(), invitations.len())
        }
        Page::OpenRooms { rooms, more, .. } => {
            for (room, standing) in rooms {
                writeln!(output, "{}: {}", info_words(room), standing_words(*standing)).ok()?;
            }
            writeln!(output, "more: {more:?}")
        }
        Page::Room(page) => {
            let (room, standing) = (info_words(&page.room), standing_words(page.standing));
            writeln!(output, "{room}: {standing}, {} unread", page.unread).ok()?;
            for message in &page.messages {
                writeln!(output, "{}", text_words(message)).ok()?;
            }
            writeln!(output, "older: {:?}", page.older)
        }
        Page::RoomPeople(people) => {
            for member in &people.members {
                writeln!(output, "{} {}", member.person.username, member.rank.name()).ok()?;
            }
            for guest in &people.guests {
                let how = if guest.removed { "removed" } else { "invited" };
                writeln!(output, "{} {how}", guest.person.username).ok()?;
            }
            writeln!(output, "more: {:?}", people.more.map(|account| account.0))
        }
        Page::RoomMessage { room, message } => writeln!(output, "in {room}: {}", text_words(message)),
        _ => return None,
    };
    written.ok()?;
    Some(Ok(output))
}

/// Returns the text of a key, if this module knows the table.
pub(super) fn key(table: TableId, key: &[u8]) -> Option<String> {
    Some(match table {
        RoomNames::ID => String::from_bytes(key)?,
        RoomTotalsRow::ID => String::new(),
        RoomMembers::ID | RoomGuests::ID | RoomsOf::ID | RoomMessages::ID => {
            let (one, other) = <(AccountId, u64)>::from_bytes(key)?;
            format!("{} {other}", one.0)
        }
        _ => return None,
    })
}

/// Returns the text of a row, if this module knows the table.
pub(super) fn row(table: TableId, row: &[u8]) -> Option<String> {
    Some(match table {
        Rooms::ID => {
            let row = decode::<<Rooms as Table>::Row>(row)?;
            let open = if row.open { "open" } else { "by invitation" };
            let history = if row.history { "" } else { ", history hidden" };
            let closed = if row.closed { ", closed" } else { "" };
            format!(": {} {:?} {open}{history}{closed}", row.name, row.topic)
        }
        RoomNames::ID => format!(": {}", decode::<RoomId>(row)?.0),
        RoomTotalsRow::ID => {
            let row = decode::<<RoomTotalsRow as Table>::Row>(row)?;
            format!(": {} rooms, {} messages", row.rooms, row.messages)
        }
        RoomCountsOf::ID => {
            let row = decode::<<RoomCountsOf as Table>::Row>(row)?;
            let (members, guests, messages) = (row.members, row.guests, row.messages);
            format!(": {members} members, {guests} guests, {messages} messages, newest {}", row.newest)
        }
        RoomMembers::ID => {
            let row = decode::<<RoomMembers as Table>::Row>(row)?;
            format!(": {} since {}, read {}", row.rank.name(), row.joined, row.read_through)
        }
        RoomGuests::ID => format!(": {:?}", decode::<<RoomGuests as Table>::Row>(row)?),
        RoomsOf::ID => format!(": {:?}", decode::<<RoomsOf as Table>::Row>(row)?),
        RoomMessages::ID => {
            let row = decode::<<RoomMessages as Table>::Row>(row)?;
            match row.removed {
                Some(by) => format!(": by {}, removed by {}", row.from.0, by.0),
                None if row.text.len() > 40 => format!(": by {} {} bytes", row.from.0, row.text.len()),
                None => format!(": by {} {:?}", row.from.0, row.text),
            }
        }
        _ => return None,
    })
}

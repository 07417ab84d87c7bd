//! Words of the golden scripts for registration, requests for accounts, and invitations: commands, queries, pages and rows.

use super::app_words;
use super::row_words::label;
use super::scripts::{first, session};
use super::token;
use crate::cluster::join_codes;
use crate::command::{AccountCommand, Command, InvitationTerms, OperatorCommand};
use crate::ids::{AccountId, LogIndex, TokenHash};
use crate::query::{Figures, InvitationItem, JoinCodeItem, ListedRoom, OperatorQuery, Page, Query};
use crate::registration::{Inviters, Registration};
use crate::rows::{
    Account, Invitation, Invitations, InvitationsOf, JoinCode, JoinCodes, JoinRequests, Key, Table, TableId,
    decode,
};
use goldenscript::ArgumentConsumer;
use std::error::Error;

/// Returns the command that a line names, if this module knows it. `of=SESSION`: an account's own invitation.
pub(super) fn command(name: &str, args: &mut ArgumentConsumer) -> Result<Option<Command>, Box<dyn Error>> {
    Ok(Some(match name {
        "registration" => {
            let name = first(args)?;
            let registration = Registration::ALL.into_iter().find(|mode| mode.name() == name);
            OperatorCommand::SetRegistration { registration: registration.ok_or("no such mode")? }.into()
        }
        "inviters" => {
            let name = first(args)?;
            let inviters = Inviters::ALL.into_iter().find(|who| who.name() == name);
            OperatorCommand::SetInviters { inviters: inviters.ok_or("no such people")? }.into()
        }
        "approve" => OperatorCommand::DecideRequest { username: first(args)?, approved: true }.into(),
        "refuse" => OperatorCommand::DecideRequest { username: first(args)?, approved: false }.into(),
        // `makeinvitation CODE [uses=N] [for=MS] [room=NAME] [of=SESSION]`
        "makeinvitation" => {
            let code = token(&first(args)?);
            let uses = args.lookup_parse("uses")?.unwrap_or(1);
            let for_ms = args.lookup_parse("for")?.unwrap_or(1_000);
            let terms = InvitationTerms { uses, for_ms, room: args.lookup_parse("room")? };
            match args.lookup("of").map(|arg| token(&arg.value)) {
                Some(session) => AccountCommand::Invite { session, code, terms }.into(),
                None => OperatorCommand::Invite { code, terms }.into(),
            }
        }
        "uninvite" => {
            let invitation = first(args)?.parse()?;
            match args.lookup("of").map(|arg| token(&arg.value)) {
                Some(session) => AccountCommand::Uninvite { session, invitation }.into(),
                None => OperatorCommand::Uninvite { invitation }.into(),
            }
        }
        // `makejoincode [nonce=N] [for=MS]`
        "makejoincode" => {
            let nonce = args.lookup_parse("nonce")?.unwrap_or(7);
            let for_ms = args.lookup_parse("for")?.unwrap_or(1_000);
            OperatorCommand::MakeJoinCode { nonce, key: 1, for_ms }.into()
        }
        "revokejoincode" => OperatorCommand::RevokeJoinCode { slot: first(args)?.parse()? }.into(),
        // `tryjoincode SLOT [nonce=N] [wrong=true]`
        "tryjoincode" => Command::TryJoinCode {
            slot: first(args)?.parse()?,
            nonce: args.lookup_parse("nonce")?.unwrap_or(7),
            proven: !args.lookup_parse("wrong")?.unwrap_or(false),
        },
        _ => return app_words::command(name, args),
    }))
}

/// Returns the query that a line names, if this module knows it.
pub(super) fn query(name: &str, args: &mut ArgumentConsumer) -> Result<Option<Query>, Box<dyn Error>> {
    Ok(Some(match name {
        "joinrequests" => {
            let after = args.lookup("after").map(|arg| arg.value.clone());
            OperatorQuery::JoinRequests { after }.into()
        }
        "allinvitations" => OperatorQuery::Invitations { after: None }.into(),
        "joincodes" => OperatorQuery::JoinCodes.into(),
        "invitation" => Query::Invitation { code: token(&first(args)?) },
        "invitations" => Query::Invitations { session: session(args)? },
        _ => return app_words::query(name, args),
    }))
}

/// Returns the text of a page, if this module knows it.
pub(super) fn page(page: &Page) -> Option<String> {
    let line = |item: &InvitationItem| {
        let by = item.by.as_ref().map_or("operators", |person| &person.username);
        let room = item.room.as_ref().map_or(String::new(), |room| format!(", joins {room}"));
        let (id, used, uses_max, left) = (item.id, item.used, item.uses_max, item.left_ms);
        format!("{id} of {by}: {used} of {uses_max} used, {left} ms left{room}\n")
    };
    Some(match page {
        Page::JoinRequests { requests, .. } => requests
            .iter()
            .map(|request| format!("{} {:?} {}\n", request.username, request.name, request.email))
            .collect(),
        Page::Invitation(item) => line(item),
        Page::Invitations { may_invite, invitations, .. } => {
            invitations.iter().map(line).collect::<String>() + &format!("may invite: {may_invite}\n")
        }
        Page::JoinCodes(items) => items
            .iter()
            .map(|JoinCodeItem { slot, row, over, left_ms }| {
                let over = over.map_or(String::new(), |code| format!(", {code:?}"));
                let letter = join_codes::letter(*slot);
                format!("{slot} ({letter}): {} tries left, {left_ms} ms left{over}\n", row.tries_left)
            })
            .collect(),
        Page::AllRooms { rooms, more } => {
            let line = |listed: &ListedRoom| {
                let ListedRoom { room, owner, newest_wall_ms } = listed;
                let owner = owner.as_ref().map(|owner| &owner.username);
                format!(
                    "{}: open {}, {} members, owner {owner:?}, newest {newest_wall_ms:?}\n",
                    room.name, room.open, room.members
                )
            };
            rooms.iter().map(line).collect::<String>() + &format!("more: {more:?}\n")
        }
        Page::Figures(figures) => {
            let Figures { people, croaks, rooms, backup, age_ms } = &**figures;
            let backup = backup.as_ref().map(|row| (&row.detail, row.age_ms));
            format!("{people} people, {croaks} croaks, {rooms} rooms, backup {backup:?}, age {age_ms}\n")
        }
        _ => return app_words::page(page),
    })
}

/// Returns the text of a key, if this module knows the table.
pub(super) fn key(table: TableId, key: &[u8]) -> Option<String> {
    Some(match table {
        JoinRequests::ID => String::from_bytes(key)?,
        JoinCodes::ID => u64::from_bytes(key)?.to_string(),
        Invitations::ID => label(TokenHash::from_bytes(key)?),
        InvitationsOf::ID => {
            let (account, made) = <(AccountId, LogIndex)>::from_bytes(key)?;
            format!("{} {made}", account.0)
        }
        _ => return app_words::key(table, key),
    })
}

/// Returns the text of a row, if this module knows the table.
pub(super) fn row(table: TableId, row: &[u8]) -> Option<String> {
    Some(match table {
        JoinRequests::ID => {
            let Account { username, name, email, .. } = decode(row)?;
            format!(": {username} {name:?} {email}")
        }
        Invitations::ID => {
            let Invitation { by, made, until_age_ms, uses_max, used, room, .. } = decode(row)?;
            let room = room.map_or(String::new(), |room| format!(", joins {}", room.0));
            format!(
                ": of {}, made at {made}, until age {until_age_ms}, {used} of {uses_max} used{room}",
                by.0
            )
        }
        JoinCodes::ID => {
            let JoinCode { made, until_age_ms, nonce, key, tries_left, used, .. } = decode(row)?;
            let used = if used { ", used" } else { "" };
            format!(
                ": {nonce} of key {key}, made at {made}, until age {until_age_ms}, {tries_left} tries left{used}"
            )
        }
        InvitationsOf::ID => format!(": {}", label(decode::<TokenHash>(row)?)),
        _ => return app_words::row(table, row),
    })
}

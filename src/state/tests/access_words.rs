//! Words of the golden scripts for one-time links, accounts without a password, feed addresses and announcements: commands,
//! queries and rows.

use super::audit_words;
use super::registration_words;
use super::row_words::label;
use super::scripts::{first, session};
use super::token;
use crate::account_role::AccountRole;
use crate::command::{AccessCommand, AccountCommand, Command, NewPerson, OperatorCommand};
use crate::ids::{AccountId, LogIndex, TokenHash};
use crate::query::{OperatorQuery, Query};
use crate::rows::{
    Announcements, Dismissals, FeedAddresses, FeedAddressesOf, Key, OneTimeLinks, ResetLinks, Table, TableId,
    decode,
};
use goldenscript::ArgumentConsumer;
use std::error::Error;

/// Returns the command that a line names, if this module knows it.
pub(super) fn command(name: &str, args: &mut ArgumentConsumer) -> Result<Option<Command>, Box<dyn Error>> {
    Ok(Some(match name {
        // `resetlink ACCOUNT CODE`
        "resetlink" => {
            let account = AccountId(first(args)?.parse()?);
            OperatorCommand::MakeResetLink { account, code: token(&first(args)?) }.into()
        }
        // `resetlink-revoke ACCOUNT`
        "resetlink-revoke" => {
            OperatorCommand::RevokeResetLink { account: AccountId(first(args)?.parse()?) }.into()
        }
        // `reset CODE HASH`
        "reset" => {
            AccessCommand::ResetPassword { code: token(&first(args)?), password_hash: first(args)? }.into()
        }
        "createbyname" => AccessCommand::CreateByName { username: first(args)? }.into(),
        // `createwithlink NAME CODE [email=EMAIL] [rooms="ROOM …"] [role=ROLE]`
        "createwithlink" => {
            let (username, code) = (first(args)?, token(&first(args)?));
            let email = args.lookup_parse("email")?;
            let rooms: String = args.lookup_parse("rooms")?.unwrap_or_default();
            let rooms = rooms.split_whitespace().map(str::to_string).collect();
            let role = args.lookup_parse("role")?.map_or(Ok(AccountRole::Person), |name| role(&name))?;
            let person = NewPerson { name: username.clone(), username, email, rooms, role };
            OperatorCommand::CreateWithLink { person: Box::new(person), code }.into()
        }
        // `role ACCOUNT ROLE`
        "role" => {
            let (account, name) = (AccountId(first(args)?.parse()?), first(args)?);
            OperatorCommand::SetRole { account, role: role(&name)? }.into()
        }
        // `confirm SESSION [version=N]`
        "confirm" => {
            let credential_version = args.lookup_parse("version")?.unwrap_or(1);
            AccountCommand::Confirm { session: session(args)?, credential_version }.into()
        }
        "unsay-any" => {
            let (room, message) = (first(args)?, first(args)?.parse()?);
            OperatorCommand::RemoveRoomMessage { room, message }.into()
        }
        "close-any" => OperatorCommand::CloseRoom { room: first(args)? }.into(),
        "openbyname" => {
            let username = first(args)?;
            let session = args.lookup("session").map_or(token(&username), |arg| token(&arg.value));
            AccessCommand::OpenByName { username, session }.into()
        }
        // `announce TEXT [for=MS]`
        "announce" => {
            OperatorCommand::Announce { text: first(args)?, for_ms: args.lookup_parse("for")? }.into()
        }
        "withdraw-announcement" => {
            OperatorCommand::WithdrawAnnouncement { announcement: first(args)?.parse()? }.into()
        }
        // `makeaddress SESSION SECRET [room=NAME]`
        "makeaddress" => {
            let (session, address) = (session(args)?, token(&first(args)?));
            AccountCommand::MakeFeedAddress { session, address, room: args.lookup_parse("room")? }.into()
        }
        "endaddress" => {
            AccountCommand::EndFeedAddress { session: session(args)?, made: first(args)?.parse()? }.into()
        }
        "dismiss" => {
            AccountCommand::Dismiss { session: session(args)?, announcement: first(args)?.parse()? }.into()
        }
        _ => match audit_words::command(name, args)? {
            Some(command) => command.into(),
            None => return registration_words::command(name, args),
        },
    }))
}

fn role(name: &String) -> Result<AccountRole, Box<dyn Error>> {
    Ok(AccountRole::ALL.into_iter().find(|role| role.name() == name).ok_or("no such role")?)
}

/// Returns the query that a line names, if this module knows it.
pub(super) fn query(name: &str, args: &mut ArgumentConsumer) -> Result<Option<Query>, Box<dyn Error>> {
    Ok(Some(match name {
        "announcements" => Query::Announcements,
        "myannouncements" => Query::MyAnnouncements { session: session(args)? },
        "addresses" => Query::FeedAddresses { session: session(args)? },
        "addressed" => Query::AddressedFeed { address: token(&first(args)?) },
        "public" => Query::PublicCroaks { username: first(args)? },
        "roomnames" => {
            let of = args.lookup_parse("of")?.map(AccountId);
            OperatorQuery::RoomNames { of, after: args.lookup_parse("after")? }.into()
        }
        "audit" => audit_words::query(args)?,
        "allrooms" => OperatorQuery::Rooms { names: first(args)?, after: args.lookup_parse("after")? }.into(),
        "figures" => OperatorQuery::Figures.into(),
        "linkof" => Query::ResetLink { code: token(&first(args)?) },
        _ => return registration_words::query(name, args),
    }))
}

/// Returns the text of a key, if this module knows the table.
pub(super) fn key(table: TableId, key: &[u8]) -> Option<String> {
    Some(match table {
        OneTimeLinks::ID | FeedAddresses::ID => label(TokenHash::from_bytes(key)?),
        FeedAddressesOf::ID => {
            let (account, made) = <(AccountId, LogIndex)>::from_bytes(key)?;
            format!("{} {made}", account.0)
        }
        _ => return audit_words::key(table, key).or_else(|| registration_words::key(table, key)),
    })
}

/// Returns the text of a row, if this module knows the table.
pub(super) fn row(table: TableId, row: &[u8]) -> Option<String> {
    Some(match table {
        OneTimeLinks::ID => {
            let row = decode::<<OneTimeLinks as Table>::Row>(row)?;
            format!(": {:?}, made at age {}", row.purpose, row.made_age_ms)
        }
        Announcements::ID => {
            let row = decode::<<Announcements as Table>::Row>(row)?;
            format!(": {:?}, until age {:?}", row.text, row.until_age_ms)
        }
        Dismissals::ID => format!(": {:?}", decode::<Vec<LogIndex>>(row)?),
        FeedAddresses::ID => {
            let row = decode::<<FeedAddresses as Table>::Row>(row)?;
            format!(": {:?} of account {}, made at {}", row.source, row.account.0, row.made)
        }
        FeedAddressesOf::ID => format!(": {}", label(decode::<TokenHash>(row)?)),
        ResetLinks::ID => format!(": {}", label(decode::<TokenHash>(row)?)),
        _ => return audit_words::row(table, row).or_else(|| registration_words::row(table, row)),
    })
}

//! Verbs that concern rooms.
//!
//! `room` marks messages as read only after they were written to standard output.

use super::{VerbContext, VerbError, input, say};
use crate::client::room_arguments::{RoomArgs, RoomCreateArgs, RoomPersonArgs, RoomSetArgs, RoomVerb};
use crate::client::session::rooms::{LiveRoom, RoomUpdate};
use crate::client::shared_arguments::joined;
use ribbit_state::limits::ROOM_PAGE_MAX;
use ribbit_state::query::RoomText;
use ribbit_state::rows::RoomRank;
use ribbit_state::text::{fold_room_name, fold_username};
use ribbit_state::{Code, Denied, LogIndex, RoomCommand};
use ribbit_ui::{lines, rooms};
use serde_json::json;

pub(crate) async fn perform(context: &mut VerbContext, verb: &RoomVerb) -> Result<(), VerbError> {
    context.require_session()?;
    match verb {
        RoomVerb::Rooms(it) if it.open => open_rooms(context).await,
        RoomVerb::Rooms(_) => my_rooms(context).await,
        RoomVerb::Room(it) => room(context, it).await,
        RoomVerb::Say(it) => {
            let text = input::text(joined(&it.text.text).as_deref())?;
            let id = context.user.say(&it.room, &text).await?;
            let room = fold_room_name(&it.room).unwrap_or_default();
            context.print(&format!("said message {id} in #{room}"), &json!({ "id": id, "room": room }))
        }
        RoomVerb::Unsay(it) => {
            let message = it.message;
            let unsay = |session, room| RoomCommand::RemoveMessage { session, room, message };
            context.user.change_room(&it.room, unsay).await?;
            context.print(&format!("deleted message {message}"), &json!({ "id": message, "removed": true }))
        }
        RoomVerb::RoomCreate(it) => create(context, it).await,
        RoomVerb::RoomSet(it) => set(context, it).await,
        RoomVerb::RoomJoin(it) => {
            context.user.change_room(&it.room, |session, room| RoomCommand::Join { session, room }).await?;
            done(context, &it.room, "you are now in", "joined", true)
        }
        RoomVerb::RoomLeave(it) => {
            context.user.change_room(&it.room, |session, room| RoomCommand::Leave { session, room }).await?;
            done(context, &it.room, "you left", "joined", false)
        }
        RoomVerb::RoomClose(it) => {
            context.user.change_room(&it.room, |session, room| RoomCommand::Close { session, room }).await?;
            done(context, &it.room, "you closed", "closed", true)
        }
        RoomVerb::RoomMembers(it) => members(context, &it.room).await,
        RoomVerb::RoomInvite(it) => {
            let command = |session, room, username| RoomCommand::Invite { session, room, username };
            person(context, it, command, "invited", "invited to").await
        }
        RoomVerb::RoomWithdraw(it) => {
            let command = |session, room, username| RoomCommand::Withdraw { session, room, username };
            person(context, it, command, "withdrawn", "no longer invited to or removed from").await
        }
        RoomVerb::RoomRemove(it) => {
            let command = |session, room, username| RoomCommand::Remove { session, room, username };
            person(context, it, command, "removed", "removed from").await
        }
        RoomVerb::RoomRank(it) => {
            let rank: RoomRank = it.rank.into();
            let (room, username) = (&it.person.room, fold_username(&it.person.username).map_err(refused)?);
            let command =
                |session, room| RoomCommand::SetRank { session, room, username: username.clone(), rank };
            context.user.change_room(room, command).await?;
            let room = fold_room_name(room).unwrap_or_default();
            let words = format!("@{username} is now {} of #{room}", rank.name());
            context.print(&words, &json!({ "room": room, "username": username, "rank": rank }))
        }
    }
}

fn refused(denied: Denied) -> VerbError {
    crate::client::session::request_error::RequestError::from(denied).into()
}

fn done(context: &VerbContext, room: &str, words: &str, field: &str, value: bool) -> Result<(), VerbError> {
    let room = fold_room_name(room).unwrap_or_default();
    context.print(&format!("{words} #{room}"), &json!({ "room": room, field: value }))
}

async fn my_rooms(context: &VerbContext) -> Result<(), VerbError> {
    let (mine, invitations) = context.user.rooms().await?;
    if mine.is_empty() && invitations.is_empty() && !context.json {
        return say("you are in no room; `ribbit client rooms --open` lists those that you may join");
    }
    for one in &mine {
        say(&if context.json { rooms::room_json(one) } else { rooms::room_line(one, context.style) })?;
    }
    for one in &invitations {
        let words = match context.json {
            true => rooms::invitation_json(one),
            false => rooms::invitation_line(one, context.style),
        };
        say(&words)?;
    }
    Ok(())
}

async fn open_rooms(context: &VerbContext) -> Result<(), VerbError> {
    let open = context.user.open_rooms().await?;
    if open.is_empty() && !context.json {
        return say("there are no open rooms; `ribbit client room-create NAME` makes one");
    }
    for (room, standing) in &open {
        let words = match context.json {
            true => rooms::open_room_json(room, *standing),
            false => rooms::open_room_line(room, *standing, context.style),
        };
        say(&words)?;
    }
    Ok(())
}

/// Shows the newest messages of a room; with `--follow`, also shows new ones as they arrive.
async fn room(context: &mut VerbContext, arguments: &RoomArgs) -> Result<(), VerbError> {
    let RoomArgs { room, follow, before, keep, limit, .. } = arguments;
    let limit = *limit as usize;
    // With a limit of 0, one message is read all the same: following starts after it.
    let first = context.user.room(room, *before, limit.clamp(1, ROOM_PAGE_MAX)).await?;
    if first.standing.rank().is_none() {
        return Err(refused(Denied::new(Code::NotInRoom)));
    }
    let name = first.room.name.clone();
    let (mut messages, mut older) = (first.messages.clone(), first.older);
    while let (Some(_), true) = (older, messages.len() < limit) {
        let page = context.user.room(&name, older, limit - messages.len()).await?;
        messages.extend(page.messages);
        older = page.older;
    }
    messages.truncate(limit);
    messages.reverse();
    show(context, &name, &messages)?;
    let shown = messages.last().map_or(0, |newest| newest.id);
    // Marks are cumulative, so the room is marked only if all unread messages were shown.
    let unread = messages.iter().filter(|it| it.from != first.me.account);
    let all = unread.count() >= first.unread as usize;
    if !keep && before.is_none() && shown > 0 && all && first.unread > 0 {
        context.user.mark_room(&name, shown).await?;
    }
    if !*follow {
        return Ok(());
    }
    if let Err(failure) = context.user.save_position() {
        log::warn!("{failure}");
    }
    let mut live = LiveRoom::start(&context.user, &first)?;
    loop {
        match live.next().await? {
            RoomUpdate::Said(said) => {
                show(context, &name, &said)?;
                let newest = said.last().map_or(0, |newest| newest.id);
                if !keep && said.iter().any(|it| it.from != first.me.account) {
                    mark(context, &name, newest).await?;
                }
            }
            RoomUpdate::Left => {
                eprintln!("you are in #{name} no longer");
                return Ok(());
            }
            RoomUpdate::OtherHistory => {
                eprintln!("the servers were restored from a backup; some messages may be missing");
            }
        }
    }
}

/// Marks messages as read. One who left the room meanwhile has nothing to mark.
async fn mark(context: &VerbContext, room: &str, through: LogIndex) -> Result<(), VerbError> {
    match context.user.mark_room(room, through).await {
        Err(error) if !error.lacks_session() && !error.is_unanswered() => Ok(()),
        marked => Ok(marked?),
    }
}

fn show(context: &VerbContext, room: &str, messages: &[RoomText]) -> Result<(), VerbError> {
    messages.iter().try_for_each(|message| {
        say(&match context.json {
            true => rooms::text_json(room, message),
            false => rooms::text_line(message, context.style),
        })
    })
}

async fn create(context: &VerbContext, arguments: &RoomCreateArgs) -> Result<(), VerbError> {
    let (topic, open, history) = (arguments.topic.clone(), !arguments.by_invitation, !arguments.hide_history);
    let create = |session, room| RoomCommand::Create { session, room, topic, open, history };
    context.user.change_room(&arguments.room.room, create).await?;
    done(context, &arguments.room.room, "you created", "created", true)
}

async fn set(context: &VerbContext, arguments: &RoomSetArgs) -> Result<(), VerbError> {
    let RoomSetArgs { topic, open, history, room } = arguments;
    let (topic, open, history) = (topic.clone(), *open, *history);
    let change = |session, room| RoomCommand::Change { session, room, topic, open, history };
    context.user.change_room(&room.room, change).await?;
    done(context, &room.room, "you changed", "changed", true)
}

async fn person(
    context: &VerbContext,
    arguments: &RoomPersonArgs,
    command: impl FnOnce(ribbit_state::TokenHash, String, String) -> RoomCommand,
    field: &str,
    words: &str,
) -> Result<(), VerbError> {
    let username = fold_username(&arguments.username).map_err(refused)?;
    let whom = username.clone();
    context.user.change_room(&arguments.room, |session, room| command(session, room, whom)).await?;
    let room = fold_room_name(&arguments.room).unwrap_or_default();
    let words = format!("@{username} is {words} #{room}");
    context.print(&words, &json!({ "room": room, "username": username, field: true }))
}

async fn members(context: &VerbContext, room: &str) -> Result<(), VerbError> {
    let mut after = None;
    loop {
        let people = context.user.room_people(room, after).await?;
        for member in &people.members {
            let rank = if member.rank > RoomRank::Member { member.rank.name() } else { "" };
            one_person(context, &rooms::member_json(member), &member.person, rank)?;
        }
        for guest in &people.guests {
            one_person(context, &rooms::guest_json(guest), &guest.person, rooms::standing_of(guest))?;
        }
        match people.more {
            Some(_) => after = people.more,
            None => return Ok(()),
        }
    }
}

fn one_person(
    context: &VerbContext,
    json: &str,
    person: &ribbit_state::query::Person,
    note: &str,
) -> Result<(), VerbError> {
    if context.json {
        return say(json);
    }
    let note = if note.is_empty() { String::new() } else { context.style.faint(&format!("  ({note})")) };
    say(&format!("{}{note}", lines::person(person, context.style)))
}

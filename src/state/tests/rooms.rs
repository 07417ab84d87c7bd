//! Properties of rooms in every history: random steps of a few people under small bounds, judged by plain maps that know no
//! tables.

use super::properties::config;
use super::*;
use crate::code::{Code, Denied};
use crate::command::RoomCommand;
use crate::ids::RoomId;
use crate::query::{RoomBody, RoomStanding, RoomText};
use crate::rows::{
    Key, RoomCounts, RoomCountsOf, RoomGuests, RoomMembers, RoomMessages, RoomNames, RoomRank, RoomTotals,
    RoomTotalsRow, Rooms, RoomsOf, Sweeps, decode,
};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::BTreeMap;

const PEOPLE: [&str; 4] = ["ada", "bob", "carl", "dora"];
const NAMES: [&str; 3] = ["pond", "lake", "club"];

#[derive(Debug, Clone)]
pub(super) enum Step {
    Create(bool, bool),
    Settings(Option<bool>, Option<bool>),
    Join,
    Leave,
    Close,
    Invite(usize),
    Withdraw(usize),
    Kick(usize),
    Rank(usize, RoomRank),
    Say,
    Unsay(Index),
    Mark(Index),
    /// Deletes the account, and creates another of that name.
    Renew,
    SweepRoom(Index),
    Reopen,
}

/// A person, a room and a step.
pub(super) type Act = (usize, usize, Step);

/// Returns the log of a history.
pub(super) fn log_of(acts: &[Act]) -> Log {
    Story::of(acts).log
}

pub(super) fn acts() -> impl Strategy<Value = Vec<Act>> {
    let person = || 0..PEOPLE.len();
    let rank = prop_oneof![
        Just(RoomRank::Member),
        Just(RoomRank::Moderator),
        Just(RoomRank::Moderator),
        Just(RoomRank::Owner)
    ];
    let step = prop_oneof![
        4 => any::<(bool, bool)>().prop_map(|(open, history)| Step::Create(open, history)),
        1 => any::<(Option<bool>, Option<bool>)>().prop_map(|(open, history)| Step::Settings(open, history)),
        6 => Just(Step::Join),
        2 => Just(Step::Leave),
        1 => Just(Step::Close),
        4 => person().prop_map(Step::Invite),
        1 => person().prop_map(Step::Withdraw),
        2 => person().prop_map(Step::Kick),
        3 => (person(), rank).prop_map(|(who, rank)| Step::Rank(who, rank)),
        12 => Just(Step::Say),
        2 => any::<Index>().prop_map(Step::Unsay),
        4 => any::<Index>().prop_map(Step::Mark),
        1 => Just(Step::Renew),
        2 => any::<Index>().prop_map(Step::SweepRoom),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec((person(), 0..NAMES.len(), step), 0..150)
}

#[derive(Debug, Clone)]
struct Said {
    id: LogIndex,
    from: AccountId,
    text: String,
    removed: Option<AccountId>,
}

#[derive(Debug, Clone, Copy)]
struct Mate {
    joined: LogIndex,
    rank: RoomRank,
    read: LogIndex,
}

#[derive(Debug, Clone)]
struct Club {
    id: RoomId,
    open: bool,
    history: bool,
    mates: BTreeMap<AccountId, Mate>,
    /// True for an invitation, false for a removal.
    guests: BTreeMap<AccountId, bool>,
    said: Vec<Said>,
}

impl Club {
    /// Returns true if the account may know that there is this room.
    fn shows(&self, who: AccountId) -> bool {
        self.open || self.mates.contains_key(&who) || self.guests.get(&who) == Some(&true)
    }
    fn rank(&self, who: AccountId) -> Option<RoomRank> {
        self.mates.get(&who).map(|mate| mate.rank)
    }
    /// Returns what a member may read.
    fn readable(&self, who: AccountId) -> Vec<&Said> {
        let from = if self.history { 0 } else { self.mates[&who].joined };
        self.said.iter().filter(|said| said.id >= from).collect()
    }
}

struct Story {
    log: Log,
    people: Vec<(AccountId, TokenHash)>,
    clubs: BTreeMap<&'static str, Club>,
    /// Closed rooms, with the messages that are not swept.
    closed: BTreeMap<RoomId, usize>,
}

impl Story {
    fn of(acts: &[Act]) -> Story {
        let (people, clubs, closed) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let mut story = Story { log: Log::small(), people, clubs, closed };
        for username in PEOPLE {
            let person = story.person(username);
            story.people.push(person);
        }
        for (who, room, step) in acts {
            story.take(*who, NAMES[*room], step);
        }
        story
    }

    fn person(&mut self, username: &str) -> (AccountId, TokenHash) {
        let account = self.log.create(username);
        let session = token(&format!("{username} {}", account.0));
        self.log
            .run(Command::LogIn {
                account,
                credential_version: 1,
                token: session,
                device: String::new(),
                app: None,
            })
            .unwrap();
        (account, session)
    }

    fn take(&mut self, who: usize, name: &'static str, step: &Step) {
        let (me, session) = self.people[who];
        let room = name.to_string();
        let (command, expected) = match step {
            Step::Create(open, history) => {
                let (open, history, topic) = (*open, *history, String::new());
                let create = RoomCommand::Create { session, room, topic, open, history };
                (create, self.create(me, name, open, history))
            }
            Step::Say => {
                let text = format!("said at {}", self.log.index());
                let said = RoomCommand::Say { session, room, text: text.clone() };
                (said, self.say(me, name, text))
            }
            Step::Renew => return self.renew(who),
            Step::Reopen => return self.log.model.reopen(),
            Step::SweepRoom(which) => return self.sweep_room(which),
            step => self.with_club(who, name, step),
        };
        let outcome = self.log.run(Command::Room(command.clone())).map_err(|denied: Denied| denied.code);
        assert_eq!(outcome, expected, "{command:?} at {}", self.log.index());
    }

    fn member_ids(&self, who: AccountId) -> Vec<RoomId> {
        self.clubs.values().filter(|club| club.mates.contains_key(&who)).map(|club| club.id).collect()
    }

    fn create(
        &mut self,
        me: AccountId,
        name: &'static str,
        open: bool,
        history: bool,
    ) -> Result<Reply, Code> {
        if self.clubs.contains_key(name) {
            return Err(Code::RoomNameTaken);
        }
        if self.member_ids(me).len() >= SMALL.rooms_per_person_max {
            return Err(Code::InTooManyRooms);
        }
        let at = self.log.index() + 1;
        let owner = Mate { joined: at, rank: RoomRank::Owner, read: at };
        let mates = BTreeMap::from([(me, owner)]);
        let (guests, said) = (BTreeMap::new(), Vec::new());
        self.clubs.insert(name, Club { id: RoomId(at), open, history, mates, guests, said });
        Ok(Reply::Done)
    }

    fn say(&mut self, me: AccountId, name: &'static str, text: String) -> Result<Reply, Code> {
        let id = self.log.index() + 1;
        let club = self.clubs.get_mut(name).filter(|club| club.shows(me)).ok_or(Code::NoSuchRoom)?;
        club.rank(me).ok_or(Code::NotInRoom)?;
        club.said.push(Said { id, from: me, text, removed: None });
        let kept: usize =
            self.clubs.values().map(|club| club.said.len()).chain(self.closed.values().copied()).sum();
        if kept > SMALL.room_messages_max {
            // All rooms by size, then by age.
            let live = self.clubs.values().map(|club| (club.said.len(), club.id));
            let all = live.chain(self.closed.iter().map(|(id, left)| (*left, *id)));
            let (_, largest) = all.max_by_key(|(size, id)| (*size, std::cmp::Reverse(*id))).unwrap();
            match self.clubs.values_mut().find(|club| club.id == largest) {
                Some(club) => drop(club.said.drain(..SMALL.room_trim_step.min(club.said.len()))),
                None => *self.closed.get_mut(&largest).unwrap() -= SMALL.room_trim_step,
            }
        }
        Ok(Reply::Sent { message: id })
    }

    /// Returns the command of a step and its expected outcome.
    fn with_club(
        &mut self,
        who: usize,
        name: &'static str,
        step: &Step,
    ) -> (RoomCommand, Result<Reply, Code>) {
        let ((me, session), room) = (self.people[who], name.to_string());
        let newest = usize::try_from(self.log.index()).unwrap() + 1;
        let number = |index: &Index| index.index(newest) as LogIndex;
        let username = |who: &usize| PEOPLE[*who].to_string();
        let command = match step {
            Step::Settings(open, history) => {
                RoomCommand::Change { session, room, topic: Some("t".into()), open: *open, history: *history }
            }
            Step::Join => RoomCommand::Join { session, room },
            Step::Leave => RoomCommand::Leave { session, room },
            Step::Close => RoomCommand::Close { session, room },
            Step::Invite(who) => RoomCommand::Invite { session, room, username: username(who) },
            Step::Withdraw(who) => RoomCommand::Withdraw { session, room, username: username(who) },
            Step::Kick(who) => RoomCommand::Remove { session, room, username: username(who) },
            Step::Rank(who, rank) => {
                RoomCommand::SetRank { session, room, username: username(who), rank: *rank }
            }
            Step::Unsay(index) => RoomCommand::RemoveMessage { session, room, message: number(index) },
            Step::Mark(index) => RoomCommand::Mark { session, room, read_through: number(index) },
            other => unreachable!("{other:?}"),
        };
        let expected = match self.clubs.get(name).filter(|club| club.shows(me)).cloned() {
            None => Err(Code::NoSuchRoom),
            Some(mut club) => {
                let decided = self.decide(me, &mut club, &command);
                if decided.is_ok() {
                    match club.mates.values().any(|mate| mate.rank == RoomRank::Owner) {
                        true => drop(self.clubs.insert(name, club)),
                        false => self.close(name),
                    }
                }
                decided.map(|()| Reply::Done)
            }
        };
        (command, expected)
    }

    fn close(&mut self, name: &'static str) {
        let club = self.clubs.remove(name).unwrap();
        self.closed.insert(club.id, club.said.len());
    }

    /// Carries a command out on the club, or returns its refusal. A club without an owner is closed.
    fn decide(&self, me: AccountId, club: &mut Club, command: &RoomCommand) -> Result<(), Code> {
        let rank = club.rank(me);
        let at_least = |wanted: RoomRank| match rank {
            None => Err(Code::NotInRoom),
            Some(rank) if rank >= wanted => Ok(()),
            Some(_) if wanted == RoomRank::Owner => Err(Code::NotRoomOwner),
            Some(_) => Err(Code::NotRoomModerator),
        };
        let account = |username: &str| self.people[PEOPLE.iter().position(|it| *it == username).unwrap()].0;
        match command {
            RoomCommand::Change { open, history, .. } => {
                at_least(RoomRank::Moderator)?;
                if open.is_some() || history.is_some() {
                    at_least(RoomRank::Owner)?;
                }
                club.open = open.unwrap_or(club.open);
                club.history = history.unwrap_or(club.history);
            }
            RoomCommand::Join { .. } => {
                let refusals = [
                    (rank.is_some(), Code::AlreadyInRoom),
                    (club.guests.get(&me) == Some(&false), Code::RemovedFromRoom),
                    (club.mates.len() >= SMALL.room_members_max, Code::RoomFull),
                    (self.member_ids(me).len() >= SMALL.rooms_per_person_max, Code::InTooManyRooms),
                ];
                refusals.into_iter().find(|(refused, _)| *refused).map_or(Ok(()), |(_, code)| Err(code))?;
                let at = self.log.index() + 1;
                club.guests.remove(&me);
                club.mates.insert(me, Mate { joined: at, rank: RoomRank::Member, read: at });
            }
            RoomCommand::Leave { .. } if rank.is_none() => {
                club.guests.remove(&me).filter(|invited| *invited).ok_or(Code::NotInRoom)?;
            }
            RoomCommand::Leave { .. } => leave(club, me),
            RoomCommand::Close { .. } => {
                at_least(RoomRank::Owner)?;
                club.mates.clear();
            }
            RoomCommand::Invite { username, .. } => {
                at_least(if club.open { RoomRank::Member } else { RoomRank::Moderator })?;
                let who = account(username);
                if club.mates.contains_key(&who) {
                    return Err(Code::AlreadyInRoom);
                }
                let before = club.guests.get(&who).copied();
                if before == Some(true) {
                    return Ok(());
                }
                if before == Some(false) {
                    at_least(RoomRank::Moderator)?;
                }
                let invitations =
                    self.clubs.values().filter(|club| club.guests.get(&who) == Some(&true)).count();
                let full = before.is_none() && club.guests.len() >= SMALL.room_guests_max;
                if full || invitations >= SMALL.room_invitations_max {
                    return Err(Code::TooManyInvitations);
                }
                club.guests.insert(who, true);
            }
            RoomCommand::Withdraw { username, .. } => {
                at_least(RoomRank::Member)?;
                let who = account(username);
                let guest = club.guests.get(&who).ok_or(Code::NotInvited)?;
                let mine = *guest && self.invited_by(club, who) == Some(me);
                if !mine {
                    at_least(RoomRank::Moderator)?;
                }
                club.guests.remove(&who);
            }
            RoomCommand::Remove { username, .. } => {
                at_least(RoomRank::Moderator)?;
                let who = other(me, account(username))?;
                if club.rank(who).ok_or(Code::PersonNotInRoom)? >= RoomRank::Moderator {
                    at_least(RoomRank::Owner)?;
                }
                club.mates.remove(&who);
                if club.open && club.guests.len() < SMALL.room_guests_max {
                    club.guests.insert(who, false);
                }
            }
            RoomCommand::SetRank { username, rank, .. } => {
                at_least(RoomRank::Owner)?;
                let who = other(me, account(username))?;
                club.mates.get_mut(&who).ok_or(Code::PersonNotInRoom)?.rank = *rank;
                if *rank == RoomRank::Owner {
                    club.mates.get_mut(&me).unwrap().rank = RoomRank::Moderator;
                }
            }
            RoomCommand::RemoveMessage { message, .. } => {
                let rank = rank.ok_or(Code::NotInRoom)?;
                let readable = club.readable(me).iter().any(|said| said.id == *message);
                let said = club.said.iter_mut().find(|said| said.id == *message).filter(|_| readable);
                let said = said.ok_or(Code::NoSuchMessage)?;
                if said.from != me && rank < RoomRank::Moderator {
                    return Err(Code::NotRoomModerator);
                }
                said.removed = said.removed.or(Some(me));
            }
            RoomCommand::Mark { read_through, .. } => {
                let newest = self.newest(club.id);
                let mate = club.mates.get_mut(&me).ok_or(Code::NotInRoom)?;
                mate.read = mate.read.max((*read_through).min(newest));
            }
            other => unreachable!("{other:?}"),
        }
        Ok(())
    }

    /// Returns the newest message that was ever said in a room. It may have been trimmed.
    fn newest(&self, room: RoomId) -> LogIndex {
        let rows = table::<RoomCountsOf>(&self.log.model);
        let row = rows.iter().find(|(key, _)| RoomId::from_bytes(key) == Some(room)).unwrap();
        decode::<RoomCounts>(&row.1).unwrap().newest
    }

    fn invited_by(&self, club: &Club, who: AccountId) -> Option<AccountId> {
        let rows = table::<RoomGuests>(&self.log.model);
        let row = rows.iter().find(|(key, _)| *key == (club.id, who).bytes())?;
        match decode(&row.1)? {
            crate::rows::RoomGuest::Invited { by } => Some(by),
            crate::rows::RoomGuest::Removed => None,
        }
    }

    fn renew(&mut self, who: usize) {
        let (gone, session) = self.people[who];
        self.log.run(Command::DeleteAccount { session, credential_version: 1 }).unwrap();
        self.log.steps(&Command::Sweep { account: gone });
        for name in NAMES {
            let Some(club) = self.clubs.get_mut(name) else { continue };
            club.guests.remove(&gone);
            if club.mates.contains_key(&gone) {
                leave(club, gone);
                if club.mates.is_empty() {
                    self.close(name);
                }
            }
        }
        self.people[who] = self.person(PEOPLE[who]);
    }

    fn sweep_room(&mut self, which: &Index) {
        if self.closed.is_empty() {
            return;
        }
        let room = *self.closed.keys().nth(which.index(self.closed.len())).unwrap();
        let swept = self.log.run(Command::Sweep { account: AccountId(room.0) }).unwrap();
        let left = self.closed.get_mut(&room).unwrap();
        *left = left.saturating_sub(SMALL.sweep_step);
        if swept == (Reply::Stepped { more: false }) {
            assert_eq!(*left, 0);
            self.closed.remove(&room);
        }
    }

    /// Every person sees in every room what they may see, and nothing else.
    fn check_pages(&self, limit: u16) {
        for &(me, session) in &self.people {
            let mut ids: Vec<RoomId> = Vec::new();
            for name in NAMES {
                let club = self.clubs.get(name).filter(|club| club.shows(me));
                let query = Query::Room { session, room: name.into(), before: None, limit };
                let page = match (club, self.log.model.answer(&query)) {
                    (None, Err(denied)) => {
                        assert_eq!(denied.code, Code::NoSuchRoom);
                        continue;
                    }
                    (Some(_), Ok(Page::Room(page))) => page,
                    (club, answer) => panic!("{club:?} {answer:?}"),
                };
                let club = club.unwrap();
                assert_eq!(page.room.members as usize, club.mates.len());
                let Some(mate) = club.mates.get(&me) else {
                    assert!(page.messages.is_empty() && page.standing.rank().is_none());
                    assert_eq!(page.standing == RoomStanding::Removed, club.guests.get(&me) == Some(&false));
                    let said = club.said.first().map_or(club.id.0, |said| said.id);
                    let one = Query::RoomMessage { session, room: club.id, id: said };
                    assert_eq!(self.log.model.answer(&one).unwrap_err().code, Code::NoSuchMessage);
                    continue;
                };
                ids.push(club.id);
                assert_eq!(page.standing, RoomStanding::Member { rank: mate.rank, read_through: mate.read });
                let others = club.said.iter().filter(|said| said.id > mate.read && said.from != me);
                assert_eq!(page.unread as usize, others.count());
                let readable = club.readable(me);
                for said in &club.said {
                    let one = Query::RoomMessage { session, room: club.id, id: said.id };
                    let may = readable.iter().any(|other| other.id == said.id);
                    assert_eq!(self.log.model.answer(&one).is_ok(), may);
                }
                let read = self.read(session, name, limit);
                let expected: Vec<_> = readable.iter().rev().map(|said| shown(said)).collect();
                assert_eq!(read.iter().map(read_words).collect::<Vec<_>>(), expected);
            }
            match self.log.model.answer(&Query::Rooms { session }) {
                Ok(Page::Rooms { rooms, invitations, .. }) => {
                    let mut listed: Vec<_> = rooms.iter().map(|one| one.room.id).collect();
                    listed.sort_unstable();
                    ids.sort_unstable();
                    assert_eq!(listed, ids);
                    let invited = self.clubs.values().filter(|club| club.guests.get(&me) == Some(&true));
                    assert_eq!(invitations.len(), invited.count());
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn read(&self, session: TokenHash, name: &str, limit: u16) -> Vec<RoomText> {
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let query = Query::Room { session, room: name.into(), before, limit };
            let Ok(Page::Room(page)) = self.log.model.answer(&query) else { panic!("a member reads") };
            all.extend(page.messages);
            match page.older {
                None => return all,
                older => before = older,
            }
        }
    }

    /// The counts equal the rows, and no row is left of what is gone.
    fn check_rows(&mut self) {
        while let Some(room) = self.closed.keys().next().copied() {
            self.log.steps(&Command::Sweep { account: AccountId(room.0) });
            self.closed.remove(&room);
        }
        let model = &self.log.model;
        assert!(table::<Sweeps>(model).is_empty());
        let sum = |of: fn(&Club) -> usize| self.clubs.values().map(of).sum::<usize>();
        assert_eq!(table::<Rooms>(model).len(), self.clubs.len());
        assert_eq!(table::<RoomNames>(model).len(), self.clubs.len());
        assert_eq!(table::<RoomMembers>(model).len(), sum(|club| club.mates.len()));
        assert_eq!(table::<RoomGuests>(model).len(), sum(|club| club.guests.len()));
        assert_eq!(table::<RoomsOf>(model).len(), sum(|club| club.mates.len() + club.guests.len()));
        assert_eq!(table::<RoomMessages>(model).len(), sum(|club| club.said.len()));
        let counts = table::<RoomCountsOf>(model);
        assert_eq!(counts.len(), self.clubs.len());
        for club in self.clubs.values() {
            let (_, row) = counts.iter().find(|(key, _)| RoomId::from_bytes(key) == Some(club.id)).unwrap();
            let row = decode::<RoomCounts>(row).unwrap();
            let rows = (row.members as usize, row.guests as usize, row.messages as usize);
            assert_eq!(rows, (club.mates.len(), club.guests.len(), club.said.len()));
        }
        if let Some((_, row)) = table::<RoomTotalsRow>(model).first() {
            let totals = decode::<RoomTotals>(row).unwrap();
            assert_eq!(totals.rooms as usize, self.clubs.len());
            assert_eq!(totals.messages as usize, sum(|club| club.said.len()));
        }
    }
}

fn other(me: AccountId, who: AccountId) -> Result<AccountId, Code> {
    if who == me { Err(Code::Yourself) } else { Ok(who) }
}

/// Takes a member out. The next in rank, then by age, becomes the owner after the owner.
fn leave(club: &mut Club, who: AccountId) {
    let gone = club.mates.remove(&who).unwrap();
    if gone.rank == RoomRank::Owner {
        let heir = club.mates.values_mut().min_by_key(|mate| (std::cmp::Reverse(mate.rank), mate.joined));
        heir.into_iter().for_each(|heir| heir.rank = RoomRank::Owner);
    }
}

fn shown(said: &Said) -> (LogIndex, AccountId, String) {
    let text = match said.removed {
        None => said.text.clone(),
        Some(by) => format!("removed {}", by == said.from),
    };
    (said.id, said.from, text)
}

fn read_words(read: &RoomText) -> (LogIndex, AccountId, String) {
    let text = match &read.body {
        RoomBody::Text(text) => text.clone(),
        RoomBody::Removed { by_author } => format!("removed {by_author}"),
    };
    (read.id, read.from, text)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn rooms_are_what_was_said(acts in acts(), limit in 1..4_u16) {
        let mut story = Story::of(&acts);
        story.check_pages(limit);
        story.log.model.reopen();
        story.check_rows();
        story.check_pages(limit);
    }
}

//! Bounds of queries and commands, checked where they enter a node: before a store is read and before anything is
//! proposed.
//!
//! - Every field has a bound here or in its type: a text in bytes, a path in [`super::path`], a number where only few
//!   values are valid. Cursors and ids may be any number: most of them simply match no row.
//! - The rules check again everything they rely on, because the log may hold requests that an earlier version accepted.
//!   They refuse with the same codes.
//! - No `match` here has a catch-all arm, so that a new query or command is classified when it is added.

use super::code::{Code, Denied, Field};
use super::command::{
    AccessCommand, AccountChanges, AccountCommand, AppCommand, Command, HOME_REGION, InvitationTerms,
    LeaseCommand, MessageCommand, NewMember, NewPerson, NoticeCommand, OperatorCommand, Origin,
    RelationCommand, ReportSubject, Request, RoomCommand, TreeCommand, UnreplicatedAct,
};
use super::limits::{
    ADDRESS_BYTES_MAX, ANNOUNCEMENT_MS_MAX, CROAKS_NAMED_MAX, INDEX_MAX, JOIN_CODE_MS_MAX,
    LEASE_DESCRIPTION_BYTES_MAX, LEASE_MS_MAX, LEASE_MS_MIN, NODE_BYTES_MAX, OPERATOR_BYTES_MAX,
    PASSWORD_CHARS_MAX, PASSWORD_HASH_BYTES_MAX, PERSONS_NAMED_MAX, PROFILES_NAMED_MAX, REDIRECT_BYTES_MAX,
    REGIONS_MAX, ROOMS_AT_CREATION_MAX, TYPED_BYTES_MAX, USERNAME_CHARS_MAX,
};
use super::pages::search::Terms;
use super::query::{OperatorQuery, Query, TalkPartner};
use super::redirect;
use super::text;

const INVALID: Denied = Denied::new(Code::InvalidEntry);

fn hold(holds: bool, otherwise: Denied) -> Result<(), Denied> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// Checks a user name as it was entered.
///
/// # Errors
/// 606 on the field `username`.
pub fn username(typed: &str) -> Result<(), Denied> {
    hold(typed.len() <= TYPED_BYTES_MAX, Denied::of(Code::InvalidEntry, Field::Username))?;
    text::fold_username(typed).map(drop)
}

/// Checks a display name.
///
/// # Errors
/// 606 on the field `name`.
pub fn name(typed: &str) -> Result<(), Denied> {
    hold(typed.len() <= TYPED_BYTES_MAX, Denied::of(Code::InvalidEntry, Field::Name))?;
    text::check_name(typed).map(drop)
}

/// Checks the name of a room as it was entered.
///
/// # Errors
/// 606 on the field `room`.
pub fn room_name(typed: &str) -> Result<(), Denied> {
    hold(typed.len() <= TYPED_BYTES_MAX, Denied::of(Code::InvalidEntry, Field::Room))?;
    text::fold_room_name(typed).map(drop)
}

/// Checks the topic of a room.
///
/// # Errors
/// 606 on the field `topic`.
pub fn topic(typed: &str) -> Result<(), Denied> {
    hold(typed.len() <= TYPED_BYTES_MAX, Denied::of(Code::InvalidEntry, Field::Topic))?;
    text::check_topic(typed).map(drop)
}

/// Checks an email address.
///
/// # Errors
/// 606 on the field `email`.
pub fn email(typed: &str) -> Result<(), Denied> {
    hold(typed.len() <= TYPED_BYTES_MAX, Denied::of(Code::InvalidEntry, Field::Email))?;
    text::check_email(typed).map(drop)
}

/// Checks the length of a password that will be compared with a stored hash. An entry longer than any password can be
/// is wrong.
///
/// # Errors
/// 602 on the field `password`.
pub fn tried_password(typed: &str) -> Result<(), Denied> {
    hold(typed.len() <= 4 * PASSWORD_CHARS_MAX, Denied::of(Code::WrongPassword, Field::Password))
}

/// Checks the address of a server, or the address that a client reports to have used.
///
/// # Errors
/// 606.
pub fn address(said: &str) -> Result<(), Denied> {
    hold(said.len() <= ADDRESS_BYTES_MAX, INVALID)
}

/// Checks the number of a region.
///
/// # Errors
/// 606.
pub fn region(number: u32) -> Result<(), Denied> {
    hold((HOME_REGION..=REGIONS_MAX).contains(&number), INVALID)
}

/// Checks the index at which a request claims to have been submitted.
///
/// # Errors
/// 614, as the rules refuse a request submitted after its own log entry.
pub fn submitted_at(index: u64) -> Result<(), Denied> {
    hold(index <= INDEX_MAX, Denied::new(Code::OutcomeUnknown))
}

/// Checks the description of a process that joins.
///
/// # Errors
/// 606.
pub fn new_member(member: &NewMember) -> Result<(), Denied> {
    address(&member.address)?;
    address(&member.machine)
}

/// Checks a name pattern and the cursor of its page, which is a user name as stored.
fn listed(names: &str, after: Option<&str>) -> Result<(), Denied> {
    let otherwise = Denied::of(Code::InvalidEntry, Field::Names);
    hold(names.len() <= TYPED_BYTES_MAX, otherwise)?;
    text::fold_pattern(names)?;
    match after {
        Some(after) => hold(
            after.len() <= USERNAME_CHARS_MAX && text::fold_username(after).is_ok_and(|it| it == after),
            otherwise,
        ),
        None => Ok(()),
    }
}

impl Query {
    /// Checks every field against its bound.
    ///
    /// # Errors
    /// The refusal: 606 with the field it concerns, or 601 if no user can have that name.
    pub fn check(&self) -> Result<(), Denied> {
        match self {
            Query::Search { words, .. } => {
                hold(words.len() <= TYPED_BYTES_MAX, Denied::of(Code::InvalidEntry, Field::Search))?;
                Terms::parse(words).map(drop)
            }
            Query::People { names, after, .. } => listed(names, after.as_deref()),
            Query::Operator(query) | Query::Govern { query, .. } => query.check(),
            Query::Croaks { ids, .. } => hold(ids.len() <= CROAKS_NAMED_MAX, INVALID),
            Query::Profiles { accounts, .. } => hold(accounts.len() <= PROFILES_NAMED_MAX, INVALID),
            Query::Persons { usernames, .. } => {
                hold(usernames.len() <= PERSONS_NAMED_MAX, INVALID)?;
                usernames.iter().try_for_each(|typed| username(typed))
            }
            Query::Profile { username: typed, .. }
            | Query::FollowsOf { username: typed, .. }
            | Query::PublicCroaks { username: typed } => username(typed),
            Query::Talk { with: TalkPartner::Named(typed), .. } => {
                username(typed).map_err(|_| Denied::of(Code::NoSuchUser, Field::Username))
            }
            Query::Room { room, .. } | Query::RoomPeople { room, .. } => room_name(room),
            Query::OpenRooms { after, .. } => match after {
                Some(after) => hold(
                    text::fold_room_name(after).is_ok_and(|it| it == *after),
                    Denied::of(Code::InvalidEntry, Field::Room),
                ),
                None => Ok(()),
            },
            // Paths are checked when they are decoded; the rest are numbers and tokens.
            Query::Tree { .. }
            | Query::Talk { with: TalkPartner::Account(_), .. }
            | Query::Position
            | Query::Me { .. }
            | Query::Feed { .. }
            | Query::Friends { .. }
            | Query::Leases { .. }
            | Query::Coordination
            | Query::Croak { .. }
            | Query::Followers { .. }
            | Query::Chatting { .. }
            | Query::Account { .. }
            | Query::Sessions { .. }
            | Query::Unread { .. }
            | Query::Talks { .. }
            | Query::Message { .. }
            | Query::Waiting { .. }
            | Query::Follows { .. }
            | Query::Front { .. }
            | Query::Notices { .. }
            | Query::Rooms { .. }
            | Query::RoomMessage { .. }
            | Query::Muted { .. }
            | Query::Blocked { .. }
            | Query::Invitation { .. }
            | Query::Invitations { .. }
            | Query::Thread { .. }
            | Query::Everyone { .. }
            | Query::Reactions { .. }
            | Query::ResetLink { .. }
            | Query::Announcements
            | Query::MyAnnouncements { .. }
            | Query::Liked { .. }
            | Query::FeedAddresses { .. }
            | Query::AddressedFeed { .. }
            | Query::App { .. }
            | Query::OwnApp { .. }
            | Query::Caller { .. }
            | Query::Settings => Ok(()),
        }
    }
}

impl Request {
    /// Checks every field against its bound, and the size of the whole.
    ///
    /// # Errors
    /// The refusal that the rules would give, too.
    pub fn check(&self) -> Result<(), Denied> {
        submitted_at(self.submitted_at)?;
        if let Some(Origin { operator, address: said }) = self.origin.as_deref() {
            hold(operator.len() <= OPERATOR_BYTES_MAX, INVALID)?;
            address(said)?;
        }
        self.command.check()?;
        hold(self.fits(), INVALID)
    }
}

fn hash(password_hash: &str) -> Result<(), Denied> {
    hold(password_hash.len() <= PASSWORD_HASH_BYTES_MAX, INVALID)
}

impl Command {
    /// Checks every field against its bound.
    ///
    /// # Errors
    /// The refusal that the rules would give, too.
    pub fn check(&self) -> Result<(), Denied> {
        match self {
            Command::CreateAccount {
                username: typed,
                name: shown,
                email: mail,
                password_hash,
                invitation: _,
            } => {
                name(shown)?;
                username(typed)?;
                email(mail)?;
                hash(password_hash)
            }
            Command::Croak { text, reply_to: None, .. } => text::check_croak(text),
            // The mention at its beginning does not count; the rule knows which one that is.
            Command::Croak { text, reply_to: Some(_), .. } => text::check_reply(text),
            Command::AddFriend { username: typed, .. } | Command::RemoveFriend { username: typed, .. } => {
                username(typed)
            }
            Command::FoundCluster { member, .. } => new_member(member),
            Command::Join { region: number, member } => {
                region(*number)?;
                new_member(member)
            }
            Command::DescribeMember { address: said, machine, .. } => {
                address(said)?;
                address(machine)
            }
            Command::MarkLost { name } => region(name.region),
            Command::Rehash { password_hash, .. } => hash(password_hash),
            Command::LogIn { device, .. } => text::check_device(device),
            Command::Tree(command) => command.check(),
            Command::Lease(command) => command.check(),
            Command::Message(command) => command.check(),
            Command::Room(command) => command.check(),
            Command::Account(command) => command.check(),
            Command::Relation(command) => command.check(),
            // Numbers and tokens.
            Command::Notice(NoticeCommand::Read { .. } | NoticeCommand::Remove { .. }) => Ok(()),
            Command::Access(command) => command.check(),
            Command::App(command) => command.check(),
            Command::Operator(command) | Command::Govern { change: command, .. } => command.check(),
            // Croaks are named by numbers.
            Command::Conversation(_)
            | Command::LogOut { .. }
            | Command::DeleteAccount { .. }
            | Command::Sweep { .. }
            | Command::IndexCroaks
            | Command::RemoveMember { .. }
            | Command::RaiseKey { .. }
            | Command::TryJoinCode { .. } => Ok(()),
        }
    }
}

impl TreeCommand {
    fn check(&self) -> Result<(), Denied> {
        match self {
            TreeCommand::Write { content, .. } | TreeCommand::Acquire { content, .. } => {
                hold(content.len() <= NODE_BYTES_MAX, Denied::new(Code::TooMuchContent))
            }
            // Paths are checked when they are decoded.
            TreeCommand::MakeFolder { .. }
            | TreeCommand::Touch { .. }
            | TreeCommand::Remove { .. }
            | TreeCommand::Release { .. } => Ok(()),
        }
    }
}

impl LeaseCommand {
    fn check(&self) -> Result<(), Denied> {
        match self {
            LeaseCommand::Open { description, lease_ms, .. } => {
                hold(description.len() <= LEASE_DESCRIPTION_BYTES_MAX, INVALID)?;
                hold(lease_ms.is_none_or(|ms| (LEASE_MS_MIN..=LEASE_MS_MAX).contains(&ms)), INVALID)
            }
            LeaseCommand::EnterChat { description, .. } => {
                hold(description.len() <= LEASE_DESCRIPTION_BYTES_MAX, INVALID)
            }
            LeaseCommand::Register { address: said, .. } => address(said),
            LeaseCommand::SetRegions { regions } => region(*regions),
            LeaseCommand::Close { .. }
            | LeaseCommand::End { .. }
            | LeaseCommand::Appoint { .. }
            | LeaseCommand::StepDown { .. }
            | LeaseCommand::NumberClient => Ok(()),
        }
    }
}

impl MessageCommand {
    fn check(&self) -> Result<(), Denied> {
        match self {
            MessageCommand::Send { username: typed, text, .. }
            | MessageCommand::SendAgain { username: typed, text, .. } => {
                username(typed)?;
                text::check_message(text)
            }
            MessageCommand::Mark { .. } | MessageCommand::ReadFeed { .. } => Ok(()),
        }
    }
}

impl RoomCommand {
    fn check(&self) -> Result<(), Denied> {
        room_name(self.target().1)?;
        match self {
            RoomCommand::Create { topic: said, .. } | RoomCommand::Change { topic: Some(said), .. } => {
                topic(said)
            }
            RoomCommand::Invite { username: typed, .. }
            | RoomCommand::Withdraw { username: typed, .. }
            | RoomCommand::Remove { username: typed, .. }
            | RoomCommand::SetRank { username: typed, .. } => username(typed),
            RoomCommand::Say { text, .. } => text::check_message(text),
            RoomCommand::Change { topic: None, .. }
            | RoomCommand::Join { .. }
            | RoomCommand::Leave { .. }
            | RoomCommand::Close { .. }
            | RoomCommand::RemoveMessage { .. }
            | RoomCommand::Mark { .. } => Ok(()),
        }
    }
}

impl RelationCommand {
    fn check(&self) -> Result<(), Denied> {
        match self {
            RelationCommand::Mute { username: typed, .. }
            | RelationCommand::Block { username: typed, .. } => username(typed),
            RelationCommand::Report { subject, words, .. } => {
                match subject {
                    ReportSubject::Person { username: typed } => username(typed)?,
                    ReportSubject::RoomMessage { room, .. } => room_name(room)?,
                    ReportSubject::Croak { .. } | ReportSubject::Message { .. } => {}
                }
                text::check_report(words).map(drop)
            }
        }
    }
}

impl AccountCommand {
    fn check(&self) -> Result<(), Denied> {
        match self {
            AccountCommand::Describe { changes, .. } => {
                changes.refusals().into_iter().next().map_or(Ok(()), Err)
            }
            AccountCommand::ChangePassword { password_hash, .. } => hash(password_hash),
            AccountCommand::Invite { terms, .. } => terms.check(),
            AccountCommand::MakeFeedAddress { room: Some(room), .. } => room_name(room),
            AccountCommand::MakeFeedAddress { room: None, .. }
            | AccountCommand::EndFeedAddress { .. }
            | AccountCommand::Confirm { .. }
            | AccountCommand::Uninvite { .. }
            | AccountCommand::EndSession { .. }
            | AccountCommand::EndOtherSessions { .. }
            | AccountCommand::RemoveCroak { .. }
            | AccountCommand::Dismiss { .. }
            | AccountCommand::Pin { .. } => Ok(()),
        }
    }
}

impl AccessCommand {
    fn check(&self) -> Result<(), Denied> {
        match self {
            AccessCommand::ResetPassword { password_hash, .. } => hash(password_hash),
            AccessCommand::CreateByName { username: typed }
            | AccessCommand::OpenByName { username: typed, .. } => username(typed),
        }
    }
}

impl AppCommand {
    fn check(&self) -> Result<(), Denied> {
        match self {
            AppCommand::Register { name, website, redirects, .. } => {
                hold(name.len().max(website.len()) <= TYPED_BYTES_MAX, INVALID)?;
                text::check_app_name(name)?;
                text::check_website(website)?;
                redirect::check_redirects(redirects)
            }
            AppCommand::Authorize { redirect: typed, .. } | AppCommand::Exchange { redirect: typed, .. } => {
                hold(typed.len() <= REDIRECT_BYTES_MAX, Denied::new(Code::RedirectNotRegistered))
            }
            AppCommand::Revoke { .. } => Ok(()),
        }
    }
}

impl AccountChanges {
    /// Returns the refusals of all fields, so that a page shows them at once.
    pub fn refusals(&self) -> Vec<Denied> {
        let AccountChanges { name: shown, bio, links, avatar: _, email: mail, audience: _ } = self;
        let checks = [
            shown.as_deref().map(name),
            bio.as_deref().map(|bio| text::check_bio(bio).map(drop)),
            links.as_deref().map(|links| text::check_links(links).map(drop)),
            mail.as_deref().map(email),
        ];
        checks.into_iter().flatten().filter_map(Result::err).collect()
    }
}

impl InvitationTerms {
    fn check(&self) -> Result<(), Denied> {
        hold(self.are_bounded(), INVALID)?;
        self.room.as_deref().map_or(Ok(()), room_name)
    }
}

impl OperatorQuery {
    fn check(&self) -> Result<(), Denied> {
        match self {
            OperatorQuery::Accounts { names, after } | OperatorQuery::Rooms { names, after } => {
                listed(names, after.as_deref())
            }
            OperatorQuery::JoinRequests { after } => listed("", after.as_deref()),
            OperatorQuery::RoomNames { after, .. } => after.as_deref().map_or(Ok(()), room_name),
            OperatorQuery::Reports { .. }
            | OperatorQuery::Audit { .. }
            | OperatorQuery::Invitations { .. }
            | OperatorQuery::Figures
            | OperatorQuery::JoinCodes => Ok(()),
        }
    }
}

impl OperatorCommand {
    fn check(&self) -> Result<(), Denied> {
        match self {
            OperatorCommand::SetPassword { password_hash, .. } => hash(password_hash),
            OperatorCommand::Suspend { .. }
            | OperatorCommand::Record {
                act: UnreplicatedAct::Backup { .. } | UnreplicatedAct::RotateKey { .. },
            }
            | OperatorCommand::RemoveAccount { .. }
            | OperatorCommand::RemoveCroak { .. }
            | OperatorCommand::DecideReport { .. }
            | OperatorCommand::WithdrawAnnouncement { .. }
            | OperatorCommand::MakeResetLink { .. }
            | OperatorCommand::SetRole { .. }
            | OperatorCommand::SetInviters { .. }
            | OperatorCommand::Uninvite { .. }
            | OperatorCommand::RevokeJoinCode { .. }
            | OperatorCommand::RevokeResetLink { .. }
            | OperatorCommand::RaiseRules { .. }
            | OperatorCommand::SetAutoFinish { .. }
            | OperatorCommand::SetRegistration { .. } => Ok(()),
            OperatorCommand::RemoveRoomMessage { room, .. } | OperatorCommand::CloseRoom { room } => {
                room_name(room)
            }
            OperatorCommand::DecideRequest { username: typed, .. } => username(typed),
            OperatorCommand::Invite { terms, .. } => terms.check(),
            OperatorCommand::MakeJoinCode { for_ms, .. } => {
                hold((1..=JOIN_CODE_MS_MAX).contains(for_ms), INVALID)
            }
            OperatorCommand::CreateWithLink { person, code: _ } => {
                let NewPerson { username: typed, name: shown, email: mail, rooms, role: _ } = &**person;
                hold(rooms.len() <= ROOMS_AT_CREATION_MAX, Denied::of(Code::InvalidEntry, Field::Room))?;
                rooms.iter().try_for_each(|room| room_name(room))?;
                name(shown)?;
                username(typed)?;
                mail.as_deref().map_or(Ok(()), email)
            }
            OperatorCommand::ChangeMember { name, change: _ } => region(name.region),
            OperatorCommand::Announce { text, for_ms } => {
                hold(for_ms.is_none_or(|ms| ms <= ANNOUNCEMENT_MS_MAX), INVALID)?;
                text::check_announcement(text).map(drop)
            }
            OperatorCommand::DescribeSite { name, welcome } => {
                let short = |text: &String| hold(text.len() <= TYPED_BYTES_MAX, INVALID);
                name.iter().chain(welcome).try_for_each(short)?;
                name.iter().try_for_each(|name| text::check_site_name(name).map(drop))?;
                welcome.iter().try_for_each(|welcome| text::check_welcome(welcome).map(drop))
            }
        }
    }
}

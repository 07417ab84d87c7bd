//! Every refusal in one table: name, number and text.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// Reason of a refusal. The numbers are part of the public interface and never change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of the wire format.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// Returns the number that the documentation, JSON and the command line show.
            pub fn number(self) -> u16 {
                match self { $(Code::$name => $number,)* }
            }

            /// Returns the text for people: one sentence without a full stop.
            pub fn text(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// Returns the name in the documentation and in JSON.
            pub fn name(self) -> &'static str {
                match self { $(Code::$name => stringify!($name),)* }
            }
        }
    };
}

// New codes go at the end: the wire format contains the position.
codes! {
    CroakTooLong = 512, "a croak has at most 100 characters";
    NoSuchUser = 601, "there is no user with that name";
    WrongPassword = 602, "the password is wrong";
    InvalidEntry = 606, "that entry is not valid";
    UsernameTaken = 607, "that username is already taken";
    AlreadyFriend = 608, "you already follow this person";
    NotLoggedIn = 609, "you are not logged in";
    NotAFriend = 610, "you do not follow this person";
    Yourself = 611, "that is your own account";
    TooManyFriends = 612, "you follow as many people as possible (4096)";
    /// The credentials have changed since a backend checked them.
    CredentialsChanged = 613, "the account has changed in the meantime; try again";
    /// Submitted before the deduplication window: the request may or may not have been applied.
    OutcomeUnknown = 614, "this request is too old to know whether it took effect; check before you send it again";
    RequestReused = 615, "this request id was already used for a different request";
    MemberExists = 616, "the cluster already has a member of that name";
    TooManyMembers = 617, "the cluster has the maximum number of members (32)";
    /// Not an outcome: no leader accepted the request in time. Retrying under the same id is safe.
    Unavailable = 618, "the servers are unavailable right now; try again";
    /// Not an outcome: a queue is full. Retrying under the same id is safe.
    Busy = 619, "the servers are busy; try again";
    WrongCluster = 620, "that belongs to a different cluster";
    NoSuchMember = 621, "the cluster has no such member";
    MemberAlive = 622, "a member of that name is still running";
    TooOld = 623, "this version of ribbit is too old for the cluster";
    TooNew = 624, "not every member of the cluster supports that yet";
    /// Not an outcome: the disk quota is exceeded.
    DisksFull = 625, "the disks are full; nothing new can be written until an operator frees space";
    BadPath = 626, "that is not a valid path: it must begin with a slash and have at most 16 names of at most 128 bytes each";
    NoSuchNode = 627, "no such file or folder";
    NodeExists = 628, "it already exists";
    IsFolder = 629, "it is a folder";
    NotAFolder = 630, "it is not a folder";
    FolderNotEmpty = 631, "the folder is not empty";
    LockHeld = 632, "it is locked";
    NotHeld = 633, "it is not locked";
    /// The lock was released, or granted again, since the fencing token was issued.
    StaleFence = 634, "the fencing token is out of date: the lock was released or granted again";
    IsLock = 635, "it is a lock";
    NotALock = 636, "it is not a lock";
    KeptByRibbit = 637, "that part of the tree is managed by ribbit";
    TooManyNodes = 638, "the maximum number of nodes is reached";
    TooMuchContent = 639, "a node holds at most 3072 bytes";
    TooManyLeases = 640, "the maximum number of leases is reached";
    /// The lease has ended or never existed. Its former owner holds no locks any more.
    LeaseOver = 641, "the lease has ended";
    /// The state that the command depends on has changed since it was read.
    Outrun = 642, "it has changed in the meantime";
    MessageTooLong = 643, "a message has at most 1000 characters";
    MailboxFull = 644, "this person has too many unread messages; try again once they have read some";
    NoSuchCroak = 645, "there is no such croak";
    NoSuchMessage = 646, "there is no such message";
    NoSuchSession = 647, "there is no such session";
    NotYours = 648, "that is not yours";
    AccountSuspended = 649, "this account is suspended; contact the people who run the servers";
    RegistrationClosed = 650, "registration is closed; contact the people who run the servers";
    /// Not an outcome: rate limit of a node for password checks.
    TooManyTries = 651, "too many log-in attempts for this username; try again in 10 seconds";
    /// Not an outcome: rate limit of a node for new accounts.
    TooManyAccounts = 652, "too many accounts were created just now; try again in 10 seconds";
    /// Not an outcome: rate limit of a node for writes.
    TooMuchWritten = 653, "you're posting too fast; try again in 10 seconds";
    NoSuchRoom = 654, "there is no such room";
    RoomNameTaken = 655, "there is already a room with that name";
    NotInRoom = 656, "you are not in this room; join it first";
    AlreadyInRoom = 657, "already in this room";
    PersonNotInRoom = 658, "this person is not in the room";
    RemovedFromRoom = 659, "you were removed from this room; ask its owner for an invitation";
    RoomFull = 660, "the room has as many members as possible (1000)";
    TooManyRooms = 661, "there are as many rooms as possible (1000)";
    InTooManyRooms = 662, "you are in as many rooms as possible (100); leave one first";
    TooManyInvitations = 663, "this person or this room has too many open invitations; try again later";
    NotRoomModerator = 664, "only the owner and the moderators of the room may do that";
    NotRoomOwner = 665, "only the owner of the room may do that";
    NotInvited = 666, "this person has no invitation to the room";
    YouBlocked = 667, "you have blocked this person; unblock them first";
    BlockedByThem = 668, "this person has blocked you";
    TooManyMuted = 669, "you mute as many people as possible (1000)";
    TooManyBlocked = 670, "you block as many people as possible (1000)";
    TooManyReports = 671, "too many reports are waiting to be read; try again later";
    NoSuchReport = 672, "there is no such report";
    NotShareable = 673, "only another person's croak for everyone can be shared";
    LinkNotValid = 674, "this link does not work any more; ask the people who run the servers for a new one";
    NoPassword = 675, "this account has no password yet; ask the people who run the servers for a link to set one";
    HasPassword = 676, "this account has a password; log in with it on the pages or with ribbit client";
    TooManyAnnouncements = 677, "there are as many announcements as possible (5); withdraw one first";
    NoSuchAnnouncement = 678, "there is no such announcement";
    TooManyFeedAddresses = 679, "you have as many feed addresses as possible (16); delete one first";
    NoSuchFeedAddress = 680, "there is no such feed address; it may have been deleted";
    NoSuchApp = 681, "there is no such app; it has to register again";
    WrongAppKey = 682, "the app's id and secret do not match";
    CodeNotValid = 683, "this code does not work any more; log in with the app again";
    ScopeNotAllowed = 684, "the app may not ask for this permission";
    RedirectNotRegistered = 685, "the app is not registered with this address to return to";
    /// The account has not the role for it, or the one that it is about has as great a role.
    NotAllowed = 686, "your account may not do that";
    /// The password of the session was not checked in the last ten minutes.
    ConfirmPassword = 687, "enter your password again to go on";
    OutsideScopes = 688, "the app does not have the permission to do this";
    /// The account does not exist yet: an operator has to approve it.
    AwaitingApproval = 689, "this account is waiting for approval; you can log in once it is approved";
    InvitationNeeded = 690, "you need an invitation to sign up; ask someone who is here";
    InvitationNotValid = 691, "this invitation does not work any more; ask for a new one";
    TooManyInvitationLinks = 692, "there are as many invitations as possible; revoke one first";
    NoSuchInvitation = 693, "there is no such invitation";
    NoSuchJoinRequest = 694, "there is no such request for an account";
    TooManyJoinRequests = 695, "too many people are waiting for approval; try again later";
    OldKey = 696, "the cluster has a newer key: copy the cluster file from one of its machines again";
    KeyNotEverywhere = 697, "not every member of the cluster has that key yet";
    /// Not an outcome: a member has a key that this one neither follows nor precedes.
    OtherRotation = 698, "another key rotation is in progress: `ribbit key status` shows it";
    NoSuchJoinCode = 699, "the cluster has no such join code: it was mistyped or revoked; make another one with `ribbit invite-board`";
    /// Not an outcome: the member has counted the try.
    JoinCodeWrong = 700, "the join code is wrong; after three wrong tries it stops working";
    JoinCodeExpired = 701, "the join code has expired; make another one with `ribbit invite-board`";
    JoinCodeUsed = 702, "the join code was used already; make another one with `ribbit invite-board`";
    JoinCodeDead = 703, "the join code was tried wrongly three times and does not work any more; make another one with `ribbit invite-board`";
    /// Not an outcome: the key that the code is derived from does not open the cluster any more.
    JoinCodeOldKey = 704, "the cluster has another key since the join code was made; make another one with `ribbit invite-board`";
    TooManyJoinCodes = 705, "there are as many join codes as possible (32); revoke one first";
    /// Not an outcome: the node that was asked does not hear every member.
    MemberNotHeard = 706, "a member of the cluster does not answer; start it, or remove it with `ribbit member remove`";
}

impl Code {
    /// Returns true if a rate limit refused the request. It may succeed a little later.
    pub fn is_rate_limit(self) -> bool {
        matches!(self, Code::TooManyTries | Code::TooManyAccounts | Code::TooMuchWritten)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.number())
    }
}

/// Form field that a refusal concerns, so that a page can show the text beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Field {
    Name,
    Username,
    Email,
    Password,
    Post,
    Message,
    NewPassword,
    /// Pattern of user names.
    Names,
    /// Name of a room.
    Room,
    Topic,
    /// Words of a report.
    Words,
    /// Words of a search.
    Search,
    /// Text of a person about themselves.
    Bio,
    /// Links of a profile.
    Links,
}

impl Field {
    /// Returns the name of the field in forms.
    pub fn name(self) -> &'static str {
        match self {
            Field::Name => "name",
            Field::Username => "username",
            Field::Email => "email",
            Field::Password => "password",
            Field::Post => "post",
            Field::Message => "message",
            Field::NewPassword => "new-password",
            Field::Names => "names",
            Field::Search => "q",
            Field::Room => "room",
            Field::Topic => "topic",
            Field::Words => "words",
            Field::Bio => "bio",
            Field::Links => "links",
        }
    }
}

/// A refusal. It is a replicated value like any other reply, the same on every member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denied {
    pub code: Code,
    /// Form field that it concerns, if any.
    pub field: Option<Field>,
}

impl Denied {
    pub const fn new(code: Code) -> Denied {
        Denied { code, field: None }
    }
    pub const fn of(code: Code, field: Field) -> Denied {
        Denied { code, field: Some(field) }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Some(field) => write!(f, "{}: {}", field.name(), self.code),
            None => write!(f, "{}", self.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn numbers_are_unique() {
        let mut numbers: Vec<u16> = Code::ALL.iter().map(|code| code.number()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), Code::ALL.len());
    }

    #[test]
    fn bounds_in_texts_are_those_of_the_limits() {
        use crate::limits::*;
        let says =
            |code: Code, bound: usize| assert!(code.text().contains(&format!("{bound}")), "{code}: {bound}");
        says(Code::CroakTooLong, CROAK_CHARS_MAX);
        says(Code::MessageTooLong, MESSAGE_CHARS_MAX);
        says(Code::TooManyFriends, FRIENDS_MAX);
        says(Code::TooManyMuted, MUTES_MAX);
        says(Code::TooManyBlocked, BLOCKS_MAX);
        says(Code::TooManyMembers, MEMBERS_MAX);
        says(Code::BadPath, PATH_DEPTH_MAX);
        says(Code::BadPath, PATH_NAME_BYTES_MAX);
        says(Code::TooMuchContent, NODE_BYTES_MAX);
        says(Code::TooManyAnnouncements, ANNOUNCEMENTS_MAX);
        says(Code::TooManyFeedAddresses, FEED_ADDRESSES_MAX);
        says(Code::TooManyJoinCodes, JOIN_CODE_SLOTS);
        says(Code::RoomFull, ROOM_MEMBERS_MAX);
        says(Code::TooManyRooms, ROOMS_MAX);
        says(Code::InTooManyRooms, ROOMS_PER_PERSON_MAX);
    }
}

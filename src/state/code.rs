//! Every refusal in one table: number, name, words for people.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $words:literal;)*) => {
        /// Why something was refused. The numbers are part of the wire format and never change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The number people and scripts know it by.
            pub fn number(self) -> u16 {
                match self { $(Code::$name => $number,)* }
            }

            /// One sentence for people, without a full stop.
            pub fn words(self) -> &'static str {
                match self { $(Code::$name => $words,)* }
            }

            /// The name in documentation and JSON.
            pub fn name(self) -> &'static str {
                match self { $(Code::$name => stringify!($name),)* }
            }
        }
    };
}

// New codes go at the end: the wire carries the position.
codes! {
    CroakTooLong = 512, "a croak has at most 100 characters";
    NoSuchUser = 601, "there is no user of that name";
    WrongPassword = 602, "the password is wrong";
    InvalidEntry = 606, "that entry is not valid";
    UsernameTaken = 607, "that user name is taken";
    AlreadyFriend = 608, "you are friends already";
    NotLoggedIn = 609, "you are not logged in";
    NotAFriend = 610, "you are not friends";
    Yourself = 611, "that is yourself";
    TooManyFriends = 612, "you have as many friends as one can have";
    /// The credentials that were checked outside the rules have changed since.
    CredentialsChanged = 613, "the account changed while you were logging in; try again";
    /// Born before the window of remembered requests: it may or may not have happened.
    OutcomeUnknown = 614, "this request is too old to tell whether it was done; look before you repeat it";
    RequestReused = 615, "this request id was used for something else";
    MemberExists = 616, "a member of that name belongs to the group already";
    TooManyMembers = 617, "the group has as many members as it can have";
    /// Nothing was decided: nobody could take the request in time. Safe to retry under the same id.
    Unavailable = 618, "the servers cannot agree at the moment; try again";
    /// Nothing was decided: a queue is full. Safe to retry under the same id.
    Busy = 619, "too much is going on at the moment; try again";
    WrongCluster = 620, "that belongs to another cluster";
    NoSuchMember = 621, "the group has no such member";
    MemberAlive = 622, "a member of that name is alive";
    TooOld = 623, "this version of ribbit is too old for the group";
    TooNew = 624, "not every member of the group understands that yet";
    /// Nothing was decided: see the disk quota. Never an outcome.
    DisksFull = 625, "the disks are full: nothing new can be written until an operator makes room";
    BadPath = 626, "that is not a path: it begins with a slash, and its names are neither too long nor too many";
    NoSuchNode = 627, "no such file or folder";
    NodeExists = 628, "it exists already";
    IsFolder = 629, "it is a folder";
    NotAFolder = 630, "it is not a folder";
    FolderNotEmpty = 631, "the folder is not empty";
    LockHeld = 632, "it is held by somebody else";
    NotHeld = 633, "it is not held";
    /// The lock was given on meanwhile, or let go.
    StaleFence = 634, "the fencing number is not the lock's of now";
    IsLock = 635, "it is a lock";
    NotALock = 636, "it is not a lock";
    KeptByRibbit = 637, "that part of the tree is kept by ribbit itself";
    TooManyNodes = 638, "there are as many nodes as there can be";
    TooMuchContent = 639, "a node holds at most 3072 bytes";
    TooManyLeases = 640, "there are as many leases as there can be";
    /// It ended, or never was: whoever had it holds nothing any more.
    LeaseOver = 641, "the lease is over";
    /// What was relied on has changed meanwhile.
    Outrun = 642, "something else happened first";
    MessageTooLong = 643, "a message has at most 1000 characters";
    MailboxFull = 644, "too many messages wait there to be read: no more are taken until some of them were";
    NoSuchCroak = 645, "there is no such croak";
    NoSuchMessage = 646, "there is no such message";
    NoSuchSession = 647, "there is no such session";
    NotYours = 648, "that is somebody else's";
    AccountSuspended = 649, "this account is suspended: ask whoever runs the servers";
    RegistrationClosed = 650, "no new accounts are taken here at the moment: ask whoever runs the servers";
    /// Nothing was decided: see the limits of a node, for this and the next two. Never outcomes.
    TooManyTries = 651, "too many passwords were tried for that name: wait ten seconds, then try again";
    TooManyAccounts = 652, "too many accounts were made here just now: wait ten seconds, then try again";
    TooMuchWritten = 653, "that is more than one may write in a minute: wait ten seconds, then go on";
}

impl Code {
    /// Whether it says that somebody was too fast: what was asked is as good a little later.
    pub fn is_haste(self) -> bool {
        matches!(self, Code::TooManyTries | Code::TooManyAccounts | Code::TooMuchWritten)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.words(), self.number())
    }
}

/// The form field a refusal is about, so that a page can show the words beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Field {
    Name,
    Username,
    Email,
    Password,
    Post,
    Message,
    NewPassword,
    /// A pattern of user names.
    Names,
}

impl Field {
    /// The field's name in forms.
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
        }
    }
}

/// A refusal: a value like any other reply, the same on every member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denied {
    pub code: Code,
    /// The form field it is about, if it is about one.
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
}

//! Rows of the audit log.

use crate::code::Code;
use crate::command::MemberName;
use crate::ids::{AccountId, LogIndex};
use serde::{Deserialize, Serialize};

/// An act of an operator, or the refusal of one. It never changes, and goes only with its age in rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Number among all rows that its table has ever had, which bounds the table.
    pub number: u64,
    pub actor: Actor,
    /// IP address of the program that sent the command, as the member saw it; empty for a member's own command.
    pub address: String,
    pub act: Act,
    /// Account that it concerns.
    pub person: Option<AuditPerson>,
    pub thing: AuditThing,
    /// Detail of the act, at most `AUDIT_DETAIL_CHARS_MAX` characters; may be empty.
    pub detail: String,
    /// Why it was refused.
    pub refused: Option<Code>,
    pub wall_ms: u64,
    /// Cluster age.
    pub age_ms: u64,
}

/// Author of an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// A program with the cluster key, by the name that it gave; may be empty.
    Operator { name: String },
    /// An account with a role, by its user name at that time.
    Account { account: AccountId, username: String },
}

/// Account that an act concerns, with its user name at that time. The name stays when the account is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPerson {
    /// `None` if the account was not created.
    pub account: Option<AccountId>,
    pub username: String,
}

/// Subject of an act other than an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuditThing {
    None,
    Croak { croak: LogIndex },
    Report { report: LogIndex },
    RoomMessage { message: LogIndex },
    Announcement { announcement: LogIndex },
    Member { name: MemberName },
}

macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $text:literal;)*) => {
        /// Kind of an act.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Act { $($(#[$doc])* $name,)* }

        impl Act {
            /// Returns the word for it in JSON.
            pub fn name(self) -> &'static str {
                match self { $(Act::$name => $word,)* }
            }

            /// Returns the text for people, in the past tense; the subject follows it.
            pub fn text(self) -> &'static str {
                match self { $(Act::$name => $text,)* }
            }
        }
    };
}

// New acts go at the end: the rows contain the position.
acts! {
    CreateAccount = "create-account", "created";
    MakeResetLink = "make-reset-link", "made a link to set the password of";
    SetPassword = "set-password", "set the password of";
    Suspend = "suspend", "suspended";
    Resume = "resume", "lifted the suspension of";
    DeleteAccount = "delete-account", "deleted";
    DeleteCroak = "delete-croak", "deleted a croak of";
    DecideReport = "decide-report", "decided a report about";
    SetRegistration = "set-registration", "set registration to";
    DescribeSite = "describe-site", "described the site:";
    Announce = "announce", "announced:";
    Withdraw = "withdraw-announcement", "withdrew an announcement:";
    RemoveMember = "remove-member", "removed";
    DrainMember = "drain-member", "took the vote from";
    UndrainMember = "undrain-member", "gave the vote back to";
    Transfer = "transfer-leadership", "made the leader:";
    SetRegions = "set-regions", "set the number of regions to";
    Backup = "backup", "made a backup:";
    SetRole = "set-role", "set the role of";
    DeleteRoomMessage = "delete-room-message", "deleted a message in a room:";
    ApproveRequest = "approve-request", "approved";
    RefuseRequest = "refuse-request", "refused an account:";
    SetInviters = "set-inviters", "set the people who may invite to";
    Invite = "invite", "made an invitation:";
    Uninvite = "uninvite", "revoked an invitation:";
    RotateKey = "rotate-key", "replaced the cluster's key by";
    MakeJoinCode = "make-join-code", "made a join code";
    RevokeJoinCode = "revoke-join-code", "revoked the join code that begins with";
    UseJoinCode = "use-join-code", "got the cluster file by the join code that begins with";
    FailJoinCode = "fail-join-code", "tried wrongly the join code that begins with";
    RevokeResetLink = "revoke-reset-link", "revoked the link to set the password of";
    CloseRoom = "close-room", "closed the room";
    FinishUpgrade = "finish-upgrade", "finished the upgrade to rules level";
    LetUpgradesFinish = "let-upgrades-finish", "let upgrades finish by themselves";
    HoldUpgrades = "hold-upgrades", "decided that upgrades wait for an operator";
}

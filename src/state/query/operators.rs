//! Queries of operators, and the shapes of answers that only they get.

use super::{Person, Query};
use crate::account_role::AccountRole;
use crate::ids::{AccountId, LogIndex};
use crate::rows::{AuditRow, Credential};
use serde::{Deserialize, Serialize};

/// A read of operators. New variants go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperatorQuery {
    /// All accounts with matching user names.
    Accounts { names: String, after: Option<String> },
    /// Reports that are not decided yet, oldest first, starting after `after` if it is given.
    Reports { after: Option<LogIndex> },
    /// Acts of operators: those behind `after`, or else the newest ones before `before`, or of all. `limit` is lowered to
    /// `AUDIT_PAGE_MAX`.
    Audit { after: Option<LogIndex>, before: Option<LogIndex>, limit: u16 },
    /// People who wait for the approval of their account, in the order of their user names, starting after `after` if it is given.
    JoinRequests { after: Option<String> },
    /// Invitations of operators and of accounts, starting after the one of this account and index if it is given.
    Invitations { after: Option<(AccountId, LogIndex)> },
    /// Names of all rooms, or of those that an account is in, in their order, starting after `after` if it is given.
    RoomNames { of: Option<AccountId>, after: Option<String> },
    /// All join codes.
    JoinCodes,
    /// Rooms with matching names, in the order of their names, starting after `after` if it is given.
    Rooms { names: String, after: Option<String> },
    /// Counts of the whole cluster, and its newest backup.
    Figures,
}

impl From<OperatorQuery> for Query {
    fn from(query: OperatorQuery) -> Query {
        Query::Operator(query)
    }
}

/// Counts of the whole cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// `PEOPLE_COUNTED_MAX` means that many or more.
    pub people: u32,
    /// `RING_CROAKS` means that many or more.
    pub croaks: u32,
    pub rooms: u32,
    /// The act of the newest backup, if it is among the newest acts.
    pub backup: Option<AuditRow>,
    /// Cluster age.
    pub age_ms: u64,
}

/// An account as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSummary {
    pub person: Person,
    pub email: String,
    pub created_wall_ms: u64,
    pub suspended: bool,
    pub role: AccountRole,
    /// Kind of credential that opens the account.
    pub credential: Credential<()>,
    /// Number of open sessions.
    pub sessions: u32,
}

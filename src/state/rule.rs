//! The vocabulary of the rules: what every rule receives and answers.
//!
//! ```text
//!   rule(bounds, view, context, command) ──▶ Decision: rows to change and a reply, or a refusal
//! ```

use super::code::Denied;
use super::command::{Command, Reply};
use super::ids::LogIndex;
use super::limits::*;
use super::rows::{Change, InlineRecord};

/// Answer of a rule: the rows to change and a reply, or a refusal that changes nothing.
pub(crate) type Decision = Result<(Vec<Change>, Reply), Denied>;

/// Evaluates to the value of an `Option`, or returns a refusal from the rule.
macro_rules! or_deny {
    ($option:expr, $denied:expr) => {
        match $option {
            Some(value) => value,
            None => return Ok(Err($denied)),
        }
    };
}
pub(crate) use or_deny;

/// Evaluates to the value of a check, or returns its refusal from the rule.
macro_rules! checked {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(denied) => return Ok(Err(denied)),
        }
    };
}
pub(crate) use checked;

/// Position in the log and time at which a command is applied. Every rule receives it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ApplyContext {
    pub index: LogIndex,
    pub wall_ms: u64,
    /// Record of the request, which a croak stores in its row. Contains the cluster age, which never falls.
    pub record: InlineRecord,
}

impl ApplyContext {
    /// Returns the cluster age.
    pub(crate) fn age_ms(&self) -> u64 {
        self.record.age_ms
    }
}

/// Bounds that every member must share, because the result of a command depends on them. Production always uses
/// [`Bounds::PRODUCTION`]. Tests use small ones, so that a short history reaches the edges.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Returns the rules level from which a command is accepted.
    pub(crate) level_of: fn(&Command) -> u32,
    pub(crate) friends_max: usize,
    pub(crate) sessions_max: usize,
    pub(crate) index_step: usize,
    pub(crate) sweep_step: usize,
    pub(crate) dedup_requests_min: usize,
    pub(crate) dedup_requests_max: usize,
    pub(crate) dedup_age_ms: u64,
    pub(crate) expire_step: usize,
    pub(crate) nodes_max: u64,
    pub(crate) owned_nodes_max: usize,
    pub(crate) client_leases_max: u64,
    pub(crate) remove_step: usize,
    pub(crate) waiting_max: u32,
    pub(crate) waiting_per_talk_max: u32,
    pub(crate) notices_max: u32,
    pub(crate) notices_per_pair_max: usize,
    pub(crate) rooms_max: usize,
    pub(crate) room_members_max: usize,
    pub(crate) rooms_per_person_max: usize,
    pub(crate) room_guests_max: usize,
    pub(crate) room_invitations_max: usize,
    pub(crate) room_messages_max: usize,
    pub(crate) room_trim_step: usize,
    pub(crate) mutes_max: usize,
    pub(crate) blocks_max: usize,
    pub(crate) reports_max: usize,
    pub(crate) reports_per_person_max: usize,
    pub(crate) announcements_max: usize,
    pub(crate) feed_addresses_max: usize,
    pub(crate) audit_rows_max: u64,
    pub(crate) refused_acts_max: u64,
    pub(crate) apps_max: usize,
    pub(crate) join_requests_max: usize,
    pub(crate) invitations_max: usize,
    pub(crate) invitations_per_person_max: usize,
    pub(crate) app_codes_max: usize,
}

impl Bounds {
    pub(crate) const PRODUCTION: Bounds = Bounds {
        level_of: |command| command.facts().level,
        friends_max: FRIENDS_MAX,
        sessions_max: SESSIONS_PER_ACCOUNT_MAX,
        index_step: INDEX_STEP,
        sweep_step: SWEEP_STEP,
        dedup_requests_min: DEDUP_REQUESTS_MIN,
        dedup_requests_max: DEDUP_REQUESTS_MAX,
        dedup_age_ms: DEDUP_AGE_MS,
        expire_step: EXPIRE_STEP,
        nodes_max: NODES_MAX,
        owned_nodes_max: OWNED_NODES_MAX,
        client_leases_max: CLIENT_LEASES_MAX,
        remove_step: REMOVE_STEP,
        waiting_max: WAITING_MAX,
        waiting_per_talk_max: WAITING_PER_TALK_MAX,
        notices_max: NOTICES_MAX,
        notices_per_pair_max: NOTICES_PER_PAIR_MAX,
        rooms_max: ROOMS_MAX,
        room_members_max: ROOM_MEMBERS_MAX,
        rooms_per_person_max: ROOMS_PER_PERSON_MAX,
        room_guests_max: ROOM_GUESTS_MAX,
        room_invitations_max: ROOM_INVITATIONS_MAX,
        room_messages_max: ROOM_MESSAGES_MAX,
        room_trim_step: ROOM_TRIM_STEP,
        mutes_max: MUTES_MAX,
        blocks_max: BLOCKS_MAX,
        reports_max: REPORTS_MAX,
        reports_per_person_max: REPORTS_PER_PERSON_MAX,
        announcements_max: ANNOUNCEMENTS_MAX,
        feed_addresses_max: FEED_ADDRESSES_MAX,
        audit_rows_max: AUDIT_ROWS_MAX,
        refused_acts_max: REFUSED_ACTS_MAX,
        apps_max: APPS_MAX,
        join_requests_max: JOIN_REQUESTS_MAX,
        invitations_max: INVITATIONS_MAX,
        invitations_per_person_max: INVITATIONS_PER_PERSON_MAX,
        app_codes_max: APP_CODES_PER_ACCOUNT_MAX,
    };
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds::PRODUCTION
    }
}

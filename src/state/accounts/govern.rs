//! The rules of changes and reads that need a role: what an account may do in the name of the operators.
//!
//! ```text
//!   cluster key ──▶ Operator(change) ───────────────────────────────────────────▶ operate
//!   session     ──▶ Govern { session, change } ──▶ role, confirmation, target ──▶ operate
//!   session     ──▶ Query::Govern { session, query } ──▶ role ──▶ the answer of Query::Operator(query)
//! ```
//!
//! The role is read when the command is applied, so an account that has lost it changes nothing more. The session must be the
//! account's own, not an app's, and its password must have been checked in the last ten minutes of cluster age. Moderators act
//! on people without a role only, admins on every account. The cluster key needs no role: it can always give one.

use super::operate;
use crate::account_role::AccountRole;
use crate::code::{Code, Denied};
use crate::command::{OperatorCommand, Verdict};
use crate::ids::{AccountId, TokenHash};
use crate::limits::CONFIRMATION_AGE_MS_MAX;
use crate::lookup::live_account;
use crate::query::OperatorQuery;
use crate::rows::{Bookkeeping, Reports, Session, Sessions, View, get};
use crate::rule::{ApplyContext, Bounds, Decision, or_deny};

impl OperatorCommand {
    /// Returns the least role with which an account may make this change, or `None` if it needs the cluster key.
    pub fn least_role(&self) -> Option<AccountRole> {
        match self {
            OperatorCommand::DecideReport { .. }
            | OperatorCommand::RemoveCroak { .. }
            | OperatorCommand::RemoveRoomMessage { .. }
            | OperatorCommand::Suspend { .. } => Some(AccountRole::Moderator),
            OperatorCommand::RemoveAccount { .. }
            | OperatorCommand::SetRegistration { .. }
            | OperatorCommand::DescribeSite { .. }
            | OperatorCommand::Announce { .. }
            | OperatorCommand::WithdrawAnnouncement { .. }
            | OperatorCommand::MakeResetLink { .. }
            | OperatorCommand::RevokeResetLink { .. }
            | OperatorCommand::CreateWithLink { .. }
            | OperatorCommand::DecideRequest { .. }
            | OperatorCommand::SetInviters { .. }
            | OperatorCommand::Invite { .. }
            | OperatorCommand::Uninvite { .. }
            | OperatorCommand::ChangeMember { .. }
            | OperatorCommand::CloseRoom { .. }
            | OperatorCommand::RaiseRules { .. }
            | OperatorCommand::SetAutoFinish { .. }
            | OperatorCommand::SetRole { .. } => Some(AccountRole::Admin),
            // It contains the result of a backend's work, and would tell the admin the password. A reset link does not.
            OperatorCommand::SetPassword { .. } => None,
            // The recorded act needs the cluster key.
            OperatorCommand::Record { .. } => None,
            // The code is derived from the cluster key, and gives it.
            OperatorCommand::MakeJoinCode { .. } | OperatorCommand::RevokeJoinCode { .. } => None,
        }
    }
}

impl OperatorQuery {
    /// Returns the least role with which an account may read this.
    pub fn least_role(&self) -> AccountRole {
        match self {
            OperatorQuery::Accounts { .. } | OperatorQuery::Reports { .. } => AccountRole::Moderator,
            OperatorQuery::Audit { .. } | OperatorQuery::RoomNames { .. } => AccountRole::Admin,
            OperatorQuery::JoinRequests { .. }
            | OperatorQuery::Invitations { .. }
            | OperatorQuery::Rooms { .. }
            | OperatorQuery::Figures
            | OperatorQuery::JoinCodes => AccountRole::Admin,
        }
    }
}

/// Returns the session and the role that its account has now, or `None` if it is not open. The session of an app has no role.
pub(crate) fn role_of<V: View>(
    view: &V,
    session: TokenHash,
    age_ms: u64,
) -> Result<Option<(Session, AccountRole)>, V::Error> {
    let Some(row) = get::<Sessions, V>(view, &session)?.filter(|row| row.is_open_at(age_ms)) else {
        return Ok(None);
    };
    let Some(account) = live_account(view, row.account)? else { return Ok(None) };
    let role = if row.app.is_some() { AccountRole::Person } else { account.role };
    Ok(Some((row, role)))
}

/// Makes a change of operators in the name of the session's account.
pub(crate) fn govern<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    books: &mut Bookkeeping,
    session: TokenHash,
    change: &OperatorCommand,
) -> Result<Decision, V::Error> {
    let age_ms = context.age_ms();
    let (row, role) = or_deny!(role_of(view, session, age_ms)?, Denied::new(Code::NotLoggedIn));
    let allowed = change.least_role().is_some_and(|least| role >= least);
    if !allowed || (role < AccountRole::Admin && !is_below(view, role, change)?) {
        return Ok(Err(Denied::new(Code::NotAllowed)));
    }
    let confirmed = |at: u64| at.saturating_add(CONFIRMATION_AGE_MS_MAX) > age_ms;
    if row.confirmed_age_ms.is_none_or(|at| !confirmed(at)) {
        return Ok(Err(Denied::new(Code::ConfirmPassword)));
    }
    operate(bounds, view, context, books, change)
}

/// Returns true if the account that a change is about, if any, has a lesser role than `role`.
fn is_below<V: View>(view: &V, role: AccountRole, change: &OperatorCommand) -> Result<bool, V::Error> {
    let Some(account) = concerned(view, change)? else { return Ok(true) };
    Ok(live_account(view, account)?.is_none_or(|account| account.role < role))
}

/// Returns the account that a change takes something from.
fn concerned<V: View>(view: &V, change: &OperatorCommand) -> Result<Option<AccountId>, V::Error> {
    Ok(match change {
        OperatorCommand::SetPassword { account, .. }
        | OperatorCommand::Suspend { account, .. }
        | OperatorCommand::RemoveAccount { account }
        | OperatorCommand::MakeResetLink { account, .. }
        | OperatorCommand::RevokeResetLink { account }
        | OperatorCommand::SetRole { account, .. } => Some(*account),
        OperatorCommand::DecideReport { report, verdict: Verdict::Suspend } => {
            get::<Reports, V>(view, report)?.map(|report| report.about)
        }
        OperatorCommand::DecideReport {
            verdict: Verdict::Nothing | Verdict::Remove | Verdict::Warn, ..
        }
        | OperatorCommand::RemoveCroak { .. }
        | OperatorCommand::RemoveRoomMessage { .. }
        | OperatorCommand::SetRegistration { .. }
        | OperatorCommand::DescribeSite { .. }
        | OperatorCommand::Announce { .. }
        | OperatorCommand::WithdrawAnnouncement { .. }
        | OperatorCommand::Record { .. }
        | OperatorCommand::DecideRequest { .. }
        | OperatorCommand::SetInviters { .. }
        | OperatorCommand::Invite { .. }
        | OperatorCommand::Uninvite { .. }
        | OperatorCommand::MakeJoinCode { .. }
        | OperatorCommand::RevokeJoinCode { .. }
        | OperatorCommand::ChangeMember { .. }
        | OperatorCommand::CloseRoom { .. }
        | OperatorCommand::RaiseRules { .. }
        | OperatorCommand::SetAutoFinish { .. }
        | OperatorCommand::CreateWithLink { .. } => None,
    })
}

/// Refuses a read of operators unless the session's account has the role for it. Returns the role.
pub(crate) fn may_read<V: View>(
    view: &V,
    session: TokenHash,
    query: &OperatorQuery,
) -> Result<Result<AccountRole, Denied>, V::Error> {
    let (_, role) = or_deny!(role_of(view, session, view.age_ms())?, Denied::new(Code::NotLoggedIn));
    Ok(if role >= query.least_role() { Ok(role) } else { Err(Denied::new(Code::NotAllowed)) })
}

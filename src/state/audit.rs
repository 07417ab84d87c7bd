//! The audit log: what operators have done, written together with what they did.
//!
//! ```text
//!   Request { origin, command } ──▶ the rule of the command ──▶ done and changed something ──▶ a row of AuditLog
//!                                                           └──▶ refused for permission    ──▶ a row of RefusedActs
//! ```
//!
//! - `apply` calls [`record`] after the rule of every command, so no rule writes a row itself. [`act`] says which commands
//!   are acts, and names the fields that a row gets one by one: no row contains a secret.
//! - Both tables are bounded; the oldest rows go. Refusals have a table of their own, because people without permission cause
//!   them: they must not push out what was done.
//! - A command without an origin is a member's own and has no row.

use super::account_role::AccountRole;
use super::cluster::join_codes;
use super::code::Code;
use super::command::{
    Command, LeaseCommand, MemberChange, MemberName, OperatorCommand, Origin, UnreplicatedAct,
};
use super::croaks;
use super::ids::{AccountId, LogIndex};
use super::limits::{AUDIT_DETAIL_CHARS_MAX, AUDIT_PAGE_MAX, NEWEST_ACTS_MAX};
use super::lookup::{live_account, session_account};
use super::query::Page;
use super::rows::{
    Act, Actor, AuditLog, AuditPerson, AuditRow, AuditThing, Change, Order, RefusedActs, Reports, Rows,
    Table, View, get, scan,
};
use super::rule::{ApplyContext, Bounds};
use super::text::fold_username;
use std::borrow::Cow;

/// Subject of an act as its command names it.
enum Named<'a> {
    Nothing,
    Account(AccountId),
    /// The account that the command creates.
    NewAccount(&'a str),
    Croak(LogIndex),
    Report(LogIndex),
    RoomMessage(LogIndex),
    Announcement(LogIndex),
    Member(MemberName),
}

/// Kind, subject and detail of an act.
type Described<'a> = (Act, Named<'a>, Cow<'a, str>);

impl Command {
    /// Returns true if the command is an act of those who run the cluster, which the audit log records.
    pub fn is_audited(&self) -> bool {
        act(self).is_some()
    }
}

/// Returns what a command is to the audit log, or `None` if it is no act of those who run the cluster.
fn act(command: &Command) -> Option<Described<'_>> {
    let plain = |act, named| Some((act, named, Cow::Borrowed("")));
    match command {
        Command::Operator(change) | Command::Govern { change, session: _ } => operator_act(change),
        Command::MarkLost { name } => plain(Act::RemoveMember, Named::Member(*name)),
        Command::Lease(LeaseCommand::SetRegions { regions }) => {
            Some((Act::SetRegions, Named::Nothing, regions.to_string().into()))
        }
        Command::TryJoinCode { slot, proven, nonce: _ } => {
            let act = if *proven { Act::UseJoinCode } else { Act::FailJoinCode };
            Some((act, Named::Nothing, join_codes::letter(*slot).to_string().into()))
        }
        Command::Lease(
            LeaseCommand::Open { .. }
            | LeaseCommand::Close { .. }
            | LeaseCommand::Register { .. }
            | LeaseCommand::End { .. }
            | LeaseCommand::Appoint { .. }
            | LeaseCommand::StepDown { .. }
            | LeaseCommand::EnterChat { .. }
            | LeaseCommand::NumberClient,
        )
        | Command::CreateAccount { .. }
        | Command::LogIn { .. }
        | Command::LogOut { .. }
        | Command::Croak { .. }
        | Command::AddFriend { .. }
        | Command::RemoveFriend { .. }
        | Command::DeleteAccount { .. }
        | Command::Sweep { .. }
        | Command::IndexCroaks
        | Command::FoundCluster { .. }
        | Command::Join { .. }
        | Command::DescribeMember { .. }
        | Command::RemoveMember { .. }
        | Command::RaiseKey { .. }
        | Command::Tree(_)
        | Command::Message(_)
        | Command::Account(_)
        | Command::Rehash { .. }
        | Command::Notice(_)
        | Command::Room(_)
        | Command::Relation(_)
        | Command::Access(_)
        | Command::Conversation(_)
        | Command::App(_) => None,
    }
}

fn operator_act(command: &OperatorCommand) -> Option<Described<'_>> {
    let plain = |act, named| (act, named, Cow::Borrowed(""));
    Some(match command {
        OperatorCommand::SetPassword { account, password_hash: _ } => {
            plain(Act::SetPassword, Named::Account(*account))
        }
        OperatorCommand::Suspend { account, suspended } => {
            plain(if *suspended { Act::Suspend } else { Act::Resume }, Named::Account(*account))
        }
        OperatorCommand::RemoveAccount { account } => plain(Act::DeleteAccount, Named::Account(*account)),
        OperatorCommand::RemoveCroak { croak } => plain(Act::DeleteCroak, Named::Croak(*croak)),
        OperatorCommand::DecideReport { report, verdict } => {
            (Act::DecideReport, Named::Report(*report), verdict.name().into())
        }
        OperatorCommand::SetRegistration { registration } => {
            (Act::SetRegistration, Named::Nothing, registration.name().into())
        }
        OperatorCommand::DecideRequest { username, approved: true } => {
            plain(Act::ApproveRequest, Named::NewAccount(username))
        }
        OperatorCommand::DecideRequest { username, approved: false } => {
            (Act::RefuseRequest, Named::Nothing, username.trim().into())
        }
        OperatorCommand::SetInviters { inviters } => {
            (Act::SetInviters, Named::Nothing, inviters.name().into())
        }
        OperatorCommand::Invite { code: _, terms } => {
            let accounts = if terms.uses == 1 { "account" } else { "accounts" };
            (Act::Invite, Named::Nothing, format!("{} {accounts}", terms.uses).into())
        }
        OperatorCommand::Uninvite { invitation } => {
            (Act::Uninvite, Named::Nothing, invitation.to_string().into())
        }
        OperatorCommand::MakeJoinCode { .. } => plain(Act::MakeJoinCode, Named::Nothing),
        OperatorCommand::RevokeJoinCode { slot } => {
            (Act::RevokeJoinCode, Named::Nothing, join_codes::letter(*slot).to_string().into())
        }
        OperatorCommand::DescribeSite { name, welcome } => {
            let texts = [name, welcome].map(|text| text.as_deref().unwrap_or_default().trim());
            (Act::DescribeSite, Named::Nothing, texts.join(" – ").into())
        }
        OperatorCommand::Announce { text, for_ms: _ } => (Act::Announce, Named::Nothing, text.trim().into()),
        OperatorCommand::WithdrawAnnouncement { announcement } => {
            plain(Act::Withdraw, Named::Announcement(*announcement))
        }
        OperatorCommand::MakeResetLink { account, code: _ } => {
            plain(Act::MakeResetLink, Named::Account(*account))
        }
        OperatorCommand::RevokeResetLink { account } => plain(Act::RevokeResetLink, Named::Account(*account)),
        OperatorCommand::CreateWithLink { person, code: _ } => {
            let role = if person.role == AccountRole::Person { "" } else { person.role.name() };
            (Act::CreateAccount, Named::NewAccount(&person.username), role.into())
        }
        OperatorCommand::SetRole { account, role } => {
            (Act::SetRole, Named::Account(*account), role.name().into())
        }
        OperatorCommand::RemoveRoomMessage { room, message } => {
            (Act::DeleteRoomMessage, Named::RoomMessage(*message), room.trim().into())
        }
        OperatorCommand::CloseRoom { room } => (Act::CloseRoom, Named::Nothing, room.trim().into()),
        OperatorCommand::Record { act: UnreplicatedAct::Backup { through, rows } } => {
            (Act::Backup, Named::Nothing, format!("{rows} rows at index {through}").into())
        }
        OperatorCommand::ChangeMember { name, change } => {
            let act = match change {
                MemberChange::Drain => Act::DrainMember,
                MemberChange::Undrain => Act::UndrainMember,
                MemberChange::Lead => Act::Transfer,
                MemberChange::Remove { alive: _ } => Act::RemoveMember,
            };
            plain(act, Named::Member(*name))
        }
        OperatorCommand::RaiseRules { level } => {
            (Act::FinishUpgrade, Named::Nothing, level.to_string().into())
        }
        OperatorCommand::SetAutoFinish { auto } => {
            plain(if *auto { Act::LetUpgradesFinish } else { Act::HoldUpgrades }, Named::Nothing)
        }
        OperatorCommand::Record { act: UnreplicatedAct::RotateKey { generation } } => {
            (Act::RotateKey, Named::Nothing, format!("key {generation}").into())
        }
    })
}

/// Returns true if what the command does is outside the replicated state.
fn has_no_rows(command: &Command) -> bool {
    let (Command::Operator(change) | Command::Govern { change, .. }) = command else { return false };
    matches!(
        change,
        OperatorCommand::Record { .. } | OperatorCommand::ChangeMember { change: MemberChange::Lead, .. }
    )
}

/// Adds the row of a command that has been decided, if it is an act: `changes` are those of its rule, `refused` the code of its
/// refusal. `view` is the state before them, so a deleted account still has its name.
///
/// # Errors
/// The view's error.
pub(crate) fn record<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    (origin, command): (&Origin, &Command),
    refused: Option<Code>,
    changes: &mut Vec<Change>,
) -> Result<(), V::Error> {
    let Some((act, named, detail)) = act(command) else { return Ok(()) };
    let recorded = match refused {
        Some(code) => code == Code::NotAllowed,
        None => !changes.is_empty() || has_no_rows(command),
    };
    if !recorded {
        return Ok(());
    }
    let (person, thing) = subject(view, context, &named, refused.is_some())?;
    let row = AuditRow {
        number: 0,
        actor: actor(view, context, origin, command)?,
        address: origin.address.clone(),
        act,
        person,
        thing,
        detail: detail.chars().take(AUDIT_DETAIL_CHARS_MAX).collect(),
        refused,
        wall_ms: context.wall_ms,
        age_ms: context.age_ms(),
    };
    match refused {
        None => append::<AuditLog, V>(view, context.index, bounds.audit_rows_max, row, changes),
        Some(_) => append::<RefusedActs, V>(view, context.index, bounds.refused_acts_max, row, changes),
    }
}

/// Returns the author of an act: the account whose session the command names, else the operator's program.
fn actor<V: View>(
    view: &V,
    context: ApplyContext,
    origin: &Origin,
    command: &Command,
) -> Result<Actor, V::Error> {
    let account = match command {
        Command::Govern { session, change: _ } => session_account(view, *session, context.age_ms())?,
        _ => None,
    };
    Ok(match account {
        Some((account, row)) => Actor::Account { account, username: row.username },
        None => Actor::Operator { name: origin.operator.clone() },
    })
}

/// Returns the account and the thing that a command concerns.
fn subject<V: View>(
    view: &V,
    context: ApplyContext,
    named: &Named<'_>,
    refused: bool,
) -> Result<(Option<AuditPerson>, AuditThing), V::Error> {
    let (account, thing) = match *named {
        Named::NewAccount(username) => {
            let username = fold_username(username).unwrap_or_default();
            let account = (!refused).then_some(AccountId(context.index));
            return Ok((Some(AuditPerson { account, username }), AuditThing::None));
        }
        Named::Nothing => (None, AuditThing::None),
        Named::Account(account) => (Some(account), AuditThing::None),
        Named::Croak(croak) => {
            (croaks::find(view, croak)?.map(|meta| meta.author), AuditThing::Croak { croak })
        }
        Named::Report(report) => {
            (get::<Reports, V>(view, &report)?.map(|row| row.about), AuditThing::Report { report })
        }
        Named::RoomMessage(message) => (None, AuditThing::RoomMessage { message }),
        Named::Announcement(announcement) => (None, AuditThing::Announcement { announcement }),
        Named::Member(name) => (None, AuditThing::Member { name }),
    };
    let Some(account) = account else { return Ok((None, thing)) };
    let username = live_account(view, account)?.map(|row| row.username).unwrap_or_default();
    Ok((Some(AuditPerson { account: Some(account), username }), thing))
}

/// Adds a row with the next number, and removes the oldest ones beyond `rows_max`.
fn append<T, V>(
    view: &V,
    index: LogIndex,
    rows_max: u64,
    row: AuditRow,
    changes: &mut Vec<Change>,
) -> Result<(), V::Error>
where
    T: Table<Key = LogIndex, Row = AuditRow>,
    V: View,
{
    let ends = |order, rows| scan::<T, V>(view, &0, &LogIndex::MAX, order, rows);
    let number = ends(Order::NewestFirst, 1)?.first().map_or(1, |(_, newest)| newest.number + 1);
    // One row comes, so at most one has to go.
    let oldest = ends(Order::OldestFirst, 1)?;
    let gone = oldest.iter().filter(|(_, oldest)| number - oldest.number >= rows_max);
    changes.extend(gone.map(|(index, _)| Change::remove::<T>(index)));
    changes.push(Change::put::<T>(&index, &AuditRow { number, ..row }));
    Ok(())
}

/// Returns the newest backup among the newest `NEWEST_ACTS_MAX` acts.
///
/// # Errors
/// The view's error.
pub(crate) fn newest_backup<V: View>(view: &V) -> Result<Option<AuditRow>, V::Error> {
    let rows = scan::<AuditLog, V>(view, &0, &LogIndex::MAX, Order::NewestFirst, NEWEST_ACTS_MAX)?;
    Ok(rows.into_iter().map(|(_, row)| row).find(|row| row.act == Act::Backup))
}

/// Returns the rows behind `after`, or else the newest ones before `before`; oldest first, at most `limit`. Refusals stand among
/// them.
///
/// # Errors
/// The view's error.
pub(crate) fn list<V: View>(
    view: &V,
    after: Option<LogIndex>,
    before: Option<LogIndex>,
    limit: u16,
) -> Result<Page, V::Error> {
    let limit = usize::from(limit).clamp(1, AUDIT_PAGE_MAX);
    let order = if after.is_some() { Order::OldestFirst } else { Order::NewestFirst };
    // The cursors come from the client and may be any number.
    let from = after.map_or(0, |after| after.saturating_add(1));
    let to = before.unwrap_or(LogIndex::MAX);
    // One row beyond the page tells if there is another page.
    let mut rows: Rows<AuditLog> = scan::<AuditLog, V>(view, &from, &to, order, limit + 1)?;
    rows.extend(scan::<RefusedActs, V>(view, &from, &to, order, limit + 1)?);
    rows.sort_unstable_by_key(|(index, _)| *index);
    let spare = rows.len().saturating_sub(limit);
    match order {
        Order::OldestFirst => rows.truncate(limit),
        Order::NewestFirst => drop(rows.drain(..spare)),
    }
    Ok(Page::Audit { rows, more: spare > 0 })
}

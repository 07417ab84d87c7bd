//! The rules of invitations: links with which people create accounts.
//!
//! ```text
//!   Invite ──▶ Invitations, InvitationsOf ── CreateAccount with its code ──▶ an account; used + 1
//!                                         └─ Uninvite, its time, its last use, its maker ──▶ it works no more
//! ```
//!
//! - Operators make them with the cluster key. An account makes them if it may invite, and may only invite into a room as its
//!   members may. Both are asked again when the invitation is used, so taking the permission away ends its invitations, too.
//! - An invitation needs no approval. While registration is closed only those of operators work.
//! - One that is over stays listed until its place is needed, so that its maker sees how often it was used.

use crate::code::{Code, Denied};
use crate::command::{InvitationTerms, Reply};
use crate::ids::{AccountId, LogIndex, RoomId, TokenHash};
use crate::limits::{INVITATION_MS_MAX, INVITATION_USES_MAX, INVITATIONS_PAGE_MAX};
use crate::lookup::{is_suspended, live_account, person, settings};
use crate::query::{InvitationItem, Page};
use crate::rooms::{invitable_room, join_invited};
use crate::rows::{
    Change, Invitation, Invitations, InvitationsOf, OPERATORS, Order, Registration, Rooms, View, get, scan,
};
use crate::rule::{ApplyContext, Bounds, Decision, checked, or_deny};
use crate::visibility::rooms::room_id;

const NOT_VALID: Denied = Denied::new(Code::InvitationNotValid);

/// Key of a row of `InvitationsOf`, and its row.
type Listed = ((AccountId, LogIndex), TokenHash);

impl InvitationTerms {
    /// Returns true if the numbers are within their bounds.
    pub(crate) fn are_bounded(&self) -> bool {
        (1..=INVITATION_USES_MAX).contains(&self.uses) && (1..=INVITATION_MS_MAX).contains(&self.for_ms)
    }
}

/// Makes an invitation of an account, or of [`OPERATORS`].
pub(super) fn make<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    by: AccountId,
    code: TokenHash,
    terms: &InvitationTerms,
) -> Result<Decision, V::Error> {
    if by != OPERATORS && !may_invite(view, by)? {
        return Ok(Err(Denied::new(Code::NotAllowed)));
    }
    // Codes are random, so another invitation has this one only if a program made it twice.
    if !terms.are_bounded() || get::<Invitations, V>(view, &code)?.is_some() {
        return Ok(Err(Denied::new(Code::InvalidEntry)));
    }
    let room = match &terms.room {
        Some(name) => Some(checked!(room_of(view, by, name)?)),
        None => None,
    };
    let mut changes = Vec::new();
    let of_maker = if by == OPERATORS { bounds.invitations_max } else { bounds.invitations_per_person_max };
    for (maker, max) in [(Some(by), of_maker), (None, bounds.invitations_max)] {
        let listed = listed(view, maker, max)?;
        if changes.is_empty() && listed.len() == max {
            changes.extend(or_deny!(
                place_of_one(view, context.age_ms(), listed)?,
                Denied::new(Code::TooManyInvitationLinks)
            ));
        }
    }
    let row = Invitation {
        by,
        made: context.index,
        made_wall_ms: context.wall_ms,
        until_age_ms: context.age_ms().saturating_add(terms.for_ms),
        uses_max: terms.uses,
        used: 0,
        room,
    };
    changes.push(Change::put::<Invitations>(&code, &row));
    changes.push(Change::put::<InvitationsOf>(&(by, context.index), &code));
    Ok(Ok((changes, Reply::Invited { invitation: context.index })))
}

/// Returns the room of an invitation. Operators may invite into every room.
fn room_of<V: View>(view: &V, by: AccountId, name: &str) -> Result<Result<RoomId, Denied>, V::Error> {
    if by == OPERATORS { room_id(view, name) } else { invitable_room(view, by, name) }
}

/// Returns true if the account may invite people now.
pub(crate) fn may_invite<V: View>(view: &V, account: AccountId) -> Result<bool, V::Error> {
    let Some(row) = live_account(view, account)? else { return Ok(false) };
    Ok(row.role >= settings(view)?.inviters.least_role() && !is_suspended(view, account)?)
}

/// Returns up to `max` invitations of an account, or of all.
fn listed<V: View>(view: &V, maker: Option<AccountId>, max: usize) -> Result<Vec<Listed>, V::Error> {
    let (first, last) = (maker.unwrap_or(OPERATORS), maker.unwrap_or(AccountId(u64::MAX)));
    let (from, to) = ((first, 0), (last, LogIndex::MAX));
    scan::<InvitationsOf, V>(view, &from, &to, Order::OldestFirst, max)
}

/// Returns the changes that remove the first invitation that is over, if there is one.
fn place_of_one<V: View>(
    view: &V,
    age_ms: u64,
    listed: Vec<Listed>,
) -> Result<Option<[Change; 2]>, V::Error> {
    for (key, code) in listed {
        if get::<Invitations, V>(view, &code)?.is_none_or(|row| row.is_over_at(age_ms)) {
            return Ok(Some(ended(key, code)));
        }
    }
    Ok(None)
}

fn ended(key: (AccountId, LogIndex), code: TokenHash) -> [Change; 2] {
    super::sessions::removed::<Invitations, InvitationsOf>(key, code)
}

/// Ends the invitation that was made at this index, of one account or of any.
pub(super) fn end<V: View>(
    bounds: &Bounds,
    view: &V,
    maker: Option<AccountId>,
    made: LogIndex,
) -> Result<Decision, V::Error> {
    let listed = listed(view, maker, bounds.invitations_max)?;
    let found = listed.into_iter().find(|((_, its), _)| *its == made);
    let (key, code) = or_deny!(found, Denied::new(Code::NoSuchInvitation));
    Ok(Ok((ended(key, code).to_vec(), Reply::Done)))
}

/// Returns the invitation with this code if it creates an account at this cluster age.
fn working<V: View>(view: &V, code: TokenHash, age_ms: u64) -> Result<Option<Invitation>, V::Error> {
    let Some(row) = get::<Invitations, V>(view, &code)?.filter(|row| !row.is_over_at(age_ms)) else {
        return Ok(None);
    };
    let works = match row.by {
        OPERATORS => true,
        by => settings(view)?.registration != Registration::Closed && may_invite(view, by)?,
    };
    Ok(works.then_some(row))
}

/// Returns the changes by which the account of this command uses an invitation: it counts, and the account joins the room.
pub(super) fn used<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    code: TokenHash,
) -> Result<Result<Vec<Change>, Denied>, V::Error> {
    let row = or_deny!(working(view, code, context.age_ms())?, NOT_VALID);
    let mut changes = vec![Change::put::<Invitations>(&code, &Invitation { used: row.used + 1, ..row })];
    if let Some(room) = row.room {
        let by = (row.by != OPERATORS).then_some(row.by);
        changes.extend(join_invited(bounds, view, context, by, room)?);
    }
    Ok(Ok(changes))
}

/// Answers with the invitation of a code, for the sign-up page.
pub(crate) fn shown<V: View>(view: &V, code: TokenHash) -> Result<Result<Page, Denied>, V::Error> {
    let row = or_deny!(working(view, code, view.age_ms())?, NOT_VALID);
    Ok(Ok(Page::Invitation(item(view, row)?)))
}

fn item<V: View>(view: &V, row: Invitation) -> Result<InvitationItem, V::Error> {
    let Invitation { made: id, made_wall_ms: wall_ms, until_age_ms, uses_max, used, .. } = row;
    let room = match row.room {
        Some(room) => get::<Rooms, V>(view, &room)?.filter(|room| !room.closed).map(|room| room.name),
        None => None,
    };
    let left_ms = until_age_ms.saturating_sub(view.age_ms());
    Ok(InvitationItem { id, by: person(view, row.by)?, wall_ms, left_ms, uses_max, used, room })
}

fn items<V: View>(view: &V, listed: Vec<Listed>) -> Result<Vec<InvitationItem>, V::Error> {
    let mut items = Vec::with_capacity(listed.len());
    for (_, code) in listed {
        if let Some(row) = get::<Invitations, V>(view, &code)? {
            items.push(item(view, row)?);
        }
    }
    Ok(items)
}

/// Answers with the invitations of an account, the oldest first, and whether it may make more.
pub(crate) fn own<V: View>(view: &V, me: AccountId) -> Result<Page, V::Error> {
    let invitations = items(view, listed(view, Some(me), INVITATIONS_PAGE_MAX)?)?;
    Ok(Page::Invitations { may_invite: may_invite(view, me)?, invitations, more: None })
}

/// Answers with a page of all invitations: first those of operators, then those of accounts.
pub(crate) fn list<V: View>(view: &V, after: Option<(AccountId, LogIndex)>) -> Result<Page, V::Error> {
    // `after` comes from the client and may be any numbers.
    let from = after.map_or((OPERATORS, 0), |(by, made)| (by, made.saturating_add(1)));
    let to = (AccountId(u64::MAX), LogIndex::MAX);
    let rows = scan::<InvitationsOf, V>(view, &from, &to, Order::OldestFirst, INVITATIONS_PAGE_MAX)?;
    let more = rows.last().filter(|_| rows.len() == INVITATIONS_PAGE_MAX).map(|(key, _)| *key);
    Ok(Page::Invitations { may_invite: true, invitations: items(view, rows)?, more })
}

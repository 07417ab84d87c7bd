//! The rules of reports: what people report to those who run the servers, and what is decided about it.
//!
//! A report keeps the text as it was, so a croak that its author deletes meanwhile can still be judged. Deciding removes the
//! report and tells the person who made it. A report goes with either of its two accounts.

use super::sessions::suspended;
use crate::code::{Code, Denied};
use crate::command::{Reply, ReportSubject, Verdict};
use crate::conversation::remove_croak;
use crate::ids::{AccountId, LogIndex, TokenHash};
use crate::limits::REPORTS_PAGE_MAX;
use crate::lookup::{is_live, named, person, session_owner};
use crate::notices;
use crate::query::{Page, ReportItem};
use crate::rooms::messages as room_messages;
use crate::rows::{
    Bookkeeping, Change, Message, Messages, NoticeKind, OPERATORS, Order, Report, ReportedThing, Reports,
    View, get, scan,
};
use crate::rule::{ApplyContext, Bounds, Decision, checked, or_deny};
use crate::text;
use crate::visibility::Reader;

/// Stores a report. The same person's report of the same thing changes nothing.
pub(crate) fn report<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    session: TokenHash,
    subject: &ReportSubject,
    words: &str,
) -> Result<Decision, V::Error> {
    let me = or_deny!(session_owner(view, session, context.age_ms())?, Denied::new(Code::NotLoggedIn));
    let words = checked!(text::check_report(words));
    let (about, thing, text) = checked!(reported(view, me, subject)?);
    if about == me {
        return Ok(Err(Denied::new(Code::Yourself)));
    }
    let open = scan::<Reports, V>(view, &0, &u64::MAX, Order::OldestFirst, bounds.reports_max)?;
    if open.iter().any(|(_, open)| (open.from, open.about, open.thing) == (me, about, thing)) {
        return Ok(Ok((Vec::new(), Reply::Done)));
    }
    let mine = open.iter().filter(|(_, open)| open.from == me).count();
    if open.len() == bounds.reports_max || mine >= bounds.reports_per_person_max {
        return Ok(Err(Denied::new(Code::TooManyReports)));
    }
    let report = Report { from: me, about, thing, words, text, wall_ms: context.wall_ms };
    Ok(Ok((vec![Change::put::<Reports>(&context.index, &report)], Reply::Done)))
}

/// The account that a report is about, the thing, and its text.
type Reported = (AccountId, ReportedThing, String);

/// Finds what a report is about. One may report what one sees, and a person whom one does not see for a block.
fn reported<V: View>(
    view: &V,
    me: AccountId,
    subject: &ReportSubject,
) -> Result<Result<Reported, Denied>, V::Error> {
    Ok(match subject {
        ReportSubject::Person { username } => {
            named(view, username)?.map(|(about, row)| (about, ReportedThing::Person, row.name))
        }
        ReportSubject::Croak { croak } => match Reader::new(view, me).read(*croak)? {
            Some((row, author)) => Ok((author.account, ReportedThing::Croak { croak: *croak }, row.text)),
            None => Err(Denied::new(Code::NoSuchCroak)),
        },
        ReportSubject::Message { message } => match get::<Messages, V>(view, message)? {
            Some(Message { from, to, text, .. }) if to == me => {
                Ok((from, ReportedThing::Message { message: *message }, text))
            }
            _ => Err(Denied::new(Code::NoSuchMessage)),
        },
        ReportSubject::RoomMessage { room, message } => room_messages::readable(view, me, room, *message)?
            .map(|(room, row)| {
                let thing = ReportedThing::RoomMessage { room, message: *message };
                (row.from, thing, row.text)
            }),
    })
}

/// Decides about a report in the name of the operators.
pub(crate) fn decide<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    books: &Bookkeeping,
    id: LogIndex,
    verdict: Verdict,
) -> Result<Decision, V::Error> {
    let report = or_deny!(get::<Reports, V>(view, &id)?, Denied::new(Code::NoSuchReport));
    let mut changes = vec![Change::remove::<Reports>(&id)];
    match verdict {
        Verdict::Nothing => {}
        Verdict::Remove => match report.thing {
            ReportedThing::Croak { croak } => {
                // The author may have deleted it already.
                if let Ok((removed, _)) = remove_croak(bounds, view, books, croak, None)? {
                    changes.extend(removed);
                }
            }
            ReportedThing::RoomMessage { room, message } => {
                changes.extend(room_messages::remove_by_operators(view, room, message)?);
            }
            ReportedThing::Person | ReportedThing::Message { .. } => {
                return Ok(Err(Denied::new(Code::InvalidEntry)));
            }
        },
        Verdict::Warn => {
            let croak = match report.thing {
                ReportedThing::Croak { croak } => Some(croak),
                ReportedThing::Person | ReportedThing::Message { .. } | ReportedThing::RoomMessage { .. } => {
                    None
                }
            };
            let both = (report.about, OPERATORS);
            notices::notify(bounds, view, context, &mut changes, both, NoticeKind::Warning { croak })?;
        }
        Verdict::Suspend => {
            if is_live(view, report.about)? {
                changes.extend(suspended(bounds, view, report.about)?);
            }
        }
    }
    let kind = NoticeKind::ReportDecided { report: id, verdict };
    notices::notify(bounds, view, context, &mut changes, (report.from, OPERATORS), kind)?;
    Ok(Ok((changes, Reply::Done)))
}

/// Removes the reports by and about a deleted account, at most `rows_max`. Returns their number.
pub(crate) fn sweep<V: View>(
    view: &V,
    gone: AccountId,
    rows_max: usize,
    changes: &mut Vec<Change>,
) -> Result<usize, V::Error> {
    let all = scan::<Reports, V>(view, &0, &u64::MAX, Order::OldestFirst, usize::MAX)?;
    let concerned = all.into_iter().filter(|(_, report)| report.from == gone || report.about == gone);
    let before = changes.len();
    changes.extend(concerned.take(rows_max).map(|(id, _)| Change::remove::<Reports>(&id)));
    Ok(changes.len() - before)
}

/// Returns a page of the open reports, oldest first, for operators.
pub(crate) fn list<V: View>(view: &V, after: Option<LogIndex>) -> Result<Page, V::Error> {
    // `after` comes from the client and may be any number.
    let from = after.map_or(0, |after| after.saturating_add(1));
    let rows = scan::<Reports, V>(view, &from, &u64::MAX, Order::OldestFirst, REPORTS_PAGE_MAX)?;
    let more = rows.last().filter(|_| rows.len() == REPORTS_PAGE_MAX).map(|(id, _)| *id);
    let mut reports = Vec::with_capacity(rows.len());
    for (id, report) in rows {
        let Report { from, about, thing, words, text, wall_ms } = report;
        let (from, about) = (person(view, from)?, person(view, about)?);
        reports.push(ReportItem { id, from, about, thing, words, text, wall_ms });
    }
    Ok(Page::Reports { reports, more })
}

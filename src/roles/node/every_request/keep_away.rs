//! Requests about notices, mutes, blocks and reports, at and beyond their bounds.

use super::table::{Expected, NUMBERS, RequestTable, SESSION, is_username};
use ribbit_net::frame::Plane;
use ribbit_net::protocol::Ask;
use ribbit_state::command::{ReportSubject, Verdict};
use ribbit_state::limits::{REPORT_CHARS_MAX, USERNAME_CHARS_MAX};
use ribbit_state::query::OperatorQuery;
use ribbit_state::*;

/// Returns the requests, as the table of requests does.
pub(super) fn table() -> Vec<(Plane, Ask, Expected)> {
    let mut table = RequestTable(Vec::new());
    add(&mut table);
    table.0
}

fn add(table: &mut RequestTable) {
    let (session, invalid) = (SESSION, |field| Denied::of(Code::InvalidEntry, field));
    for number in NUMBERS {
        let (before, limit, account) = (Some(number), number as u16, AccountId(number));
        table.query(Query::Notices { session, before, limit });
        table.query(Query::Muted { session, after: Some(account) });
        table.query(Query::Blocked { session, after: Some(account) });
        table.query(OperatorQuery::Reports { after: before }.into());
        let query = OperatorQuery::Reports { after: before };
        table.query(Query::Govern { session: SESSION, query });
        table.command(NoticeCommand::Read { session, through: number });
        table.command(NoticeCommand::Remove { session, notice: before });
        let room = "pond".to_string();
        for subject in [
            ReportSubject::Croak { croak: number },
            ReportSubject::Message { message: number },
            ReportSubject::RoomMessage { room, message: number },
        ] {
            table.command(RelationCommand::Report { session, subject, words: "rude".into() });
        }
        for verdict in [Verdict::Nothing, Verdict::Remove, Verdict::Warn, Verdict::Suspend] {
            table.command(OperatorCommand::DecideReport { report: number, verdict });
        }
    }
    table.command_text(USERNAME_CHARS_MAX, is_username, invalid(Field::Username), |username| {
        RelationCommand::Mute { session, username, muted: true }.into()
    });
    table.command_text(USERNAME_CHARS_MAX, is_username, invalid(Field::Username), |username| {
        RelationCommand::Block { session, username, blocked: true }.into()
    });
    table.command_text(USERNAME_CHARS_MAX, is_username, invalid(Field::Username), |username| {
        let subject = ReportSubject::Person { username };
        RelationCommand::Report { session, subject, words: String::new() }.into()
    });
    let are_words = |text: &str| text::check_report(text).is_ok();
    table.command_text(4 * REPORT_CHARS_MAX, are_words, invalid(Field::Words), |words| {
        let subject = ReportSubject::Croak { croak: 1 };
        RelationCommand::Report { session, subject, words }.into()
    });
}

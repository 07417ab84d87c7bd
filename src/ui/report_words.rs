//! Lines and JSON of reports, for operators.

use super::{plain, time};
use ribbit_state::query::{Person, ReportItem};
use ribbit_state::rows::ReportedThing;
use serde::Serialize;

fn thing(thing: ReportedThing) -> (&'static str, Option<u64>) {
    match thing {
        ReportedThing::Person => ("person", None),
        ReportedThing::Croak { croak } => ("croak", Some(croak)),
        ReportedThing::Message { message } => ("message", Some(message)),
        ReportedThing::RoomMessage { message, .. } => ("room-message", Some(message)),
    }
}

fn name(person: Option<&Person>) -> String {
    person.map_or("[deleted]".to_string(), |person| format!("@{}", plain::line(&person.username)))
}

/// Returns a report as text, without a line end: who reports whom, the reported text, and the words about it.
pub fn lines(report: &ReportItem) -> String {
    let (kind, of) = thing(report.thing);
    let of = of.map_or(String::new(), |of| format!(" {of}"));
    let (from, about) = (name(report.from.as_ref()), name(report.about.as_ref()));
    let text = plain::line(&report.text);
    let words = plain::line(&report.words);
    let words = if words.is_empty() { String::new() } else { format!("\n      {from}: {words}") };
    format!("{}  {from} reports {about}, {kind}{of}\n      {about}: {text}{words}", report.id)
}

#[derive(Serialize)]
struct ReportJson<'a> {
    id: u64,
    from: Option<&'a str>,
    about: Option<&'a str>,
    kind: &'static str,
    of: Option<u64>,
    words: &'a str,
    text: &'a str,
    at: Option<String>,
}

/// Returns a report as a line of JSON.
pub fn json(report: &ReportItem) -> String {
    let (kind, of) = thing(report.thing);
    let username = |person: &'_ Option<Person>| person.as_ref().map(|person| person.username.clone());
    let (from, about) = (username(&report.from), username(&report.about));
    let json = ReportJson {
        id: report.id,
        from: from.as_deref(),
        about: about.as_deref(),
        kind,
        of,
        words: &report.words,
        text: &report.text,
        at: time::shown(report.wall_ms).map(|shown| shown.machine),
    };
    plain::json(&serde_json::to_string(&json).expect("plain data always serialises"))
}

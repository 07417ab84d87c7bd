//! Messages of the planes, in postcard: a message that can be decoded is encoded and decoded again as the same. Its text for
//! people is one line without control characters.

use ribbit_net::frame;
use ribbit_net::peer::{PeerHello, PeerTalk, PeerWelcome};
use ribbit_net::protocol::{Answer, AnswerFrame, Ask, AskFrame, DirectoryAnswer, NodeStatus};
use ribbit_state::{Page, Query, Request};
use ribbit_ui::{directory, lines, person_json, plain};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

pub fn run(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind % 10 {
        0 => drop(same::<AskFrame>(bytes)),
        1 => drop(same::<AnswerFrame>(bytes).map(|frame| shown(&frame.answer))),
        2 => drop(same::<PeerHello>(bytes)),
        3 => drop(same::<PeerWelcome>(bytes)),
        4 => drop(same::<PeerTalk>(bytes)),
        5 => drop(same::<NodeStatus>(bytes)),
        6 => drop(same::<Request>(bytes).map(|request| request.fits())),
        7 => drop(same::<Query>(bytes).map(|query| query.is_public())),
        8 => drop(same::<Answer>(bytes).map(|answer| shown(&answer))),
        _ => drop(same::<Ask>(bytes).map(|ask| ask.reads_store())),
    }
}

/// Decodes; what comes of it is what is sent.
fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let value: T = frame::decode(bytes).ok()?;
    let again = frame::encode(&value);
    let body = &again[4..];
    assert_eq!(frame::decode::<T>(body).ok().as_ref(), Some(&value));
    // Numbers may be written longer than they have to be; never shorter than we write them.
    assert!(body.len() <= bytes.len(), "{value:?}");
    Some(value)
}

/// Checks the output for terminals and scripts.
fn shown(answer: &Answer) {
    match answer {
        Answer::Read { page: Ok(page), .. } => shown_page(page),
        Answer::Directory(directions) => shown_directions(directions),
        _ => {}
    }
}

fn shown_directions(directions: &DirectoryAnswer) {
    serde_json::from_str::<serde_json::Value>(&directory::json(directions))
        .expect("what scripts are given is JSON");
    is_plain(&directory::words(directions));
}

fn shown_page(page: &Page) {
    match page {
        Page::Feed { croaks, .. } => {
            for croak in croaks {
                is_plain(&lines::croak(croak, lines::LineStyle::default()));
                is_json(&person_json::croak(croak));
            }
        }
        Page::People { people, .. } => {
            for person in people {
                is_plain(&lines::acquaintance(person, lines::LineStyle::default()));
                is_json(&person_json::acquaintance(person));
            }
        }
        Page::Sessions(sessions) => {
            sessions.iter().for_each(|session| is_json(&person_json::session(session)));
        }
        Page::Account(account) => is_json(&person_json::own_account(account)),
        _ => {}
    }
}

fn is_plain(text: &str) {
    assert!(!text.chars().any(|letter| plain::is_odd(letter) && letter != '\n'), "{text:?}");
}

/// Checks that the text is a single line that scripts can read and a terminal can show.
fn is_json(text: &str) {
    is_plain(text);
    serde_json::from_str::<serde_json::Value>(text).expect("what scripts are given is JSON");
}

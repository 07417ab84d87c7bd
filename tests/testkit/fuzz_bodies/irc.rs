//! Lines of IRC, cut anywhere, and lines with any text.

use ribbit_roles::irc::codec::clock;
use ribbit_roles::irc::codec::line::{LINE_OUT_BYTES_MAX, Line};
use ribbit_roles::irc::codec::lines::{Input, LINE_BYTES_MAX, Lines};
use ribbit_roles::irc::codec::message::Message;
use ribbit_roles::irc::codec::pieces::{Said, pieces};
use ribbit_roles::irc::codec::sasl::{Payload, Step};

pub fn run(data: &[u8]) {
    let (mut whole, mut cut) = (Lines::default(), Lines::default());
    let inputs = whole.receive(data);
    let in_pieces: Vec<Input> = data.chunks(7).flat_map(|piece| cut.receive(piece)).collect();
    assert_eq!(inputs, in_pieces, "lines do not depend on the pieces");
    let mut payload = Payload::default();
    for input in inputs {
        let Input::Line(line) = input else { continue };
        assert!(!line.is_empty() && line.len() <= LINE_BYTES_MAX && !line.contains(['\r', '\n']));
        let Some(message) = Message::parse(&line) else { continue };
        assert!(message.params.len() <= 15 && !message.command.is_empty());
        for param in &message.params {
            is_said(param);
            if let Some(time) = clock::parse(param) {
                assert_eq!(clock::parse(&clock::format(time)), Some(time));
            }
            if let Step::Plain { username, .. } = payload.receive(param) {
                assert!(!username.is_empty());
            }
        }
    }
}

/// What was typed arrives in lines that clients read as it was meant.
fn is_said(text: &str) {
    let Said::Text(text) = Said::read(text) else { return };
    let (source, target) = ("ada!ada@ribbit", "#frogs");
    let room = Line::room(source, "PRIVMSG", target);
    for piece in pieces(&text, room) {
        assert!(!piece.is_empty() && piece.len() <= room);
        let encoded =
            Line::new(source, "PRIVMSG").with(target).text(&piece).tagged("msgid", Some(text.clone()));
        let encoded = encoded.encode();
        let line = encoded.strip_suffix("\r\n").expect("an end");
        assert!(!line.contains(['\r', '\n', '\0']), "one line");
        let behind_tags = line.split_once(' ').expect("tags").1;
        assert!(behind_tags.len() + 2 <= LINE_OUT_BYTES_MAX);
        let read = Message::parse(line).expect("a message");
        assert_eq!(read.params, [target, &piece.replace('\0', " ")]);
        assert_eq!(read.tag("msgid"), Some(text.replace('\0', "").as_str()));
    }
}

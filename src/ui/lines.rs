//! Croaks, messages and people as lines in a terminal. Text from other users is escaped ([`plain`]).
//!
//! ```text
//!   2026-07-01 09:05 UTC  #22  @ada  Rain, at last
//!                                    and more of it
//! ```
//!
//! The lines of a longer text are aligned below its first line, so that none looks like another croak. On a narrow terminal,
//! where a long name would leave no room for the text, the text is below. Colour is optional and never carries information.

use super::table::{self, Align};
use super::{plain, time};
use ribbit_net::discovery::ConnectionEvent;
use ribbit_net::limits::DISCOVERY_ROUNDS_MAX;
use ribbit_state::Audience;
use ribbit_state::query::{AccountSummary, OpenSession, OwnAccount, PersonRelation, Profile};
use ribbit_state::query::{DeliveryStatus, TalkMessage};
use ribbit_state::query::{FeedCroak, Person};
use ribbit_state::rows::Credential;
use std::fmt::Write;

/// Replacement for an unknown time, as wide as a time.
const NO_TIME: &str = "no time             ";

/// Formatting of lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineStyle {
    pub colour: bool,
    /// True on a terminal of fewer than [`COLUMNS_BESIDE_MIN`] columns: texts are below their authors instead of beside them.
    pub narrow: bool,
}

/// Number of columns from which a text fits beside its time, number and author.
pub const COLUMNS_BESIDE_MIN: u16 = 60;
/// Indent of a text below its author.
const INDENT: &str = "  ";

impl LineStyle {
    fn dressed(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
    /// Formats something of less importance, such as a time.
    pub fn faint(self, text: &str) -> String {
        self.dressed("2", text)
    }
    /// Formats a person's name.
    pub fn name(self, text: &str) -> String {
        self.dressed("1;32", text)
    }
}

/// Returns a croak with its id, without a line end.
pub fn croak(croak: &FeedCroak, style: LineStyle) -> String {
    let when = time::shown(croak.body.wall_ms).map_or_else(|| NO_TIME.to_string(), |shown| shown.people);
    let mut notes = String::new();
    if let Some(share) = &croak.share {
        let _ = write!(notes, "  (shared by {})", name_of(Some(&share.by)));
    }
    if croak.body.audience == Audience::Followers {
        notes.push_str("  (followers only)");
    }
    line(&format!("{when}  #{}", croak.id), &name_of(Some(&croak.author)), &croak.body.text, &notes, style)
}

/// Returns a text with its author and time, without a line end.
pub fn said(wall_ms: u64, username: &str, text: &str, style: LineStyle) -> String {
    let when = time::shown(wall_ms).map_or_else(|| NO_TIME.to_string(), |shown| shown.people);
    line(&when, &format!("@{}", plain::line(username)), text, "", style)
}

/// As [`said`], by an author as [`name_of`] returns it.
pub(super) fn said_by(wall_ms: u64, who: &str, text: &str, style: LineStyle) -> String {
    let when = time::shown(wall_ms).map_or_else(|| NO_TIME.to_string(), |shown| shown.people);
    line(&when, who, text, "", style)
}

/// Returns a message, without a line end. Messages of `me` show their delivery status. `with` is the other person, or `None`
/// if their account was deleted.
pub fn message(message: &TalkMessage, with: Option<&Person>, me: &Person, style: LineStyle) -> String {
    let when = time::shown(message.wall_ms).map_or_else(|| NO_TIME.to_string(), |shown| shown.people);
    let (me, with) = (name_of(Some(me)), name_of(with));
    match message.mine {
        true => {
            let fate = format!("  ({})", fate(message.status));
            line(&when, &format!("{me} to {with}"), &message.text, &fate, style)
        }
        false => line(&when, &format!("{with} to {me}"), &message.text, "", style),
    }
}

/// Returns an open session, without a line end.
pub fn session(session: &OpenSession, style: LineStyle) -> String {
    let when = time::shown(session.opened_wall_ms).map_or_else(|| NO_TIME.to_string(), |shown| shown.people);
    let this = if session.this { "  (this one)" } else { "" };
    let device = if session.device.is_empty() { "unknown device" } else { &session.device };
    let used = time::date(session.used_wall_ms).map_or(String::new(), |day| format!(", last used {day}"));
    format!("{}  session {}  {}{used}{this}", style.faint(&when), session.opened, plain::line(device))
}

/// Returns a profile, without a line end: a line for the person, and indented lines.
pub fn profile(profile: &Profile, pinned: Option<&FeedCroak>, style: LineStyle) -> String {
    let Profile { relation, created_wall_ms, bio, links, croaks, friends, followers } = profile;
    let mut text = acquaintance(relation, style);
    for part in bio.split('\n').filter(|_| !bio.is_empty()).chain(links.iter().map(String::as_str)) {
        let _ = write!(text, "\n  {}", plain::line(part));
    }
    let joined = time::date(*created_wall_ms).map_or(String::new(), |day| format!(", joined {day}"));
    let _ = write!(text, "\n  {croaks} croaks, {friends} following, {followers} followers{joined}");
    if let Some(pinned) = pinned {
        let pinned = croak(pinned, style).replace('\n', "\n          ");
        let _ = write!(text, "\n  pinned: {pinned}");
    }
    text
}

/// Returns the lines below a user's own profile: what only they see.
pub fn own_settings(account: &OwnAccount) -> String {
    let (email, audience) = (plain::line(&account.email), account.audience.name());
    let avatar = account.person.avatar;
    format!("  picture: {avatar}\n  email: {email}\n  croaks for {audience}, unless you say otherwise")
}

/// Returns `@ada`, or `[deleted]` for a deleted account.
pub fn name_of(person: Option<&Person>) -> String {
    person.map_or_else(|| "[deleted]".to_string(), |person| format!("@{}", plain::line(&person.username)))
}

/// Returns a delivery status in one word.
pub fn fate(fate: DeliveryStatus) -> &'static str {
    match fate {
        DeliveryStatus::Saved => "saved",
        DeliveryStatus::Delivered => "delivered",
        DeliveryStatus::Read => "read",
    }
}

fn line(when: &str, who: &str, text: &str, behind: &str, style: LineStyle) -> String {
    if style.narrow {
        let mut lines = format!("{}{}\n{}", style.name(who), style.faint(behind), style.faint(when));
        for part in text.split('\n') {
            let _ = write!(lines, "\n{INDENT}{}", plain::line(part));
        }
        return lines;
    }
    let indent = when.chars().count() + who.chars().count() + 4;
    let mut line = format!("{}  {}  ", style.faint(when), style.name(who));
    for (number, part) in text.split('\n').enumerate() {
        if number > 0 {
            let _ = write!(line, "\n{:indent$}", "");
        }
        line.push_str(&plain::line(part));
    }
    line + &style.faint(behind)
}

/// Returns a person, without a line end: `@ada  Ada Lovelace`.
pub fn person(person: &Person, style: LineStyle) -> String {
    format!("{}  {}", style.name(&format!("@{}", plain::line(&person.username))), plain::line(&person.name))
}

/// Returns a person and who follows whom, without a line end.
pub fn acquaintance(known: &PersonRelation, style: LineStyle) -> String {
    let kept_away = match (known.muted, known.blocked) {
        (_, true) => "  (blocked)",
        (true, false) => "  (muted)",
        (false, false) => "",
    };
    let bond = match (known.followed, known.follows) {
        (true, true) => "  (you follow each other)",
        (true, false) => "  (following)",
        (false, true) => "  (follows you)",
        (false, false) => "",
    };
    person(&known.person, style) + &style.faint(bond) + &style.faint(kept_away)
}

/// Returns a table of accounts, for operators.
pub fn accounts(accounts: &[AccountSummary]) -> String {
    let head = ["USER", "NAME", "EMAIL", "CREATED", "SESSIONS", "ROLE", "STATE"].map(str::to_string).to_vec();
    let rows = accounts.iter().map(|account| {
        vec![
            account.person.username.clone(),
            account.person.name.clone(),
            account.email.clone(),
            time::shown(account.created_wall_ms).map_or_else(|| "-".to_string(), |shown| shown.people),
            account.sessions.to_string(),
            account.role.name().to_string(),
            state(account).to_string(),
        ]
    });
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let left = Align::Left;
    table::layout(&[left, left, left, left, Align::Right, left, left], &rows)
}

/// Returns what is unusual about an account, or a dash.
fn state(account: &AccountSummary) -> &'static str {
    match (account.suspended, account.credential) {
        (true, Credential::Password(())) => "suspended",
        (true, Credential::Name) => "suspended, no password",
        (true, Credential::Nothing) => "suspended, link not used yet",
        (false, Credential::Name) => "no password",
        (false, Credential::Nothing) => "link not used yet",
        (false, Credential::Password(())) => "-",
    }
}

/// Returns a change of the connection, without a line end.
pub fn contact(contact: &ConnectionEvent) -> String {
    match contact {
        ConnectionEvent::Lost(server) => {
            format!("connection to {} lost, looking for another server", plain::line(server))
        }
        ConnectionEvent::Reached(server) => format!("connected to {}", plain::line(server)),
        ConnectionEvent::Mistrusted(why) => plain::line(why),
        ConnectionEvent::Unreachable { rounds } => {
            format!("no server answers (try {rounds} of {DISCOVERY_ROUNDS_MAX})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::query::CroakBody;
    use ribbit_state::{AccountId, Avatar};

    fn ada() -> Person {
        let (username, name) = ("ada".to_string(), "Ada \x1bL".to_string());
        Person { account: AccountId(3), username, name, avatar: Avatar::Drawn }
    }

    #[test]
    fn no_line_of_a_croak_looks_like_another_croak() {
        let text = "Rain\n2026-07-01 09:05 UTC  @bob  not me\u{202e}";
        let croak_of = |wall_ms| FeedCroak::original(9, ada(), CroakBody::original(wall_ms, text));
        let shown = croak(&croak_of(1_709_251_199_999), LineStyle::default());
        let indent = " ".repeat("2024-02-29 23:59 UTC  #9  @ada  ".len());
        let rest = r"2026-07-01 09:05 UTC  @bob  not me\u{202e}";
        assert_eq!(shown, format!("2024-02-29 23:59 UTC  #9  @ada  Rain\n{indent}{rest}"));
        let coloured = croak(&croak_of(0), LineStyle { colour: true, narrow: false });
        assert!(
            coloured.starts_with("\x1b[2mno time               #9\x1b[0m  \x1b[1;32m@ada\x1b[0m  Rain\n")
        );
        assert_eq!(person(&ada(), LineStyle::default()), r"@ada  Ada \x1bL");
    }

    #[test]
    fn on_a_narrow_terminal_the_longest_name_leaves_room_for_the_text() {
        let author = Person { username: "w".repeat(32), ..ada() };
        let text = "Rain\n@bob\n2026-07-01 09:05 UTC  #9";
        let body = CroakBody::original(1_709_251_199_999, text);
        let style = LineStyle { colour: false, narrow: true };
        let shown = croak(&FeedCroak::original(4_294_967_295, author, body), style);
        let (name, when) = (format!("@{}", "w".repeat(32)), "2024-02-29 23:59 UTC  #4294967295");
        assert_eq!(shown, format!("{name}\n{when}\n  Rain\n  @bob\n  2026-07-01 09:05 UTC  #9"));
        assert!(shown.lines().all(|line| line.chars().count() <= 40));
    }

    #[test]
    fn a_message_shows_both_people_and_to_its_sender_the_delivery_status() {
        let bob =
            Person { account: AccountId(4), username: "bob".to_string(), name: "Bob".to_string(), ..ada() };
        let mine = TalkMessage {
            id: 9,
            mine: true,
            wall_ms: 0,
            text: "a\nb".to_string(),
            status: DeliveryStatus::Saved,
        };
        let indent = " ".repeat("no time               @ada to @bob  ".len());
        assert_eq!(
            message(&mine, Some(&bob), &ada(), LineStyle::default()),
            format!("no time               @ada to @bob  a\n{indent}b  (saved)")
        );
        let theirs = TalkMessage { mine: false, text: "a".to_string(), ..mine };
        let shown = message(&theirs, None, &ada(), LineStyle::default());
        assert_eq!(shown, "no time               [deleted] to @ada  a");
        let known = PersonRelation {
            person: bob,
            followed: true,
            follows: false,
            muted: false,
            blocked: false,
            blocks: false,
        };
        assert_eq!(acquaintance(&known, LineStyle::default()), "@bob  Bob  (following)");
        let shown = Profile {
            relation: known,
            created_wall_ms: 1_709_251_199_999,
            bio: "Frogs\n@ada  fake\x1b".to_string(),
            links: vec!["http://a".to_string()],
            croaks: 4,
            friends: 1,
            followers: 2,
        };
        let pinned = FeedCroak::original(9, ada(), CroakBody::original(0, "a\nb"));
        let indent = " ".repeat("  pinned: no time               #9  @ada  ".len());
        assert_eq!(
            profile(&shown, Some(&pinned), LineStyle::default()),
            format!(
                "@bob  Bob  (following)\n  Frogs\n  @ada  fake\\x1b\n  http://a\n  4 croaks, 1 following, 2 followers, \
                 joined 2024-02-29\n  pinned: no time               #9  @ada  a\n{indent}b"
            )
        );
    }
}

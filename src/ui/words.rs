//! Words for people: refusals put beside the fields they are about, notes after something worked, and what is
//! said when nobody can serve.

use super::plain;
use ribbit_net::client::ClientError;
use ribbit_net::protocol::Why;
use ribbit_state::limits::{
    CROAK_CHARS_MAX, GLOB_CHARS_MAX, MESSAGE_CHARS_MAX, NAME_CHARS_MAX, PASSWORD_CHARS_MAX,
    PASSWORD_CHARS_MIN,
};
use ribbit_state::{Code, Denied, Field, Owner};

/// The refusals that a page shows: those about one of its fields, and the others.
#[derive(Debug, Default)]
pub struct Refusals {
    beside: Vec<(&'static str, String)>,
    /// About no field of this page; shown above the form.
    pub general: Vec<String>,
}

impl Refusals {
    /// Sorts refusals by the fields that a page has.
    pub fn on(fields: &[&'static str], denied: &[Denied]) -> Refusals {
        let mut refusals = Refusals::default();
        for denied in denied {
            let name = field_of(*denied).map(Field::name);
            match fields.iter().find(|field| Some(**field) == name) {
                Some(field) => refusals.beside.push((field, words(*denied))),
                None => refusals.general.push(words(*denied)),
            }
        }
        refusals
    }

    /// The words beside a field.
    pub fn of(&self, field: &str) -> Option<&str> {
        self.beside.iter().find(|(name, _)| *name == field).map(|(_, words)| words.as_str())
    }
}

/// The field a refusal is about: the one it names, or the only one its code can mean.
fn field_of(denied: Denied) -> Option<Field> {
    denied.field.or(match denied.code {
        Code::NoSuchUser | Code::UsernameTaken | Code::AlreadyFriend | Code::NotAFriend | Code::Yourself => {
            Some(Field::Username)
        }
        Code::WrongPassword => Some(Field::Password),
        Code::CroakTooLong => Some(Field::Post),
        Code::MessageTooLong => Some(Field::Message),
        _ => None,
    })
}

/// A refusal that stands alone: the field that it is about, if its words do not say, then [`words`].
pub fn denied(denied: Denied) -> String {
    match denied.field {
        Some(field) if denied.code == Code::InvalidEntry => format!("{}: {}", field.name(), words(denied)),
        _ => words(denied),
    }
}

/// The code's words and number, and what would be right where the words alone do not tell.
fn words(denied: Denied) -> String {
    let hint = match (denied.code, denied.field) {
        (Code::InvalidEntry, Some(field)) => format!(": {}", valid(field)),
        (Code::RequestReused, _) => ": an earlier try may have worked; look before you send it again".into(),
        _ => String::new(),
    };
    format!("{}{hint}", denied.code)
}

/// What is valid in a field. Also the hint under it.
pub fn valid(field: Field) -> String {
    match field {
        Field::Name => format!("1 to {NAME_CHARS_MAX} characters on one line"),
        Field::Username => "1 to 32 of a-z, 0-9, _ and -".to_string(),
        Field::Email => "somebody@somewhere".to_string(),
        Field::Password | Field::NewPassword => {
            format!("{PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters")
        }
        Field::Post => format!("1 to {CROAK_CHARS_MAX} characters"),
        Field::Message => format!("1 to {MESSAGE_CHARS_MAX} characters"),
        Field::Names => format!("a name, or a pattern like b*; at most {GLOB_CHARS_MAX} characters"),
    }
}

/// What worked, as a page says it. Travels as a short word in the address, never as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    Added,
    Removed,
    Deleted,
    Saved,
    NewPassword,
    Ended,
    TakenBack,
}

impl Note {
    pub const ALL: [Note; 7] = [
        Note::Added,
        Note::Removed,
        Note::Deleted,
        Note::Saved,
        Note::NewPassword,
        Note::Ended,
        Note::TakenBack,
    ];

    /// The word in the address.
    pub fn name(self) -> &'static str {
        match self {
            Note::Added => "added",
            Note::Removed => "removed",
            Note::Deleted => "deleted",
            Note::Saved => "saved",
            Note::NewPassword => "new-password",
            Note::Ended => "ended",
            Note::TakenBack => "taken-back",
        }
    }

    pub fn from_name(name: &str) -> Option<Note> {
        Note::ALL.into_iter().find(|note| note.name() == name)
    }

    pub fn words(self) -> &'static str {
        match self {
            Note::Added => "Added. Their croaks are in your feed now.",
            Note::Removed => "Removed. Their croaks are no longer in your feed.",
            Note::Deleted => {
                "Your account is deleted, and your croaks with it. Messages stay with those who got them, without your name."
            }
            Note::Saved => "Saved.",
            Note::NewPassword => "Your password is changed, and all your other sessions have ended.",
            Note::Ended => "Ended.",
            Note::TakenBack => "Taken back: nobody sees that croak any more.",
        }
    }
}

/// Why nothing could be decided: said with status 503. Nothing typed is lost, and sending it again is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No server answered, or none that serves.
    Nobody,
    /// A queue is full.
    Busy,
    /// Servers answered, but decided nothing in time.
    Disagree,
    /// Servers stopped while they answered this.
    Spared,
    /// Too much was tried from one address.
    TooMany {
        /// Until one more may be.
        wait_s: u32,
    },
}

impl Trouble {
    /// Also the page's title.
    pub fn title(self) -> &'static str {
        match self {
            Trouble::Nobody => "No servers are running",
            Trouble::Busy => "The servers are busy",
            Trouble::Disagree => "The servers cannot agree",
            Trouble::Spared => "The servers stopped over this",
            Trouble::TooMany { .. } => "That is too often",
        }
    }

    /// A sentence; those with a code are the code's.
    pub fn words(self) -> String {
        let sentence = match self {
            Trouble::Nobody => "none of them can be reached at the moment".to_string(),
            Trouble::Busy => Code::Busy.to_string(),
            Trouble::Disagree => Code::Unavailable.to_string(),
            Trouble::Spared => {
                "two servers stopped while they answered this page, so no other one was asked. \
                The other pages may work. If it happens again, tell the people who run the servers"
                    .to_string()
            }
            Trouble::TooMany { wait_s } => {
                let seconds = if wait_s == 1 { "a second".into() } else { format!("{wait_s} seconds") };
                format!("nothing was done: too much came from your address at once; wait {seconds}")
            }
        };
        let mut letters = sentence.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
        format!("{first}{}.", letters.as_str())
    }
}

impl From<ClientError> for Trouble {
    fn from(unreachable: ClientError) -> Trouble {
        match unreachable {
            // Who was asked and is gone, or stopped, looks the same to people as who could not be asked.
            ClientError::Unreachable | ClientError::Undecided(Why::NotServing) => Trouble::Nobody,
            ClientError::Undecided(Why::Busy) => Trouble::Busy,
            ClientError::Undecided(_) => Trouble::Disagree,
            ClientError::Abandoned => Trouble::Spared,
        }
    }
}

/// Who has a lock: `client 1042 (lock on board1, pid 99)`, `backend-2 (board2:10002)`. `name` is a member's, if it is
/// known; `said` is what the holder says of itself.
pub fn holder(owner: Owner, name: Option<&str>, said: &str) -> String {
    let who = match (owner, name) {
        (Owner::Client(lease), _) => format!("client {lease}"),
        (Owner::Member(_), Some(name)) => name.to_string(),
        (Owner::Member(raft_id), None) => format!("member {raft_id}"),
    };
    if said.is_empty() { who } else { format!("{who} ({})", plain::line(said)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_have_words() {
        assert_eq!(
            holder(Owner::Client(9), None, "shell on a\x1b, pid 1"),
            r"client 9 (shell on a\x1b, pid 1)"
        );
        assert_eq!(holder(Owner::Member(2), Some("backend-2"), "b:1"), "backend-2 (b:1)");
        assert_eq!(holder(Owner::Member(2), None, ""), "member 2");
    }

    #[test]
    fn refusals_stand_beside_their_fields() {
        let denied = [Denied::new(Code::NoSuchUser), Denied::of(Code::InvalidEntry, Field::Email)];
        let refusals = Refusals::on(&["username"], &denied);
        assert_eq!(refusals.of("username"), Some("there is no user with that name (601)"));
        assert_eq!(refusals.of("email"), None);
        assert_eq!(refusals.general, ["that entry is not valid (606): somebody@somewhere"]);
    }

    #[test]
    fn notes_have_names() {
        for note in Note::ALL {
            assert_eq!(Note::from_name(note.name()), Some(note));
        }
        assert_eq!(Note::from_name("<script>"), None);
    }
}

//! Texts for people: refusals beside their fields, notes after a change, and errors of the service.
//!
//! Pages show whole sentences without error numbers ([`refusal`]); the terminal and JSON keep the number ([`denied`]).

use super::plain;
use ribbit_net::client::ClientError;
use ribbit_net::protocol::UnavailableReason;
use ribbit_state::limits::{
    BIO_CHARS_MAX, CROAK_CHARS_MAX, GLOB_CHARS_MAX, MESSAGE_CHARS_MAX, NAME_CHARS_MAX, PASSWORD_CHARS_MAX,
    PASSWORD_CHARS_MIN, PROFILE_LINKS_MAX, REPORT_CHARS_MAX, TOPIC_CHARS_MAX,
};
use ribbit_state::{Code, Denied, Field, Owner};

/// Refusals that a page shows, sorted into those about one of its fields and the others.
#[derive(Debug, Default)]
pub struct Refusals {
    beside: Vec<(&'static str, String)>,
    /// Refusals about no field of this page, shown above the form.
    pub general: Vec<String>,
}

impl Refusals {
    /// Sorts refusals by the fields of a page.
    pub fn on(fields: &[&'static str], denied: &[Denied]) -> Refusals {
        let mut refusals = Refusals::default();
        for denied in denied {
            let name = field_of(*denied).map(Field::name);
            match fields.iter().find(|field| Some(**field) == name) {
                Some(field) => refusals.beside.push((field, refusal(*denied))),
                None => refusals.general.push(refusal(*denied)),
            }
        }
        refusals
    }

    /// Returns the text beside a field.
    pub fn of(&self, field: &str) -> Option<&str> {
        self.beside.iter().find(|(name, _)| *name == field).map(|(_, words)| words.as_str())
    }
}

/// Returns the field a refusal is about: the one it names, or the only one that its code can mean.
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

/// Returns a refusal as the terminal prints it, with its number and without a full stop: `email: … (606): …`.
pub fn denied(denied: Denied) -> String {
    let field = match (denied.code, denied.field) {
        (Code::InvalidEntry, Some(field)) => format!("{}: ", field.name()),
        _ => String::new(),
    };
    let hint = match (denied.code, denied.field) {
        (Code::InvalidEntry, Some(field)) => format!(": {}", valid(field)),
        (Code::RequestReused, _) => {
            ": an earlier try may have worked, so check before you send it again".into()
        }
        _ => String::new(),
    };
    format!("{field}{}{hint}", denied.code)
}

/// Returns a refusal as a page shows it: whole sentences, without a number.
pub fn refusal(denied: Denied) -> String {
    match (denied.code, denied.field) {
        (Code::InvalidEntry, Some(field)) => invalid(field),
        (Code::RequestReused, _) => {
            "This form was already sent. Check whether that worked before you send it again.".to_string()
        }
        (code, _) => sentence(code.text()),
    }
}

/// Makes a whole sentence of a text that may lack the capital letter and the full stop.
fn sentence(words: &str) -> String {
    let stop = if words.ends_with(['.', '!', '?']) { "" } else { "." };
    capitalized(words) + stop
}

/// Returns a text with its first letter in upper case.
pub fn capitalized(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str()
}

/// Returns what is valid in a field: `8 to 256 characters`.
pub fn valid(field: Field) -> String {
    match field {
        Field::Name => format!("1 to {NAME_CHARS_MAX} characters on one line"),
        Field::Username => "1 to 32 characters: a-z, 0-9, _ and -".to_string(),
        Field::Email => "for example ada@example.org".to_string(),
        Field::Password | Field::NewPassword => {
            format!("{PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters")
        }
        Field::Post => format!("1 to {CROAK_CHARS_MAX} characters"),
        Field::Message => format!("1 to {MESSAGE_CHARS_MAX} characters"),
        Field::Words => format!("up to {REPORT_CHARS_MAX} characters"),
        Field::Bio => format!("up to {BIO_CHARS_MAX} characters"),
        Field::Links => {
            format!("up to {PROFILE_LINKS_MAX} addresses that begin with http:// or https://, one per line")
        }
        Field::Search => "one to eight words or tags, such as rain or #pond".to_string(),
        Field::Names => format!("a username or a pattern such as b*, up to {GLOB_CHARS_MAX} characters"),
        Field::Room => "1 to 32 characters: a-z, 0-9, _ and -".to_string(),
        Field::Topic => format!("up to {TOPIC_CHARS_MAX} characters on one line"),
    }
}

/// Returns what to enter instead of something that is not valid in a field.
pub fn invalid(field: Field) -> String {
    let valid = valid(field);
    match field {
        Field::Name | Field::Username | Field::Password | Field::NewPassword | Field::Room | Field::Topic => {
            format!("Use {valid}.")
        }
        Field::Email => format!("Enter an email address, {valid}."),
        Field::Post | Field::Message | Field::Words | Field::Bio => format!("Write {valid}."),
        Field::Names | Field::Search | Field::Links => format!("Enter {valid}."),
    }
}

macro_rules! notes {
    ($($note:ident = $name:literal, $words:literal;)*) => {
        /// Confirmation of a change, as the next page shows it. The address carries its [name](Note::name), never a text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Note { $($note,)* }

        impl Note {
            /// All notes.
            pub const ALL: &[Note] = &[$(Note::$note,)*];

            /// Returns the value of `?note=` in the address.
            pub fn name(self) -> &'static str {
                match self { $(Note::$note => $name,)* }
            }

            /// Returns the text for people.
            pub fn words(self) -> &'static str {
                match self { $(Note::$note => $words,)* }
            }
        }
    };
}

notes! {
    Welcome = "welcome", "Welcome! Your account is ready. Find people to follow, or write your first croak.";
    Added = "added", "Now following. Their croaks appear in your feed.";
    Removed = "removed", "Unfollowed. Their croaks no longer appear in your feed.";
    Deleted = "deleted", "Your account and your croaks are deleted. Messages you sent stay with the people who received them, without your name.";
    Saved = "saved", "Saved.";
    NewPassword = "new-password", "Password changed. You have been logged out everywhere else.";
    Ended = "ended", "Logged out there.";
    FeedAddressEnded = "feed-address-ended", "Deleted. Nothing can be read at that address any more.";
    TakenBack = "taken-back", "Croak deleted.";
    Muted = "muted", "Muted. You no longer see them in feeds and notifications.";
    Unmuted = "unmuted", "Unmuted.";
    Blocked = "blocked", "Blocked. You no longer see each other.";
    Unblocked = "unblocked", "Unblocked. You no longer follow each other.";
    Reported = "reported", "Reported. The people who run the servers will look at it and tell you.";
    Requested = "requested", "Thank you! Your account is waiting for approval. You can log in here once it is approved.";
    Uninvited = "uninvited", "Revoked. No more people can sign up with that link.";
    Decided = "decided", "Decided. Whoever reported it is told.";
    Suspended = "suspended", "Suspended. They are logged out everywhere.";
    Resumed = "resumed", "The suspension is lifted. They can log in again.";
    AccountDeleted = "account-deleted", "The account is deleted.";
    Approved = "approved", "Approved. They can log in now.";
    TurnedDown = "turned-down", "Turned down.";
    Announced = "announced", "Announced. Everyone sees it.";
    Withdrawn = "withdrawn", "Withdrawn.";
    RoomClosed = "room-closed", "The room is closed.";
    MemberChanged = "member-changed", "Asked. It may take some seconds; load this page again to see it.";
    LinkRevoked = "link-revoked", "No link sets their password any more.";
}

impl Note {
    /// Returns the note with this [name](Note::name).
    pub fn from_name(name: &str) -> Option<Note> {
        Note::ALL.iter().copied().find(|note| note.name() == name)
    }
}

/// Reason why nothing could be decided, answered with status 503 or 429. What was typed is kept, and sending it again is
/// safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceError {
    /// No server answered, or none that serves clients.
    Unreachable,
    /// A queue is full.
    Busy,
    /// Servers answered, but decided nothing in time.
    Undecided,
    /// Servers stopped while they handled this request.
    Abandoned,
    /// The rate limit of this client's address is exceeded.
    RateLimited {
        /// Seconds until the next request is allowed.
        wait_s: u32,
    },
}

impl ServiceError {
    /// Returns the headline, without a full stop. It is also the page's title.
    pub fn title(self) -> &'static str {
        match self {
            ServiceError::Unreachable => "No servers are running",
            ServiceError::Busy => "The servers are busy",
            ServiceError::Undecided => "Not available right now",
            ServiceError::Abandoned => "Something went wrong",
            ServiceError::RateLimited { .. } => "Too many attempts",
        }
    }

    /// Returns the explanation, in whole sentences.
    pub fn words(self) -> String {
        match self {
            ServiceError::Unreachable => "None of the servers can be reached at the moment.".to_string(),
            ServiceError::Busy => "Too many requests are waiting.".to_string(),
            ServiceError::Undecided => "The servers could not complete this in time.".to_string(),
            ServiceError::Abandoned => {
                "Two servers stopped while they worked on this page, so no other server was asked. \
                Other pages may work. If it happens again, tell the people who run the servers."
                    .to_string()
            }
            ServiceError::RateLimited { wait_s } => {
                let seconds = if wait_s == 1 { "1 second".into() } else { format!("{wait_s} seconds") };
                format!("Too many requests came from your address. Try again in {seconds}.")
            }
        }
    }
}

impl From<ClientError> for ServiceError {
    fn from(unreachable: ClientError) -> ServiceError {
        match unreachable {
            // A server that is stopping looks the same to people as one that cannot be reached.
            ClientError::Unreachable | ClientError::Undecided(UnavailableReason::NotServing) => {
                ServiceError::Unreachable
            }
            ClientError::Undecided(UnavailableReason::Busy) => ServiceError::Busy,
            ClientError::Undecided(_) => ServiceError::Undecided,
            ClientError::Abandoned => ServiceError::Abandoned,
        }
    }
}

/// Returns the holder of a lock for people: `client 1042 (lock on board1, pid 99)`, `backend-2 (board2:10002)`.
///
/// `name` is the name of a member, if known; `said` is the holder's own description, shown in parentheses.
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
    fn a_holder_is_named_and_its_description_escaped() {
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
        assert_eq!(refusals.of("username"), Some(sentence(Code::NoSuchUser.text()).as_str()));
        assert_eq!(refusals.of("email"), None);
        assert_eq!(refusals.general, ["Enter an email address, for example ada@example.org."]);
    }

    #[test]
    fn pages_show_sentences_without_numbers_and_the_terminal_shows_the_number() {
        for code in Code::ALL {
            let page = refusal(Denied::new(*code));
            assert!(page.starts_with(char::is_uppercase) && page.ends_with(['.', '!', '?']), "{page}");
            let number = code.number().to_string();
            assert!(!page.contains(&number), "{page}");
            assert!(denied(Denied::new(*code)).contains(&format!("({number})")));
        }
        let email = denied(Denied::of(Code::InvalidEntry, Field::Email));
        assert!(
            email.starts_with("email: ") && email.ends_with("(606): for example ada@example.org"),
            "{email}"
        );
        assert_eq!(sentence("is it?"), "Is it?");
    }

    #[test]
    fn a_note_is_found_by_its_name() {
        for note in Note::ALL {
            assert_eq!(Note::from_name(note.name()), Some(*note));
        }
        assert_eq!(Note::from_name("<script>"), None);
    }
}

//! Commands and queries of people and members with any content: the rules answer, twice the same, and their memory equals
//! what they would read from the rows.

use super::Parts;
use ribbit_state::command::{Command, Proposal, Request, Stamp};
use ribbit_state::model::Model;
use ribbit_state::{AccountId, LogIndex, Query, RequestId, TokenHash};
use ribbit_ui::export::Export;
use std::sync::LazyLock;

/// More show nothing new, and take long.
const COMMANDS_MAX: usize = 64;
/// The pages of an export of what so few commands can make.
const PAGES_MAX: usize = 64;

/// The sessions of the two who are there already.
pub const ADA: TokenHash = TokenHash([1; 32]);
pub const BOB: TokenHash = TokenHash([2; 32]);

/// A pond with two people, and where its log ends.
static POND: LazyLock<(Model, LogIndex)> = LazyLock::new(|| {
    let mut pond = Model::new();
    let mut at = 0;
    let mut apply = |command: Command| {
        at += 1;
        let request = Request { id: RequestId(u128::from(at)), submitted_at: at - 1, origin: None, command };
        let stamp = Stamp { wall_ms: 1_700_000_000_000, age_ms: at };
        pond.apply(at, &Proposal { stamp, request }).expect("nothing here is refused")
    };
    for command in beginning(0) {
        apply(command);
    }
    (pond, at)
});

/// Two people come and log in, as the first commands of a log behind this index.
pub fn beginning(at: LogIndex) -> Vec<Command> {
    let create = |name: &str| Command::CreateAccount {
        username: name.into(),
        name: name.into(),
        email: format!("{name}@pond"),
        password_hash: "$argon2id$".into(),
        invitation: None,
    };
    // An account is the index of its creation.
    let log_in = |account, token| Command::LogIn {
        account: AccountId(account),
        credential_version: 1,
        token,
        device: String::new(),
        app: None,
    };
    vec![create("ada"), log_in(at + 1, ADA), create("bob"), log_in(at + 3, BOB)]
}

/// The pond, for seeds.
pub fn pond() -> Model {
    POND.0.clone()
}

pub fn run(data: &[u8]) {
    let (mut pond, mut at) = POND.clone();
    let mut parts = Parts(data);
    let mut age_ms = at;
    for _ in 0..COMMANDS_MAX {
        if parts.is_empty() {
            break;
        }
        let kind = parts.byte();
        if kind % 4 == 0 {
            if let Ok(query) = postcard::from_bytes::<Query>(parts.part()) {
                let _ = pond.answer(&query);
            }
            continue;
        }
        age_ms += if kind % 4 == 1 { u64::from(parts.number()) } else { 1 };
        let id = RequestId(u128::from(parts.byte() % 16) << 64);
        let submitted_at = at.saturating_sub(u64::from(parts.byte() % 8));
        let Ok(command) = postcard::from_bytes::<Command>(parts.part()) else { continue };
        let request = Request { id, submitted_at, origin: None, command };
        if !request.fits() {
            continue;
        }
        at += 1;
        let proposal = Proposal { stamp: Stamp { wall_ms: age_ms, age_ms }, request };
        let decided = pond.decide(at, &proposal);
        assert_eq!(decided, pond.decide(at, &proposal), "the rules decide once");
        pond.commit(at, &decided.changes);
    }
    opened_again(&pond);
    export(&pond);
}

/// A member that is started again answers the same.
fn opened_again(pond: &Model) {
    let mut again = pond.clone();
    again.reopen();
    assert_eq!(again.window_len(), pond.window_len());
    for session in [ADA, BOB] {
        for query in [
            Query::Feed { session, before: None, limit: 50 },
            Query::Unread { session },
            Query::Front { session, before: None, limit: 50, known: Some((0, 3)), unless: None },
            Query::Talks { session, before: None, limit: 50 },
            Query::Account { session },
        ] {
            assert_eq!(again.answer(&query), pond.answer(&query), "{query:?}");
        }
    }
}

/// Asserts that the export of a person's data can be read, for any data.
fn export(pond: &Model) {
    let mut export = Export::new(ADA);
    let mut text = String::new();
    for _ in 0..PAGES_MAX {
        let Some(query) = export.query() else {
            serde_json::from_str::<serde_json::Value>(&text).expect("an export is JSON");
            return;
        };
        // Who was deleted or logged out has none.
        let Ok(page) = pond.answer(&query) else { return };
        text += &export.take(page).expect("the rules answer what was asked");
    }
}

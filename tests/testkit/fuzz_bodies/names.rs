//! Patterns of user names: a page shows exactly the people that match, and no pattern is expensive.

use ribbit_state::command::{Command, Proposal, Request, Stamp};
use ribbit_state::model::Model;
use ribbit_state::query::OperatorQuery;
use ribbit_state::text::fold_pattern;
use ribbit_state::{Page, RequestId};
use std::sync::LazyLock;

const NAMES: &[&str] = &[
    "a",
    "aa",
    "ab",
    "ada",
    "ada-2",
    "adam",
    "b",
    "b_b",
    "bo",
    "bob",
    "bobby",
    "z",
    "zz",
    "0",
    "9-9",
    "_",
    "-",
    "a-b",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "abababababababababababababababab",
];

static POND: LazyLock<Model> = LazyLock::new(|| {
    let mut pond = Model::new();
    for (at, name) in (1..).zip(NAMES) {
        let command = Command::CreateAccount {
            username: (*name).into(),
            name: (*name).into(),
            email: "a@b".into(),
            password_hash: "$argon2id$".into(),
            invitation: None,
        };
        let request = Request { id: RequestId(u128::from(at)), submitted_at: 0, origin: None, command };
        let proposal = Proposal { stamp: Stamp { wall_ms: 0, age_ms: at }, request };
        pond.apply(at, &proposal).expect("nothing here is refused");
    }
    pond
});

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(pattern) = fold_pattern(&text) else { return };
    let query = OperatorQuery::Accounts { names: text.to_string(), after: None }.into();
    let Ok(Page::Accounts { accounts, more }) = POND.answer(&query) else {
        panic!("a pattern that folds is looked for")
    };
    assert_eq!(more, None, "there are few");
    let mut fit: Vec<&str> =
        NAMES.iter().copied().filter(|name| fast_glob::glob_match(&pattern, name)).collect();
    fit.sort_unstable();
    let found: Vec<&str> = accounts.iter().map(|account| account.person.username.as_str()).collect();
    assert_eq!(
        found, fit,
        "{pattern:?}: what stands before the first wildcard narrows the search, and nothing else"
    );
    if pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
        assert!(found.iter().all(|name| *name == pattern), "without wildcards it is a name");
    }
}

//! What the session of an app may do: the rules, asked for every command of the table with sessions of all kinds.

use crate::records::commands;
use ribbit_state::command::{Proposal, Request, Stamp};
use ribbit_state::facts::AppUse;
use ribbit_state::model::Model;
use ribbit_state::rows::{AppAccess, Session, Sessions};
use ribbit_state::{AccountId, AppId, Change, Code, Command, RequestId, Scope, Scopes, TokenHash};

const TOKEN: TokenHash = TokenHash([9; 32]);
/// Age of the cluster at which the commands are applied.
const NOW_MS: u64 = 1_000;

fn proposal(index: u64, command: Command) -> Proposal {
    let request = Request { id: RequestId(index.into()), submitted_at: index - 1, command, origin: None };
    Proposal { stamp: Stamp { wall_ms: 0, age_ms: NOW_MS }, request }
}

/// Returns a state with one account and its session, of an app with these scopes or of the person alone.
fn with_session(scopes: Option<Scopes>) -> Model {
    let mut model = Model::new();
    let ada = Command::CreateAccount {
        username: "ada".into(),
        name: "Ada".into(),
        email: "a@b".into(),
        password_hash: "hash".into(),
        invitation: None,
    };
    assert!(model.apply(1, &proposal(1, ada)).is_ok());
    let session = Session {
        account: AccountId(1),
        opened: 2,
        opened_age_ms: 0,
        opened_wall_ms: 0,
        device: "Toot".into(),
        used_wall_ms: 0,
        confirmed_age_ms: None,
        app: scopes.map(|scopes| AppAccess { app: AppId(7), scopes }),
    };
    model.commit(2, &[Change::put::<Sessions>(&TOKEN, &session)]);
    model
}

/// Returns true if the rules refuse a command because of the scopes of its session.
fn is_outside(command: &Command, scopes: Option<Scopes>) -> bool {
    let mut command = command.clone();
    command.for_each_secret(|secret| *secret = TOKEN);
    let applied = with_session(scopes).decide(3, &proposal(3, command));
    matches!(applied.outcome, Err(denied) if denied.code == Code::OutsideScopes)
}

#[test]
fn an_app_does_what_its_scopes_cover_and_nothing_else() {
    for command in commands() {
        let needs = command.facts().by_app;
        let refused = |scopes| is_outside(&command, Some(scopes));
        assert!(!is_outside(&command, None), "a person by themselves: {command:?}");
        if command.secret().is_none() {
            assert_eq!(needs, AppUse::Never, "sent without a session: {command:?}");
            assert!(!refused(Scopes::default()), "{command:?}");
            continue;
        }
        match needs {
            AppUse::Never => assert!(refused(Scopes::all()), "{command:?}"),
            AppUse::Any => assert!(!refused(Scopes::default()), "{command:?}"),
            AppUse::Scope(scope) => {
                for one in Scope::ALL {
                    let set: Scopes = [*one].into_iter().collect();
                    assert_eq!(refused(set), !set.allows(scope), "{one:?}: {command:?}");
                }
                let others = Scope::ALL.iter().copied();
                let others: Scopes = others.filter(|one| !Scopes::from_iter([*one]).allows(scope)).collect();
                assert!(refused(others), "{command:?}");
            }
        }
    }
}

#[test]
fn no_app_takes_an_account_over() {
    let never =
        ["Authorize", "ChangePassword", "DeleteAccount", "EndSession", "EndOtherSessions", "MakeFeedAddress"];
    for name in never {
        let named = |command: &Command| format!("{command:?}").contains(&format!("{name} {{"));
        let command = commands().into_iter().find(named).unwrap_or_else(|| panic!("no {name}"));
        assert!(is_outside(&command, Some(Scopes::all())), "{name}");
    }
}

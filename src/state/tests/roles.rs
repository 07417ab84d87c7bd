//! Which role each change and each read of operators needs.

use super::{Log, token};
use crate::account_role::AccountRole;
use crate::code::{Code, Denied};
use crate::command::{
    Command, InvitationTerms, MemberChange, MemberName, NewPerson, OperatorCommand, Role, UnreplicatedAct,
    Verdict,
};
use crate::ids::AccountId;
use crate::limits::CONFIRMATION_AGE_MS_MAX;
use crate::query::{OperatorQuery, Query};
use crate::registration::{Inviters, Registration};
use std::collections::BTreeSet;

/// Every change of operators, about `about`, with the least role for it. The match has no `_` arm, so a new change does not
/// compile until it is classified, and then fails until it is among the samples.
fn changes(about: AccountId) -> Vec<(OperatorCommand, Option<AccountRole>)> {
    use AccountRole::{Admin, Moderator};
    let code = token("code");
    let member =
        |change| OperatorCommand::ChangeMember { name: MemberName::at_home(Role::Backend, 2), change };
    let (username, name) = ("new".to_string(), "New".to_string());
    let samples = vec![
        OperatorCommand::SetPassword { account: about, password_hash: "hash".into() },
        OperatorCommand::Suspend { account: about, suspended: true },
        OperatorCommand::Suspend { account: about, suspended: false },
        OperatorCommand::RemoveAccount { account: about },
        OperatorCommand::RemoveCroak { croak: 1 },
        OperatorCommand::SetRegistration { registration: Registration::Open },
        OperatorCommand::DescribeSite { name: None, welcome: None },
        OperatorCommand::DecideReport { report: 1, verdict: Verdict::Nothing },
        OperatorCommand::Announce { text: "rain".into(), for_ms: None },
        OperatorCommand::WithdrawAnnouncement { announcement: 1 },
        OperatorCommand::MakeResetLink { account: about, code },
        OperatorCommand::CreateWithLink {
            person: Box::new(NewPerson { username, name, ..NewPerson::default() }),
            code,
        },
        OperatorCommand::SetRole { account: about, role: Admin },
        OperatorCommand::RemoveRoomMessage { room: "pond".into(), message: 1 },
        OperatorCommand::Record { act: UnreplicatedAct::Backup { through: 1, rows: 1 } },
        OperatorCommand::DecideRequest { username: "fox".into(), approved: true },
        OperatorCommand::SetInviters { inviters: Inviters::Everyone },
        OperatorCommand::Invite { code, terms: InvitationTerms { uses: 1, for_ms: 1, room: None } },
        OperatorCommand::Uninvite { invitation: 1 },
        OperatorCommand::MakeJoinCode { nonce: 1, key: 1, for_ms: 1 },
        OperatorCommand::RevokeJoinCode { slot: 1 },
        OperatorCommand::RevokeResetLink { account: about },
        OperatorCommand::CloseRoom { room: "pond".into() },
        member(MemberChange::Drain),
        member(MemberChange::Undrain),
        member(MemberChange::Lead),
        member(MemberChange::Remove { alive: true }),
        OperatorCommand::RaiseRules { level: 1 },
        OperatorCommand::SetAutoFinish { auto: true },
    ];
    let kinds: BTreeSet<_> = samples.iter().map(|change| format!("{change:?}")).collect();
    assert_eq!(kinds.len(), samples.len());
    let mut met = BTreeSet::new();
    let classified = samples.into_iter().map(|change| {
        let (kind, least) = match &change {
            OperatorCommand::SetPassword { .. } => (0, None),
            OperatorCommand::Suspend { .. } => (1, Some(Moderator)),
            OperatorCommand::RemoveAccount { .. } => (2, Some(Admin)),
            OperatorCommand::RemoveCroak { .. } => (3, Some(Moderator)),
            OperatorCommand::SetRegistration { .. } => (4, Some(Admin)),
            OperatorCommand::DescribeSite { .. } => (5, Some(Admin)),
            OperatorCommand::DecideReport { .. } => (6, Some(Moderator)),
            OperatorCommand::Announce { .. } => (7, Some(Admin)),
            OperatorCommand::WithdrawAnnouncement { .. } => (8, Some(Admin)),
            OperatorCommand::MakeResetLink { .. } => (9, Some(Admin)),
            OperatorCommand::CreateWithLink { .. } => (10, Some(Admin)),
            OperatorCommand::SetRole { .. } => (11, Some(Admin)),
            OperatorCommand::RemoveRoomMessage { .. } => (12, Some(Moderator)),
            OperatorCommand::Record { .. } => (13, None),
            OperatorCommand::DecideRequest { .. } => (14, Some(Admin)),
            OperatorCommand::SetInviters { .. } => (15, Some(Admin)),
            OperatorCommand::Invite { .. } => (16, Some(Admin)),
            OperatorCommand::Uninvite { .. } => (17, Some(Admin)),
            OperatorCommand::MakeJoinCode { .. } => (18, None),
            OperatorCommand::RevokeJoinCode { .. } => (19, None),
            OperatorCommand::RevokeResetLink { .. } => (20, Some(Admin)),
            OperatorCommand::ChangeMember { .. } => (21, Some(Admin)),
            OperatorCommand::CloseRoom { .. } => (22, Some(Admin)),
            OperatorCommand::RaiseRules { .. } => (23, Some(Admin)),
            OperatorCommand::SetAutoFinish { .. } => (24, Some(Admin)),
        };
        met.insert(kind);
        (change, least)
    });
    let classified: Vec<_> = classified.collect();
    assert!(met.iter().copied().eq(0..met.len()), "a change has no sample: {met:?}");
    classified
}

/// Every read of operators with the least role for it.
fn reads() -> Vec<(OperatorQuery, AccountRole)> {
    vec![
        (OperatorQuery::Accounts { names: "*".into(), after: None }, AccountRole::Moderator),
        (OperatorQuery::Reports { after: None }, AccountRole::Moderator),
        (OperatorQuery::RoomNames { of: None, after: None }, AccountRole::Admin),
        (OperatorQuery::Audit { after: None, before: None, limit: 10 }, AccountRole::Admin),
        (OperatorQuery::JoinRequests { after: None }, AccountRole::Admin),
        (OperatorQuery::Invitations { after: None }, AccountRole::Admin),
        (OperatorQuery::JoinCodes, AccountRole::Admin),
        (OperatorQuery::Rooms { names: "*".into(), after: None }, AccountRole::Admin),
        (OperatorQuery::Figures, AccountRole::Admin),
    ]
}

/// Returns a log with an account of each role, logged in, and the person `bob`.
fn log() -> (Log, AccountId) {
    let mut log = Log::small();
    for role in AccountRole::ALL {
        let account = log.person(role.name());
        log.run(OperatorCommand::SetRole { account, role }.into()).unwrap();
    }
    let bob = log.create("bob");
    (log, bob)
}

fn refused(log: &mut Log, by: &str, change: &OperatorCommand, code: Code) -> bool {
    log.run(Command::Govern { session: token(by), change: change.clone() }) == Err(Denied::new(code))
}

#[test]
fn no_change_of_operators_is_reached_by_a_lesser_role() {
    let (_, bob) = log();
    for (change, least) in changes(bob) {
        assert_eq!(change.least_role(), least, "{change:?}");
        for role in AccountRole::ALL {
            let (mut log, _) = log();
            let allowed = least.is_some_and(|least| role >= least);
            let denied = refused(&mut log, role.name(), &change, Code::NotAllowed);
            assert_eq!(denied, !allowed, "{role:?} {change:?}");
        }
        let (mut log, _) = log();
        assert!(refused(&mut log, "nobody", &change, Code::NotLoggedIn), "{change:?}");
        // Ten minutes after the log-in the password is asked for again.
        log.age_ms = CONFIRMATION_AGE_MS_MAX;
        let expected = if least.is_some() { Code::ConfirmPassword } else { Code::NotAllowed };
        assert!(refused(&mut log, "admin", &change, expected), "{change:?}");
    }
}

#[test]
fn a_moderator_takes_nothing_from_an_account_with_a_role() {
    let (log, _) = log();
    let found = |name: &str| crate::lookup::account_named(&log.model, name).unwrap().unwrap().0;
    for about in [found("moderator"), found("admin")] {
        let suspend = OperatorCommand::Suspend { account: about, suspended: true };
        let (mut log, _) = self::log();
        assert!(refused(&mut log, "moderator", &suspend, Code::NotAllowed));
        assert!(log.run(Command::Govern { session: token("admin"), change: suspend }).is_ok());
    }
}

#[test]
fn no_read_of_operators_is_reached_by_a_lesser_role() {
    let (log, _) = log();
    for (query, least) in reads() {
        assert_eq!(query.least_role(), least, "{query:?}");
        for role in AccountRole::ALL {
            let asked = Query::Govern { session: token(role.name()), query: query.clone() };
            let expected = if role >= least { None } else { Some(Denied::new(Code::NotAllowed)) };
            assert_eq!(log.model.answer(&asked).err(), expected, "{role:?} {query:?}");
        }
        let asked = Query::Govern { session: token("nobody"), query };
        assert_eq!(log.model.answer(&asked).err(), Some(Denied::new(Code::NotLoggedIn)));
    }
}

/// While disks are full, an admin on the pages may do what an operator may.
#[test]
fn a_change_grows_the_store_whoever_makes_it() {
    for (change, _) in changes(AccountId(2)) {
        let by_account = Command::Govern { session: token("session"), change: change.clone() };
        let expected = matches!(change, OperatorCommand::CreateWithLink { .. });
        assert_eq!((by_account.grows(), Command::Operator(change).grows()), (expected, expected));
    }
}

//! Samples of the audit log.

use crate::records::line;
use ribbit_state::code::Code;
use ribbit_state::command::{Command, OperatorCommand, Origin, UnreplicatedAct};
use ribbit_state::ids::AccountId;
use ribbit_state::rows::{Act, Actor, AuditLog, AuditPerson, AuditRow, AuditThing, RefusedActs};

pub(crate) fn origin() -> Box<Origin> {
    Box::new(Origin { operator: "pi@board1".into(), address: "10.0.0.1".into() })
}

pub(crate) fn commands() -> [Command; 2] {
    [UnreplicatedAct::Backup { through: 300, rows: 7 }, UnreplicatedAct::RotateKey { generation: 2 }]
        .map(|act| OperatorCommand::Record { act }.into())
}

pub(crate) fn row() -> AuditRow {
    let Origin { operator, address } = *origin();
    AuditRow {
        number: 300,
        actor: Actor::Operator { name: operator },
        address,
        act: Act::DecideReport,
        person: Some(AuditPerson { account: Some(AccountId(1)), username: "ada".into() }),
        thing: AuditThing::Report { report: 300 },
        detail: "warn".into(),
        refused: None,
        wall_ms: 1_700_000_000_000,
        age_ms: 70_000,
    }
}

pub(crate) fn rows() -> [String; 2] {
    let actor = Actor::Account { account: AccountId(1), username: "ada".into() };
    let refused = AuditRow { actor, person: None, refused: Some(Code::NotYours), ..row() };
    [line::<AuditLog>("AuditLog", 300, row()), line::<RefusedActs>("RefusedActs", 300, refused)]
}

//! `/admin/members`: the members for admins, and the questions before a change of one. Pure.

use super::overview_page::store_line;
use super::pages::admin::{AdminHead, AdminTab, ProblemLine};
use super::pages::{NavEntry, PageFrame};
use super::status::{leader_line, megabytes};
use super::status_page::{self, MemberRow};
use askama::Template;
use ribbit_net::protocol::StoreStatus;
use ribbit_net::survey::{MemberView, Survey};
use ribbit_state::command::MemberChange;
use ribbit_state::{MemberName, Role};

/// Seconds after which a rate of written bytes says something.
const RATE_AFTER_S: u64 = 3_600;
const DAY_S: u64 = 86_400;

/// A member with all that is known of it.
#[derive(Debug)]
pub struct MemberCard {
    pub row: MemberRow,
    /// Names of figures and their values.
    pub facts: Vec<(&'static str, String)>,
    /// Size of its store, of a member that answers.
    pub store: Option<ProblemLine>,
    /// Changes that can be made: the value of `?change=` and the words of a link.
    pub changes: Vec<(&'static str, &'static str)>,
}

/// `/admin/members`: the members, with what can be changed.
#[derive(Debug, Template)]
#[template(path = "admin-members.html")]
pub struct MembersPage {
    pub frame: PageFrame,
    pub head: AdminHead,
    pub leader: String,
    pub members: Vec<MemberCard>,
}

impl MembersPage {
    pub fn new(frame: PageFrame, head: AdminHead, survey: &Survey) -> MembersPage {
        let members = survey.members.iter().map(|member| card(survey, member)).collect();
        MembersPage { frame, head, leader: leader_line(survey), members }
    }
}

fn card(survey: &Survey, member: &MemberView) -> MemberCard {
    let info = &member.info;
    let row = status_page::shown(survey, member);
    let mut facts =
        vec![("Raft id", info.raft_id.to_string()), ("Rules level", info.rules_level.to_string())];
    for (name, text) in [("Host", &info.host), ("Address", &info.address), ("Build", &member.build)] {
        if !text.is_empty() {
            facts.push((name, text.clone()));
        }
    }
    if let Some(store) = member.store {
        facts.push(("Free on its disk", megabytes(store.free_bytes)));
        facts.push(("Written to its disk", written(store)));
    }
    let leads = survey.leader.as_deref() == Some(&row.name);
    let may_lead = member.alive && member.voter && !leads && info.role == Role::Backend;
    let changes = [
        ("lead", "Make leader", may_lead),
        ("drain", "Take the vote", member.voter),
        ("undrain", "Let vote again", !member.voter),
        ("remove", "Remove", true),
    ];
    MemberCard {
        facts,
        store: store_line(member),
        changes: changes
            .into_iter()
            .filter_map(|(value, words, possible)| possible.then_some((value, words)))
            .collect(),
        row,
    }
}

/// Returns the wear of a card by a member, as far as its process knows.
fn written(store: StoreStatus) -> String {
    let StoreStatus { written_bytes, written_s, .. } = store;
    if written_bytes == 0 {
        return "unknown".to_string();
    }
    let total = format!("{} since it was started", megabytes(written_bytes));
    if written_s < RATE_AFTER_S {
        return total;
    }
    let daily = u128::from(written_bytes) * u128::from(DAY_S) / u128::from(written_s);
    format!("{total}, {} a day", megabytes(u64::try_from(daily).unwrap_or(u64::MAX)))
}

/// Returns the change with this value in a form. `alive`: a member is removed even while it is running.
pub fn change_named(value: &str, alive: bool) -> Option<MemberChange> {
    Some(match value {
        "lead" => MemberChange::Lead,
        "drain" => MemberChange::Drain,
        "undrain" => MemberChange::Undrain,
        "remove" => MemberChange::Remove { alive },
        _ => return None,
    })
}

/// The question before a change.
pub struct Question {
    pub title: &'static str,
    pub words: String,
    pub button: &'static str,
}

/// Returns the question before a change.
pub fn question(name: MemberName, change: MemberChange) -> Question {
    let (title, words, button) = match change {
        MemberChange::Lead => (
            "Make leader",
            format!("{name} takes over leadership. Writing pauses for a moment; nothing is lost."),
            "Make leader",
        ),
        MemberChange::Drain => (
            "Take the vote",
            format!(
                "{name} keeps its copy and serves people, but does not vote. Do this before you take its board away for a \
                 while. It keeps its vote until enough other voters answer."
            ),
            "Take the vote",
        ),
        MemberChange::Undrain => (
            "Let vote again",
            format!("{name} becomes a voter as soon as it is up to date and a seat is free."),
            "Let vote again",
        ),
        MemberChange::Remove { alive: true } => (
            "Remove member",
            format!(
                "{name} is running. It is removed for good and its process exits. To let it join again, delete its folder \
                 first."
            ),
            "Remove it",
        ),
        MemberChange::Remove { alive: false } => (
            "Remove member",
            format!(
                "{name} does not answer. It is removed for good. To let it join again, delete its folder first."
            ),
            "Remove it",
        ),
    };
    Question { title, words, button }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wear_of_a_card_is_told_by_the_day() {
        let store = |written_bytes, written_s| {
            written(StoreStatus { written_bytes, written_s, ..StoreStatus::default() })
        };
        assert_eq!(store(0, 9), "unknown");
        assert_eq!(store(5_000_000, 60), "5 MB since it was started");
        assert_eq!(store(5_000_000, 2 * DAY_S), "5 MB since it was started, 3 MB a day");
        assert!(store(u64::MAX, RATE_AFTER_S).contains("a day"));
    }
}

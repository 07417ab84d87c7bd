//! `/status`: how the servers are, for whoever is curious. A dot for each, told apart by shape as well as by colour.
//!
//! Anybody may look: no addresses, no people, nothing that says where a machine is.

use super::health::trouble_words;
use super::pages::{Place, Shell};
use super::status::{behind, what_may_be_lost};
use super::time::{self, Shown};
use crate::net::health::{State, judge, state};
use crate::net::protocol::HistoryLine;
use crate::net::survey::{MemberView, Survey};
use crate::state::Role;
use askama::Template;

/// The page asks again by itself.
const REFRESH_SECONDS: u8 = 5;
/// Lines of what happened lately.
const HISTORY_MAX: usize = 12;

/// How a member's dot looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dot {
    Leads,
    Well,
    Behind,
    Missing,
}

impl Dot {
    /// Of the stylesheet.
    fn class(self) -> &'static str {
        match self {
            Dot::Leads => "leads",
            Dot::Well => "well",
            Dot::Behind => "behind",
            Dot::Missing => "missing",
        }
    }
}

#[derive(Debug)]
pub struct ShownMember {
    pub name: String,
    pub dot: Dot,
    /// `leads`, `votes`, `learns, behind`, `missing`.
    pub is: &'static str,
    /// Entries behind the furthest, where that is known.
    pub lag: Option<u64>,
    /// Of a backend that is there.
    pub clients: Option<u32>,
}

/// Something that happened.
#[derive(Debug)]
pub struct ShownLine {
    /// Nothing where the clock of who tells it cannot be right.
    pub time: Option<Shown>,
    pub words: String,
}

#[derive(Debug, Template)]
#[template(path = "status.html")]
pub struct StatusPage {
    pub shell: Shell,
    pub state: State,
    pub headline: &'static str,
    pub leads: String,
    pub to_spare: String,
    pub troubles: Vec<String>,
    pub members: Vec<ShownMember>,
    /// The newest first.
    pub history: Vec<ShownLine>,
}

impl StatusPage {
    /// `still`: it does not ask again by itself.
    pub fn new(shell: Shell, survey: &Survey, history: &[HistoryLine], still: bool) -> StatusPage {
        let troubles = judge(survey);
        let line =
            |line: &HistoryLine| ShownLine { time: time::shown(line.wall_ms), words: line.words.clone() };
        StatusPage {
            shell: Shell { refresh: (!still).then_some(REFRESH_SECONDS), ..shell },
            state: state(&troubles),
            headline: match state(&troubles) {
                State::Fine => "All is well.",
                State::Degraded => "It works, and somebody should look.",
                State::Down if !survey.anyone() => "No servers are running.",
                State::Down => "It does not work at the moment.",
            },
            leads: match &survey.leader {
                Some(leader) => format!("{leader} leads."),
                None => String::new(),
            },
            to_spare: if survey.anyone() { what_may_be_lost(survey) } else { String::new() },
            troubles: troubles.iter().map(trouble_words).collect(),
            members: survey.members.iter().map(|member| shown(survey, member)).collect(),
            history: history.iter().rev().take(HISTORY_MAX).map(line).collect(),
        }
    }

    /// The box around the headline, as other pages have it.
    fn class(&self) -> &'static str {
        match self.state {
            State::Fine => "note",
            State::Degraded => "old",
            State::Down => "trouble",
        }
    }
}

fn shown(survey: &Survey, member: &MemberView) -> ShownMember {
    let leads = survey.leader.as_deref() == Some(&member.info.name());
    let (dot, is) = match (member.alive, leads, member.in_sync, member.voter) {
        (false, ..) => (Dot::Missing, "missing"),
        (_, true, ..) => (Dot::Leads, "leads"),
        (.., true, true) => (Dot::Well, "votes"),
        (.., true, false) => (Dot::Well, "learns"),
        (.., false, true) => (Dot::Behind, "votes, behind"),
        (.., false, false) => (Dot::Behind, "learns, behind"),
    };
    ShownMember {
        name: member.info.name(),
        dot,
        is,
        lag: member.alive.then(|| behind(survey, member)),
        clients: (member.alive && member.info.role == Role::Backend).then_some(member.info.clients),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::protocol::MemberInfo;

    fn member(id: u32, applied: u64, alive: bool) -> MemberView {
        let address = "10.9.8.7:1".to_string();
        MemberView {
            info: MemberInfo {
                raft_id: id.into(),
                id,
                applied,
                address,
                clients: 3,
                ..MemberInfo::default()
            },
            alive,
            voter: true,
            in_sync: alive,
            store_open: alive,
            has_lease: alive,
            ..MemberView::default()
        }
    }

    fn page(survey: &Survey, history: &[HistoryLine]) -> String {
        StatusPage::new(Shell::new("Servers", Place::Status, false), survey, history, false).render().unwrap()
    }

    #[test]
    fn a_dot_for_each_who_leads_and_what_may_be_lost() {
        let survey = Survey {
            leader: Some("backend-1".into()),
            term: 3,
            members: vec![member(1, 42, true), member(2, 40, true), member(3, 7, false)],
            can_lose_processes: 0,
            can_lose_machines: 0,
        };
        let line = HistoryLine { wall_ms: 0, words: "backend-3 <gave> up".into() };
        let html = page(&survey, &[line]);
        assert_eq!(html.matches("<svg").count(), 3, "{html}");
        for words in
            ["backend-1 leads.", "backend-3 is missing.", "Nothing more may be lost", "2 behind", "3 clients"]
        {
            assert!(html.contains(words), "no {words:?} in {html}");
        }
        assert!(
            html.contains("backend-3 &#60;gave&#62; up")
                && html.contains("http-equiv=\"refresh\"")
                && html.contains("?still"),
            "{html}"
        );
        assert!(!html.contains("10.9.8.7"), "{html}");
    }

    #[test]
    fn nobody_is_said_plainly() {
        let html = page(&Survey::default(), &[]);
        assert!(html.contains("No servers are running.") && !html.contains("<svg"), "{html}");
        assert!(!html.contains("What happened lately"), "{html}");
    }
}

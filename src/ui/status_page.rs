//! `/status`: the state of the servers. A picture of a pond shows a lily pad for each server, the frog on the leader's pad,
//! and in the middle the number of failures that are survived. What operators need is folded away below it: a line for each
//! server, where states differ by shape as well as by colour, and recent events.
//!
//! The page is public, so it shows no addresses, no user data, and nothing that tells where a machine is.

use super::health::problem_words;
use super::pages::{NavEntry, PageFrame};
use super::status::{behind, survivable_failures};
use super::time::{self, DisplayTime};
use askama::Template;
use ribbit_net::health::{Health, Problem, overall, problems};
use ribbit_net::protocol::HistoryLine;
use ribbit_net::survey::{MemberView, Survey};
use ribbit_state::Role;

/// Seconds between two refreshes of the page.
const REFRESH_SECONDS: u8 = 5;
/// Maximum number of recent events.
const HISTORY_MAX: usize = 12;

/// Shape of a member's dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberMark {
    Leads,
    Well,
    Behind,
    Missing,
}

impl MemberMark {
    /// Returns its class in the stylesheet.
    fn class(self) -> &'static str {
        match self {
            MemberMark::Leads => "leads",
            MemberMark::Well => "well",
            MemberMark::Behind => "behind",
            MemberMark::Missing => "missing",
        }
    }
}

/// A member in the list.
#[derive(Debug)]
pub struct MemberRow {
    pub name: String,
    pub dot: MemberMark,
    /// Health as text: `leader`, `voter`, `learner, behind`, `offline`.
    pub is: &'static str,
    /// Number of entries behind the furthest member, if known.
    pub lag: Option<u64>,
    /// Number of clients, of a backend that is up.
    pub clients: Option<u32>,
    /// Applied index and the index to reach, while it catches up.
    pub progress: Option<(u64, u64)>,
}

/// A member in the picture.
#[derive(Debug)]
pub struct LilyPad {
    pub x: i32,
    pub y: i32,
    pub dot: MemberMark,
    /// Radius; larger for voters.
    pub radius: i32,
    /// Name; empty if there is no room for it.
    pub label: String,
}

impl LilyPad {
    /// Returns the SVG path of a lily pad: a disc with a slice cut out.
    fn leaf(&self) -> String {
        let radius = f64::from(self.radius);
        let (x, y) = ((0.98 * radius).round(), (0.2 * radius).round());
        format!("M0 0L{x} {y}A{radius} {radius} 0 1 1 {x} {}z", -y)
    }
}

/// Maximum number of members with names in the picture.
const LABELS_MAX: usize = 8;

/// Places the members on a ring in the order of the list, so that each stays where it was.
fn pads(survey: &Survey) -> Vec<LilyPad> {
    let count = survey.members.len();
    let crowded = count > LABELS_MAX;
    let place = |(number, member): (usize, &MemberView)| {
        let turn = std::f64::consts::TAU * number as f64 / count as f64;
        let radius = if member.voter { 20 } else { 14 };
        LilyPad {
            x: (160.0 + 112.0 * turn.sin()).round() as i32,
            y: (106.0 - 74.0 * turn.cos()).round() as i32,
            dot: shown(survey, member).dot,
            radius: if crowded { radius / 2 } else { radius },
            label: if crowded { String::new() } else { member.info.name() },
        }
    };
    survey.members.iter().enumerate().map(place).collect()
}

/// A recent event.
#[derive(Debug)]
pub struct EventRow {
    /// `None` if the clock of the member that reported it was not set.
    pub time: Option<DisplayTime>,
    pub words: String,
}

/// `/status`.
#[derive(Debug, Template)]
#[template(path = "status.html")]
pub struct StatusPage {
    pub frame: PageFrame,
    pub state: Health,
    pub headline: &'static str,
    pub leads: String,
    pub to_spare: String,
    pub troubles: Vec<String>,
    /// Number of processes that may fail.
    pub spare: u32,
    pub pads: Vec<LilyPad>,
    pub members: Vec<MemberRow>,
    /// Recent events, newest first.
    pub history: Vec<EventRow>,
}

impl StatusPage {
    /// Makes the page. It does not refresh by itself if `still`.
    pub fn new(frame: PageFrame, survey: &Survey, history: &[HistoryLine], still: bool) -> StatusPage {
        let troubles = problems(survey);
        let line =
            |line: &HistoryLine| EventRow { time: time::shown(line.wall_ms), words: line.words.clone() };
        StatusPage {
            frame: PageFrame { refresh: (!still).then_some(REFRESH_SECONDS), ..frame },
            state: overall(&troubles),
            headline: headline(survey, &troubles),
            leads: match &survey.leader {
                Some(leader) => format!("{leader} is the leader."),
                None => String::new(),
            },
            to_spare: if survey.has_answers() { survivable_failures(survey) } else { String::new() },
            troubles: troubles.iter().map(problem_words).collect(),
            spare: survey.can_lose_processes,
            pads: pads(survey),
            members: survey.members.iter().map(|member| shown(survey, member)).collect(),
            history: history.iter().rev().take(HISTORY_MAX).map(line).collect(),
        }
    }

    /// Returns the class of the box around the headline.
    fn class(&self) -> &'static str {
        match self.state {
            Health::Fine => "note",
            Health::Degraded => "old",
            Health::Down | Health::Unknown => "trouble",
        }
    }
}

/// Returns the state of the cluster as a sentence.
pub(super) fn headline(survey: &Survey, troubles: &[Problem]) -> &'static str {
    match overall(troubles) {
        Health::Fine => "All is well.",
        Health::Degraded => "It works, but something needs attention.",
        Health::Down if !survey.has_answers() => "No servers are running.",
        Health::Down if troubles.iter().all(|one| one.health() < Health::Down || *one == Problem::NoRoom) => {
            "You can read, but nothing new can be posted."
        }
        Health::Down => "It doesn't work at the moment.",
        Health::Unknown => "No member of the cluster answers.",
    }
}

pub(super) fn shown(survey: &Survey, member: &MemberView) -> MemberRow {
    let leads = survey.leader.as_deref() == Some(&member.info.name());
    let (dot, is) = match (member.alive, leads, member.in_sync, member.voter) {
        (false, ..) => (MemberMark::Missing, "offline"),
        (_, true, ..) => (MemberMark::Leads, "leader"),
        (.., true, true) => (MemberMark::Well, "voter"),
        (.., true, false) => (MemberMark::Well, "learner"),
        (.., false, true) if survey.leader.is_none() => (MemberMark::Behind, "voter, no leader"),
        (.., false, false) if survey.leader.is_none() => (MemberMark::Behind, "learner, no leader"),
        (.., false, true) => (MemberMark::Behind, "voter, behind"),
        (.., false, false) => (MemberMark::Behind, "learner, behind"),
    };
    // Without a leader the newest entry is not known. A member that is not in sync may lack entries it has not heard of, so a
    // lag of 0 would be wrong.
    let known = member.alive && survey.leader.is_some();
    let lag = known.then(|| behind(survey, member)).filter(|lag| member.in_sync || *lag > 0);
    MemberRow {
        name: member.info.name(),
        dot,
        is,
        lag,
        progress: lag
            .filter(|_| dot == MemberMark::Behind)
            .map(|lag| (member.info.applied, member.info.applied + lag)),
        clients: (member.alive && member.info.role == Role::Backend).then_some(member.info.clients),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_net::protocol::{MemberInfo, StoreStatus};

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
            stalled: false,
            store_open: alive,
            has_lease: alive,
            ..MemberView::default()
        }
    }

    fn page(survey: &Survey, history: &[HistoryLine]) -> String {
        StatusPage::new(PageFrame::new("Servers", NavEntry::Status, false), survey, history, false)
            .render()
            .unwrap()
    }

    #[test]
    fn the_page_shows_each_member_the_leader_and_failures_that_are_survived() {
        let survey = Survey {
            leader: Some("backend-1".into()),
            term: 3,
            members: vec![member(1, 42, true), member(2, 40, true), member(3, 7, false)],
            can_lose_processes: 0,
            can_lose_machines: 0,
            ..Survey::default()
        };
        let mut survey = survey;
        assert!(!page(&survey, &[]).contains("<progress"), "no progress bar for a member in sync");
        survey.members[1].in_sync = false;
        let line = HistoryLine { wall_ms: 0, words: "backend-3 <gave> up".into() };
        let html = page(&survey, &[line]);
        assert_eq!(html.matches("<svg").count(), 1 + 3, "{html}");
        assert_eq!(
            (html.matches("class=\"pad").count(), html.matches("class=\"crown").count()),
            (3, 1),
            "{html}"
        );
        assert!(html.contains("<progress max=\"42\" value=\"40\"") && html.matches("<progress").count() == 1);
        for words in [
            "backend-1 is the leader.",
            "backend-3 is offline.",
            "Cannot survive any",
            "2 behind",
            "3 clients",
        ] {
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
    fn no_member_is_up_to_date_without_a_leader_or_out_of_sync() {
        let members = vec![member(1, 42, true), member(2, 42, true), member(3, 42, false)];
        let mut survey = Survey {
            leader: None,
            term: 3,
            members,
            can_lose_processes: 0,
            can_lose_machines: 0,
            ..Survey::default()
        };
        survey.members.iter_mut().for_each(|member| member.in_sync = false);
        let html = page(&survey, &[]);
        assert!(html.contains("voter, no leader"), "{html}");
        for wrong in ["up to date", "<progress", "voter, behind"] {
            assert!(!html.contains(wrong), "{wrong}: {html}");
        }
        survey.leader = Some("backend-1".into());
        let html = page(&survey, &[]);
        assert!(html.contains("voter, behind") && !html.contains("<progress"), "{html}");
        assert_eq!(html.matches("up to date").count(), 0, "{html}");
    }

    #[test]
    fn full_disks_stop_posts_but_not_reading() {
        let mut members = vec![member(1, 42, true), member(2, 42, true), member(3, 42, true)];
        members
            .iter_mut()
            .for_each(|member| member.store = Some(StoreStatus { full: true, ..StoreStatus::default() }));
        let leader = Some("backend-1".into());
        let survey = Survey {
            leader,
            term: 3,
            members,
            can_lose_processes: 1,
            can_lose_machines: 0,
            ..Survey::default()
        };
        let html = page(&survey, &[]);
        assert!(html.contains("<b>You can read, but nothing new can be posted.</b>"), "{html}");
    }

    #[test]
    fn without_servers_the_page_says_so() {
        let html = page(&Survey::default(), &[]);
        assert!(html.contains("No servers are running.") && !html.contains("<svg"), "{html}");
        assert!(!html.contains("Recent events"), "{html}");
    }
}

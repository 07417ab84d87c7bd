//! `/admin`: the state of the cluster for moderators and admins, with the judgements of `ribbit health` and `ribbit doctor`. Pure.

use super::doctor::{self, Finding};
use super::health::{problem_fix, problem_words};
use super::pages::admin::{AdminHead, AdminTab};
use super::pages::{NavEntry, PageFrame};
use super::status::{leader_line, survivable_failures};
use super::status_page::{self, MemberRow};
use askama::Template;
use ribbit_net::health::problems;
use ribbit_net::protocol::StoreStatus;
use ribbit_net::survey::{MemberView, Survey};

/// A problem of the cluster or of a member, in words.
#[derive(Debug)]
pub struct ProblemLine {
    pub words: String,
    /// Advice to the operator.
    pub fix: Option<String>,
}

/// A member in the overview.
#[derive(Debug)]
pub struct MemberLine {
    pub row: MemberRow,
    /// Host name of its machine; empty if unknown.
    pub host: String,
    /// Size of its store, of a member that answers.
    pub store: Option<ProblemLine>,
}

/// `/admin`: the state of the cluster.
#[derive(Debug, Template)]
#[template(path = "admin-overview.html")]
pub struct OverviewPage {
    pub frame: PageFrame,
    pub head: AdminHead,
    pub headline: &'static str,
    pub leader: String,
    /// Sentence about the number of members that may fail.
    pub to_spare: String,
    pub problems: Vec<ProblemLine>,
    pub members: Vec<MemberLine>,
    /// Number of reports that wait, and true if there are more.
    pub reports: (usize, bool),
}

/// Returns the size of a member's store, judged as `ribbit doctor` does. `None` if the member does not answer.
pub(crate) fn store_line(member: &MemberView) -> Option<ProblemLine> {
    let StoreStatus { bytes, quota_bytes, free_bytes, .. } = member.store?;
    let name = member.info.name();
    let (words, fix) = doctor::said(&Finding::Store { name, bytes, quota_bytes, free_bytes });
    Some(ProblemLine { words, fix })
}

impl OverviewPage {
    /// Makes the page. It has the judgements of `ribbit health`, and those of `ribbit doctor` about stores.
    pub fn new(frame: PageFrame, head: AdminHead, survey: &Survey, reports: (usize, bool)) -> OverviewPage {
        let problems = problems(survey);
        let member = |member: &MemberView| MemberLine {
            row: status_page::shown(survey, member),
            host: member.info.host.clone(),
            store: store_line(member),
        };
        OverviewPage {
            headline: status_page::headline(survey, &problems),
            leader: leader_line(survey),
            to_spare: survivable_failures(survey),
            problems: problems
                .iter()
                .map(|one| ProblemLine { words: problem_words(one), fix: problem_fix(one) })
                .collect(),
            members: survey.members.iter().map(member).collect(),
            reports,
            frame,
            head,
        }
    }
}

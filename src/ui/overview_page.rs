//! `/admin`: the state of the cluster for moderators and admins, with the judgements of `ribbit health` and `ribbit doctor`. Pure.

use super::doctor::{self, Finding};
use super::health::{problem_fix, problem_words};
use super::pages::admin::{AdminHead, AdminTab, ProblemLine};
use super::pages::{NavEntry, PageFrame};
use super::status::{leader_line, megabytes, survivable_failures};
use super::status_page::{self, MemberRow};
use super::time;
use askama::Template;
use ribbit_net::health::problems;
use ribbit_net::protocol::StoreStatus;
use ribbit_net::survey::{MemberView, Survey};
use ribbit_state::limits::{PEOPLE_COUNTED_MAX, RING_CROAKS};
use ribbit_state::query::Figures;
use std::collections::BTreeSet;

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
    /// Counts of the whole cluster, for admins.
    pub figures: Vec<(&'static str, String)>,
    /// The newest backup, for admins.
    pub backup: Option<ProblemLine>,
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

/// Cluster age in milliseconds after which a backup is old.
const BACKUP_OLD_MS: u64 = 7 * 86_400_000;

/// Returns the age of the newest backup, with advice if it is old.
pub fn backup_line(figures: &Figures) -> ProblemLine {
    let advice =
        || Some("Run `ribbit backup --to-dir FOLDER --keep 7` where the cluster file is.".to_string());
    let Some(row) = &figures.backup else {
        return ProblemLine { words: "There is no backup among the newest acts.".into(), fix: advice() };
    };
    let age_ms = figures.age_ms.saturating_sub(row.age_ms);
    let words = format!("Newest backup: {}, {}.", time::seconds_ago(age_ms / 1000), row.detail);
    ProblemLine { words, fix: advice().filter(|_| age_ms > BACKUP_OLD_MS) }
}

fn counts(survey: &Survey, figures: &Figures) -> Vec<(&'static str, String)> {
    let counted = |count: u32, max: usize| {
        let more = if count as usize >= max { " or more" } else { "" };
        format!("{count}{more}")
    };
    let stores = || survey.members.iter().filter_map(|member| member.store);
    let sum = |bytes: fn(StoreStatus) -> u64| megabytes(stores().map(bytes).fold(0, u64::saturating_add));
    let builds: BTreeSet<&str> =
        survey.members.iter().map(|member| member.build.as_str()).filter(|build| !build.is_empty()).collect();
    vec![
        ("People", counted(figures.people, PEOPLE_COUNTED_MAX)),
        ("Croaks", counted(figures.croaks, RING_CROAKS)),
        ("Rooms", figures.rooms.to_string()),
        ("Stored by all members", sum(|store| store.bytes)),
        ("Written to their disks since they were started", sum(|store| store.written_bytes)),
        ("Versions", builds.into_iter().collect::<Vec<_>>().join(", ")),
    ]
}

impl OverviewPage {
    /// Makes the page. It has the judgements of `ribbit health`, and those of `ribbit doctor` about stores.
    pub fn new(
        frame: PageFrame,
        head: AdminHead,
        survey: &Survey,
        reports: (usize, bool),
        figures: Option<&Figures>,
    ) -> OverviewPage {
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
            figures: figures.map(|figures| counts(survey, figures)).unwrap_or_default(),
            backup: figures.map(backup_line),
            reports,
            frame,
            head,
        }
    }
}

//! An upgrade of the cluster, as text for people and as JSON for scripts: what each member runs, what to do in which order, and
//! whether going back is possible.

use super::table::{Align, layout};
use ribbit_net::survey::{MemberView, Survey};
use ribbit_state::Role;
use ribbit_state::limits::FIRST_RULES_LEVEL;
use serde::Serialize;

#[derive(Serialize)]
struct UpgradeJson<'a> {
    /// Rules level in force; 0 if unknown.
    rules_level: u32,
    /// Highest level that any member understands.
    highest: u32,
    finished: bool,
    can_go_back: bool,
    auto_finish: bool,
    members: Vec<UpgradeMemberJson<'a>>,
}

#[derive(Serialize)]
struct UpgradeMemberJson<'a> {
    name: String,
    alive: bool,
    /// Null if the member does not answer.
    version: Option<&'a str>,
    build: Option<&'a str>,
    rules_level: u32,
}

/// Returns version and commit of a build.
fn parts(build: &str) -> (&str, &str) {
    let (version, rest) = build.split_once(" (").unwrap_or((build, ""));
    (version, rest.split([',', ')']).next().unwrap_or_default())
}

/// Returns true if the store of each member can be read by a version that understands the level before the newest one.
fn can_go_back(survey: &Survey) -> bool {
    survey.unfinished_upgrade().is_some() || survey.rules_level == FIRST_RULES_LEVEL
}

fn silent(survey: &Survey) -> Vec<String> {
    survey.appliers().filter(|member| !member.alive).map(|member| member.info.name()).collect()
}

/// Returns what an unfinished upgrade waits for and what to do, or `None` if there is none.
pub fn unfinished(survey: &Survey) -> Option<(String, String)> {
    let level = survey.unfinished_upgrade()?;
    let begun = format!("an upgrade is not finished: rules level {level} is not in force");
    let (older, silent) = (survey.older_than(level), silent(survey));
    Some(if !silent.is_empty() {
        let names = silent.join(", ");
        (
            format!("{begun}, and it is not known what {names} can run"),
            format!("start {names}, or remove what will not be back with `ribbit member remove`"),
        )
    } else if !older.is_empty() {
        let names = older.join(", ");
        (
            format!("{begun}, because an earlier version runs on {names}"),
            format!("upgrade {names}; `ribbit upgrade plan` shows the order"),
        )
    } else if survey.auto_finish {
        (begun, "it finishes by itself once every member has been in sync for an hour".into())
    } else {
        (begun, "run `ribbit upgrade finish` once you do not want to go back to the version before".into())
    })
}

/// Returns the sentence about a cluster whose members understand no higher level.
pub fn nothing_to_finish(survey: &Survey) -> String {
    format!(
        "There is nothing to finish: the cluster uses rules level {}, the highest that its members understand.",
        survey.rules_level
    )
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// Returns the sentences about going back.
fn going_back(survey: &Survey) -> String {
    let level = survey.rules_level;
    match can_go_back(survey) {
        true if survey.unfinished_upgrade().is_some() => format!(
            "Going back is possible until then: every version that understands rules level {level} reads the stores."
        ),
        true => format!("Going back is possible to every version that understands rules level {level}."),
        false => {
            format!("Going back to a version that does not understand rules level {level} is not possible.")
        }
    }
}

/// Returns the state of the upgrade for people, without a line end after the last line.
pub fn status(survey: &Survey) -> String {
    let head = ["MEMBER", "VERSION", "BUILD", "UNDERSTANDS", "STATE"].map(String::from).to_vec();
    let row = |member: &MemberView| {
        let name = member.info.name();
        let (version, build) = if member.alive { parts(&member.build) } else { ("-", "-") };
        let state = match survey.leader.as_ref() == Some(&name) {
            _ if !member.alive => "does not answer",
            true => "leads",
            false => "",
        };
        let level = format!("rules level {}", member.info.rules_level);
        vec![name.clone(), version.into(), build.into(), level, state.into()]
    };
    let rows: Vec<_> = std::iter::once(head).chain(survey.appliers().map(row)).collect();
    let mut lines = vec![layout(&[Align::Left; 5], &rows)];
    match unfinished(survey) {
        Some((words, fix)) => {
            lines.push(format!("The cluster uses rules level {}.", survey.rules_level));
            lines.push(format!("{} What to do: {fix}.", sentence(&words)));
        }
        None => lines.push(nothing_to_finish(survey)),
    }
    lines.push(going_back(survey));
    if survey.auto_finish {
        lines.push("Upgrades finish by themselves; `ribbit upgrade hold` ends that.".into());
    }
    lines.join("\n")
}

/// Returns the state of the upgrade as one line of JSON.
pub fn json(survey: &Survey) -> String {
    let members = survey.appliers().map(|member| {
        let name = member.info.name();
        let build = member.alive.then(|| parts(&member.build));
        UpgradeMemberJson {
            alive: member.alive,
            version: build.map(|(version, _)| version),
            build: build.map(|(_, build)| build),
            rules_level: member.info.rules_level,
            name,
        }
    });
    let json = UpgradeJson {
        rules_level: survey.rules_level,
        highest: survey.unfinished_upgrade().unwrap_or(survey.rules_level),
        finished: survey.unfinished_upgrade().is_none(),
        can_go_back: can_go_back(survey),
        auto_finish: survey.auto_finish,
        members: members.collect(),
    };
    serde_json::to_string(&json).expect("plain data always serialises")
}

/// Returns the steps of an upgrade to the version of this program, for people. `ours`: its build, and the rules level that it
/// understands.
pub fn plan(survey: &Survey, (ours, level): (&str, u32)) -> String {
    let runs_ours = |member: &MemberView| parts(&member.build) == parts(ours);
    let leads = |member: &MemberView| survey.leader.as_ref() == Some(&member.info.name());
    let mut waiting: Vec<&MemberView> = survey.appliers().filter(|member| !runs_ours(member)).collect();
    // The leader comes last. Coordinators serve no people, so they come first.
    waiting.sort_by_key(|member| (leads(member), member.info.role == Role::Backend));
    let all = survey.appliers().count();
    let (version, commit) = parts(ours);
    let mut lines = vec![match waiting.len() {
        0 => format!("Every member runs this program's version, {version} ({commit})."),
        some => format!(
            "This program is {version} ({commit}). Members that run another version: {some} of {all}."
        ),
    }];
    let away = silent(survey);
    if !away.is_empty() {
        let names = away.join(", ");
        lines
            .push(format!("First start {names}, or remove what will not be back: ribbit member remove NAME"));
    }
    if !waiting.is_empty() {
        lines.push(
            "One at a time. Before the next one, wait until `ribbit health` says that all is well.".into(),
        );
    }
    let mut installed = Vec::new();
    for (number, member) in waiting.iter().enumerate() {
        let info = &member.info;
        let host = if info.host.is_empty() { &info.address } else { &info.host };
        lines.push(format!("\n{}. {} on {host}", number + 1, info.name()));
        if leads(member) {
            let next = survey.appliers().find(|other| {
                other.info.role == Role::Backend && other.voter && other.alive && !leads(other)
            });
            lines.push(match next {
                Some(next) => format!("   ribbit transfer {}", next.info.name()),
                None => "   Reads and writes wait while it restarts: there is no other backend.".into(),
            });
        }
        if !installed.contains(&host) {
            installed.push(host);
            lines.push(format!("   {host}$ sudo dpkg -i ribbit_{version}_….deb"));
        }
        let (role, id) = (info.role.name(), info.id);
        lines.push(format!("   {host}$ sudo systemctl restart ribbit-{role}@{id}"));
    }
    if !waiting.is_empty() {
        lines.push("\nThen on each board what else runs there:".into());
        lines.push(
            "   sudo systemctl try-restart ribbit-balancer ribbit-web ribbit-gateway ribbit-irc".into(),
        );
    }
    lines.push(String::new());
    if level.max(survey.unfinished_upgrade().unwrap_or(0)) > survey.rules_level {
        lines.push("Last, once you do not want to go back: ribbit upgrade finish".into());
    } else {
        lines.push(nothing_to_finish(survey));
    }
    lines.push(going_back(survey));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_net::protocol::MemberInfo;

    const OLD: &str = "0.2.0 (aaaa, x)";
    const NEW: &str = "0.3.0 (bbbb, x)";

    /// A cluster at level 1 whose members understand these levels. The first leads.
    fn cluster(levels: &[(Role, u32, bool)]) -> Survey {
        let view = |(number, (role, rules_level, alive)): (usize, &(Role, u32, bool))| {
            let (id, host) = (number as u32 + 1, format!("board{}", number + 1));
            let info =
                MemberInfo { role: *role, id, rules_level: *rules_level, host, ..MemberInfo::default() };
            let build = match (alive, rules_level) {
                (false, _) => "",
                (true, 1) => OLD,
                (true, _) => NEW,
            };
            MemberView { info, alive: *alive, voter: true, build: build.into(), ..MemberView::default() }
        };
        let members: Vec<_> = levels.iter().enumerate().map(view).collect();
        let leader = Some(members[0].info.name());
        Survey { leader, rules_level: 1, members, ..Survey::default() }
    }

    #[test]
    fn a_plan_ends_with_the_leader_and_never_has_two_at_once() {
        let survey = cluster(&[
            (Role::Backend, 1, true),
            (Role::Backend, 1, true),
            (Role::Backend, 2, true),
            (Role::Coordinator, 1, true),
        ]);
        let said = plan(&survey, (NEW, 2));
        let expected = "\
This program is 0.3.0 (bbbb). Members that run another version: 3 of 4.
One at a time. Before the next one, wait until `ribbit health` says that all is well.

1. coordinator-4 on board4
   board4$ sudo dpkg -i ribbit_0.3.0_….deb
   board4$ sudo systemctl restart ribbit-coordinator@4

2. backend-2 on board2
   board2$ sudo dpkg -i ribbit_0.3.0_….deb
   board2$ sudo systemctl restart ribbit-backend@2

3. backend-1 on board1
   ribbit transfer backend-2
   board1$ sudo dpkg -i ribbit_0.3.0_….deb
   board1$ sudo systemctl restart ribbit-backend@1

Then on each board what else runs there:
   sudo systemctl try-restart ribbit-balancer ribbit-web ribbit-gateway ribbit-irc

Last, once you do not want to go back: ribbit upgrade finish
Going back is possible until then: every version that understands rules level 1 reads the stores.";
        assert_eq!(said, expected);
    }

    #[test]
    fn clusters_of_one_and_clusters_without_a_level_to_rise_to_read_naturally() {
        let alone = cluster(&[(Role::Backend, 1, true)]);
        let said = plan(&alone, (OLD, 1));
        let expected = "Every member runs this program's version, 0.2.0 (aaaa).\n\nThere is nothing to finish: the cluster uses \
                        rules level 1, the highest that its members understand.\nGoing back is possible to every version that \
                        understands rules level 1.";
        assert_eq!(said, expected);
        let said = plan(&alone, (NEW, 2));
        assert!(said.contains("   Reads and writes wait while it restarts"), "{said}");
        let expected = "MEMBER     VERSION  BUILD  UNDERSTANDS    STATE\nbackend-1  0.2.0    aaaa   rules level 1  leads\n\n\
                        There is nothing to finish: the cluster uses rules level 1, the highest that its members understand.\n\
                        Going back is possible to every version that understands rules level 1.";
        assert_eq!(status(&alone), expected);
        let risen = cluster(&[(Role::Backend, 2, true)]);
        let risen = Survey { rules_level: 2, ..risen };
        let said = status(&risen);
        assert!(
            said.ends_with("a version that does not understand rules level 2 is not possible."),
            "{said}"
        );
    }

    #[test]
    fn what_an_upgrade_waits_for_is_said() {
        let waits = |levels: &[(Role, u32, bool)], auto_finish| {
            let survey = cluster(levels);
            unfinished(&Survey { auto_finish, ..survey }).map(|(words, fix)| format!("{words} | {fix}"))
        };
        let (backend, new, old) = (Role::Backend, 2, 1);
        assert_eq!(waits(&[(backend, old, true), (backend, old, true)], false), None);
        let older = waits(&[(backend, new, true), (backend, old, true)], true).unwrap();
        assert!(older.contains("an earlier version runs on backend-2 | upgrade backend-2;"), "{older}");
        let silent = waits(&[(backend, new, true), (backend, new, false)], false).unwrap();
        assert!(silent.contains("not known what backend-2 can run | start backend-2"), "{silent}");
        let ready = waits(&[(backend, new, true)], false).unwrap();
        assert!(ready.contains("level 2 is not in force | run `ribbit upgrade finish`"), "{ready}");
        let auto = waits(&[(backend, new, true)], true).unwrap();
        assert!(auto.ends_with("by itself once every member has been in sync for an hour"), "{auto}");
    }

    #[test]
    fn scripts_get_all_of_it() {
        let survey = cluster(&[(Role::Backend, 2, true), (Role::Coordinator, 1, false)]);
        let expected = "{\"rules_level\":1,\"highest\":2,\"finished\":false,\"can_go_back\":true,\"auto_finish\":false,\
                        \"members\":[{\"name\":\"backend-1\",\"alive\":true,\"version\":\"0.3.0\",\"build\":\"bbbb\",\
                        \"rules_level\":2},{\"name\":\"coordinator-2\",\"alive\":false,\"version\":null,\"build\":null,\
                        \"rules_level\":1}]}";
        assert_eq!(json(&survey), expected);
    }
}

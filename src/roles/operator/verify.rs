//! `ribbit verify`: checks that all members have the same rows, and shows the first that differs.
//!
//! ```text
//!   a log index ─▶ every reachable member pins a snapshot there ─▶ step by step: same sum everywhere?
//!      ▲  │ passed or not reached by a member: try another index       │ no
//!      └──┘                                                            ▼
//!                                              key by key within that step: first row that differs
//! ```
//!
//! Rows are read from the disk, not from the members' memory. Users can go on writing: applying pauses at the index for a
//! moment only. A member that answers but cannot be brought to that index is reported and changes the exit code.

use crate::common::cluster_selection::ReportOptions;
use crate::common::failure::{Exit, Failure};
use crate::common::output;
use crate::operator::pinned::{PinError, Pinned, living, newest};
use crate::operator::progress::Progress;
use ribbit_net::keys::Keys;
use ribbit_net::pinned::PinAsk;
use ribbit_net::survey::MemberView;
use ribbit_state::{LogIndex, Token};
use ribbit_ui::verify::{Comparison, Difference};
use std::collections::{BTreeMap, VecDeque};

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit verify
  ribbit verify --json --server board1:8081

Reads every row of every reachable member at the same log index; users can go on
writing meanwhile.

Exit codes:
  0  all members have the same data
  1  members differ; the first differing row is shown
  3  no member answers
  5  a reachable member could not be compared";

/// Maximum number of indexes to try.
const TRIES: usize = 12;
/// Number of tries in which a member may be behind before it is left out.
const BEHIND_MAX: usize = 4;
/// Minimum distance of the next index from the newest applied one while users write.
const AHEAD_MIN: LogIndex = 16;

/// Compares all members and prints the result.
///
/// # Errors
/// 1: members differ. 3: no member answers, or no common index was reached. 5: a reachable member could not be compared.
pub(crate) async fn run(options: &ReportOptions) -> Result<(), Failure> {
    let (members, left_out) = pin_all(living(&options.cluster).await?, &options.cluster.keys).await?;
    let compared = compare(&members).await;
    let head = members.first().map(|member| member.head.clone());
    let names = members.iter().map(|member| member.name.clone()).collect();
    for member in members {
        member.end().await;
    }
    let (Some(head), difference) = (head, compared?) else {
        return Err(Failure::new(Exit::Unreachable, "no member could pin a snapshot: try again"));
    };
    let sameness = Comparison {
        index: head.index,
        history: head.history,
        rows: head.rows,
        digest: head.digest,
        members: names,
        left_out,
        difference,
    };
    output::line(&if options.json { sameness.json() } else { sameness.words() });
    match (&sameness.difference, sameness.left_out.is_empty()) {
        (Some(_), _) => Err(Failure::said(Exit::Refused)),
        (None, false) => Err(Failure::said(Exit::Degraded)),
        (None, true) => Ok(()),
    }
}

/// Members that were left out, each with the reason.
type LeftOut = Vec<(String, String)>;

/// Pins a snapshot at the same index on all members, except those that do not reach it.
async fn pin_all(mut members: Vec<MemberView>, keys: &Keys) -> Result<(Vec<Pinned>, LeftOut), Failure> {
    let Some(mut at) = first_index(&members, keys).await? else {
        return Err(Failure::new(Exit::Unreachable, "no reachable member has a store"));
    };
    let (mut left_out, mut behind) = (LeftOut::new(), BTreeMap::<String, usize>::new());
    for _ in 0..TRIES {
        let asked = members.iter().map(|member| Pinned::begin(member, keys, PinAsk::BeginAt { at }));
        let (mut pinned, mut applied, mut others) = (Vec::new(), Vec::new(), 0);
        let answers = all(asked).await;
        let mut staying = Vec::new();
        for (member, answer) in members.drain(..).zip(answers) {
            let name = member.info.name();
            match answer {
                Ok(pin) => {
                    pinned.push(pin);
                    staying.push(member);
                }
                Err(PinError::Passed(index)) => {
                    applied.push(index);
                    let times = behind.entry(name.clone()).or_default();
                    *times += usize::from(index < at.index);
                    match *times > BEHIND_MAX {
                        true => left_out.push((name, format!("it lags behind, at index {index}"))),
                        false => staying.push(member),
                    }
                }
                // It may have a free pin or be in sync at the next try.
                Err(PinError::Unavailable(_)) => {
                    others += 1;
                    staying.push(member);
                }
                Err(error) => left_out.push((name, error.to_string())),
            }
        }
        members = staying;
        if pinned.len() == members.len() {
            return Ok((pinned, left_out));
        }
        for pin in pinned {
            pin.end().await;
        }
        at.index = next_index(at.index, &applied, others);
    }
    let text = format!(
        "the members reached no common index in {TRIES} attempts (last index: {}): try again",
        at.index
    );
    Err(Failure::new(Exit::Unreachable, text))
}

/// Returns the first index to try: where all members are if no client writes.
async fn first_index(members: &[MemberView], keys: &Keys) -> Result<Option<Token>, Failure> {
    if let Some(newest) = newest(members, keys).await {
        return Ok(Some(newest));
    }
    eprintln!(
        "warning: there is no quorum at the moment, so the members are compared at the newest applied index"
    );
    for member in members {
        match Pinned::begin(member, keys, PinAsk::Begin { at_least: None }).await {
            Ok(pinned) => {
                let history = pinned.head.history;
                pinned.end().await;
                let index = members.iter().map(|member| member.info.applied).max().unwrap_or_default();
                return Ok(Some(Token { history, index }));
            }
            Err(error) => eprintln!("{}: {error}", member.info.name()),
        }
    }
    Ok(None)
}

/// Returns the next index to try. If a member has passed the current one, the next is far enough ahead that all members
/// get the request before they reach it. If no member has reached it, the clients have stopped writing, and the next is the
/// newest applied index.
fn next_index(index: LogIndex, applied: &[LogIndex], others: usize) -> LogIndex {
    let furthest = applied.iter().copied().max().unwrap_or(index);
    match furthest > index {
        true => furthest + (2 * (furthest - index)).max(AHEAD_MIN),
        // A member that was unavailable may be at any index.
        false if others > 0 && furthest == index => index,
        false => furthest,
    }
}

/// Runs the futures concurrently and returns their results in order.
async fn all<T>(asked: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut asked: Vec<_> = asked.map(Box::pin).collect();
    let mut answers: Vec<Option<T>> = asked.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, answer) in asked.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let std::task::Poll::Ready(it) = future.as_mut().poll(context)
            {
                *answer = Some(it);
            }
        }
        match answers.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    answers.into_iter().flatten().collect()
}

fn failed(member: &Pinned, error: &PinError) -> Failure {
    let exit = match error {
        PinError::Damaged(_) => Exit::Refused,
        _ => Exit::Unreachable,
    };
    Failure::new(exit, format!("{}: {error}", member.name))
}

/// Compares the members step by step until a step differs.
async fn compare(members: &[Pinned]) -> Result<Option<Difference>, Failure> {
    let Some((first, others)) = members.split_first() else { return Ok(None) };
    let (mut after, mut read, mut progress) = (Vec::new(), 0, Progress::begin());
    loop {
        let stepped = first.sum(&after, None).await;
        let (sum, stopped_at) = stepped.map_err(|error| failed(first, &error))?;
        let to = stopped_at.as_deref();
        let sums = all(others.iter().map(|member| member.whole_sum(&after, to))).await;
        for (member, other) in others.iter().zip(sums) {
            if other.map_err(|error| failed(member, &error))? != sum {
                return locate(members, after, to).await;
            }
        }
        read += sum.0;
        progress.rows(read, first.head.rows);
        match stopped_at {
            Some(at) if at > after => after = at,
            Some(_) => return Err(failed(first, &PinError::Odd)),
            None => break,
        }
    }
    // The rows are equal, so the digests that the members maintain must be equal too.
    let kept = members.iter().map(|member| (member.name.clone(), Some(member.head.digest)));
    Ok(Difference::among(None, kept.collect()))
}

/// Cursor over one member's keys in the step that differs, page by page.
struct KeyCursor<'a> {
    member: &'a Pinned,
    page: VecDeque<(Vec<u8>, u64)>,
    after: Vec<u8>,
    more: bool,
}

impl KeyCursor<'_> {
    async fn fill(&mut self, to: Option<&[u8]>) -> Result<(), Failure> {
        while self.page.is_empty() && self.more {
            let page = self.member.marks(&self.after, to).await;
            let (marks, more) = page.map_err(|error| failed(self.member, &error))?;
            (self.page, self.more) = (marks.into(), more);
            match self.page.back() {
                Some((last, _)) if *last > self.after => self.after.clone_from(last),
                // Without progress this loop would not end.
                _ => self.more = false,
            }
        }
        Ok(())
    }
}

/// Finds the first row after `after` that differs between members.
async fn locate(
    members: &[Pinned],
    after: Vec<u8>,
    to: Option<&[u8]>,
) -> Result<Option<Difference>, Failure> {
    let begin = |member| KeyCursor { member, page: VecDeque::new(), after: after.clone(), more: true };
    let mut all: Vec<KeyCursor<'_>> = members.iter().map(begin).collect();
    loop {
        for keys in &mut all {
            keys.fill(to).await?;
        }
        let Some(key) = all.iter().filter_map(|keys| keys.page.front()).map(|(key, _)| key.clone()).min()
        else {
            let text = "the sums of the members' rows differ, but no row does: try again";
            return Err(Failure::new(Exit::Refused, text));
        };
        let mut marks = Vec::new();
        for keys in &mut all {
            let has = keys.page.front().is_some_and(|(other, _)| *other == key);
            let mark = if has { keys.page.pop_front().map(|(_, mark)| mark) } else { None };
            marks.push((keys.member.name.clone(), mark));
        }
        if let Some(difference) = Difference::among(Some(key), marks) {
            return Ok(Some(difference));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_index_is_ahead_of_writers_and_at_the_newest_when_they_stop() {
        assert_eq!(next_index(100, &[100, 103, 90], 0), 103 + AHEAD_MIN);
        assert_eq!(next_index(100, &[900], 0), 2_500);
        assert_eq!(next_index(2_500, &[1_700, 1_700], 0), 1_700);
        assert_eq!(next_index(100, &[], 1), 100);
    }
}

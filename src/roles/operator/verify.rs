//! `ribbit verify`: whether the members have the same rows, and if not, the first that differs.
//!
//! ```text
//!   an index ─▶ every member that answers pins its rows there ─▶ step by step: the same sum everywhere?
//!      ▲  │ passed by somebody, not reached yet: another one         │ no
//!      └──┘                                                          ▼
//!                                              key by key, in that step: the first row that is not the same
//! ```
//!
//! Everything is read as it is stored, not what members keep in memory of it. People go on writing meanwhile: each writer
//! stops at the index for a moment, and that is all. A member that answers and cannot be brought to that index is said,
//! and costs the exit code.

use crate::common::failure::{Exit, Failure};
use crate::common::options::VerifyOptions;
use crate::common::output;
use crate::operator::pinned::{Pinned, Trouble, living, newest};
use crate::operator::progress::Progress;
use ribbit_net::keys::Keys;
use ribbit_net::pinned::PinAsk;
use ribbit_net::survey::MemberView;
use ribbit_state::{LogIndex, Token};
use ribbit_ui::verify::{Difference, Sameness};
use std::collections::{BTreeMap, VecDeque};

/// How many indexes are tried.
const TRIES: usize = 12;
/// A member that is behind in so many of them is compared no further.
const BEHIND_MAX: usize = 4;
/// How far ahead an index is at least, when people write.
const AHEAD_MIN: LogIndex = 16;

/// # Errors
/// 1: they differ; 3: nobody answers; 5: one that answers could not be compared.
pub async fn run(options: &VerifyOptions) -> Result<(), Failure> {
    let (members, left_out) = pin_all(living(&options.group).await?, &options.group.keys).await?;
    let compared = compare(&members).await;
    let head = members.first().map(|member| member.head.clone());
    let names = members.iter().map(|member| member.name.clone()).collect();
    for member in members {
        member.end().await;
    }
    let (Some(head), difference) = (head, compared?) else {
        return Err(Failure::new(Exit::Unreachable, "nobody could be brought to one index"));
    };
    let sameness = Sameness {
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

/// Who is left out, and why.
type LeftOut = Vec<(String, String)>;

/// All members at one index, as far as they can be brought there.
async fn pin_all(mut members: Vec<MemberView>, keys: &Keys) -> Result<(Vec<Pinned>, LeftOut), Failure> {
    let Some(mut at) = first_index(&members, keys).await? else {
        return Err(Failure::new(Exit::Unreachable, "no member that answers has a store"));
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
                Err(Trouble::Passed(index)) => {
                    applied.push(index);
                    let times = behind.entry(name.clone()).or_default();
                    *times += usize::from(index < at.index);
                    match *times > BEHIND_MAX {
                        true => left_out.push((name, format!("it is behind, at index {index}"))),
                        false => staying.push(member),
                    }
                }
                // It may have room, or be in step, the next time.
                Err(Trouble::Unavailable(_)) => {
                    others += 1;
                    staying.push(member);
                }
                Err(trouble) => left_out.push((name, trouble.to_string())),
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
    let text =
        format!("the members could not be brought to one index in {TRIES} tries: {} was the last", at.index);
    Err(Failure::new(Exit::Unreachable, text))
}

/// Where everybody is when nobody writes.
async fn first_index(members: &[MemberView], keys: &Keys) -> Result<Option<Token>, Failure> {
    if let Some(newest) = newest(members, keys).await {
        return Ok(Some(newest));
    }
    eprintln!("the servers cannot agree at the moment: what they have is compared where the furthest is");
    for member in members {
        match Pinned::begin(member, keys, PinAsk::Begin { at_least: None }).await {
            Ok(pinned) => {
                let history = pinned.head.history;
                pinned.end().await;
                let index = members.iter().map(|member| member.info.applied).max().unwrap_or_default();
                return Ok(Some(Token { history, index }));
            }
            Err(trouble) => eprintln!("{}: {trouble}", member.info.name()),
        }
    }
    Ok(None)
}

/// Passed by somebody: so far ahead that all hear of it before they are there. Not reached: nobody writes any more.
fn next_index(index: LogIndex, applied: &[LogIndex], others: usize) -> LogIndex {
    let furthest = applied.iter().copied().max().unwrap_or(index);
    match furthest > index {
        true => furthest + (2 * (furthest - index)).max(AHEAD_MIN),
        // Who was not heard may be anywhere.
        false if others > 0 && furthest == index => index,
        false => furthest,
    }
}

/// The answers of all, asked at the same time, in order.
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

fn failed(member: &Pinned, trouble: &Trouble) -> Failure {
    let exit = match trouble {
        Trouble::Damaged(_) => Exit::Refused,
        _ => Exit::Unreachable,
    };
    Failure::new(exit, format!("{}: {trouble}", member.name))
}

/// Step by step, until there is one that is not the same everywhere.
async fn compare(members: &[Pinned]) -> Result<Option<Difference>, Failure> {
    let Some((first, others)) = members.split_first() else { return Ok(None) };
    let (mut after, mut read, mut progress) = (Vec::new(), 0, Progress::begin());
    loop {
        let stepped = first.sum(&after, None).await;
        let (sum, stopped_at) = stepped.map_err(|trouble| failed(first, &trouble))?;
        let to = stopped_at.as_deref();
        let sums = all(others.iter().map(|member| member.whole_sum(&after, to))).await;
        for (member, other) in others.iter().zip(sums) {
            if other.map_err(|trouble| failed(member, &trouble))? != sum {
                return locate(members, after, to).await;
            }
        }
        read += sum.0;
        progress.rows(read, first.head.rows);
        match stopped_at {
            Some(at) if at > after => after = at,
            Some(_) => return Err(failed(first, &Trouble::Odd)),
            None => break,
        }
    }
    // The rows are the same; so must be what is kept of them.
    let kept = members.iter().map(|member| (member.name.clone(), Some(member.head.digest)));
    Ok(Difference::among(None, kept.collect()))
}

/// The keys of one member in the step that differs, page by page.
struct Walk<'a> {
    member: &'a Pinned,
    page: VecDeque<(Vec<u8>, u64)>,
    after: Vec<u8>,
    more: bool,
}

impl Walk<'_> {
    async fn fill(&mut self, to: Option<&[u8]>) -> Result<(), Failure> {
        while self.page.is_empty() && self.more {
            let page = self.member.marks(&self.after, to).await;
            let (marks, more) = page.map_err(|trouble| failed(self.member, &trouble))?;
            (self.page, self.more) = (marks.into(), more);
            match self.page.back() {
                Some((last, _)) if *last > self.after => self.after.clone_from(last),
                // A member that goes nowhere would keep its asker for ever.
                _ => self.more = false,
            }
        }
        Ok(())
    }
}

/// The first row behind `after` that is not the same everywhere.
async fn locate(
    members: &[Pinned],
    after: Vec<u8>,
    to: Option<&[u8]>,
) -> Result<Option<Difference>, Failure> {
    let begin = |member| Walk { member, page: VecDeque::new(), after: after.clone(), more: true };
    let mut all: Vec<Walk<'_>> = members.iter().map(begin).collect();
    loop {
        for keys in &mut all {
            keys.fill(to).await?;
        }
        let Some(key) = all.iter().filter_map(|keys| keys.page.front()).map(|(key, _)| key.clone()).min()
        else {
            let text = "the members' rows add up to different sums, and no row differs: try again";
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
    fn the_next_index_is_ahead_of_who_writes_and_where_who_stopped_is() {
        assert_eq!(next_index(100, &[100, 103, 90], 0), 103 + AHEAD_MIN);
        assert_eq!(next_index(100, &[900], 0), 2_500);
        assert_eq!(next_index(2_500, &[1_700, 1_700], 0), 1_700);
        assert_eq!(next_index(100, &[], 1), 100);
    }
}

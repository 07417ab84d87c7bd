//! History of requests and answers, and the check of the final state: every acknowledged croak and message exists once, with
//! the acknowledged id and its text, in the order of its author. Nothing exists that was refused or never written. Undecided
//! writes exist at most once.

use ribbit_state::{Code, LogIndex, TokenHash};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::{Duration, Instant};

/// Maximum number of problems that are printed; further ones are only counted.
const SAID_MAX: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Croak,
    Message,
}

#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    /// Id of the write, and the number of attempts.
    Acknowledged(LogIndex, u32),
    Refused(Code),
    Undecided,
}

/// Latencies of answers, counted by millisecond.
#[derive(Debug, Default)]
pub struct Latencies(BTreeMap<u64, u32>);

impl Latencies {
    pub fn add(&mut self, took: Duration) {
        *self.0.entry(took.as_millis() as u64).or_default() += 1;
    }

    pub fn count(&self) -> u32 {
        self.0.values().sum()
    }

    /// Returns the milliseconds within which this share of the answers came; 0 without any.
    pub fn share_ms(&self, share: f64) -> u64 {
        let wanted = share * f64::from(self.count());
        let mut below = 0;
        let mut reached = self.0.iter().skip_while(|(_, count)| {
            below += **count;
            f64::from(below) < wanted
        });
        reached.next().map_or(0, |(ms, _)| *ms)
    }

    pub fn max_ms(&self) -> u64 {
        self.0.last_key_value().map_or(0, |(ms, _)| *ms)
    }
}

/// Writes of one writer, in the order in which it made them.
#[derive(Default)]
struct Own {
    acknowledged: BTreeMap<Kind, Vec<(u32, LogIndex)>>,
    undecided: BTreeSet<u32>,
}

pub struct History {
    pub file: BufWriter<File>,
    /// Accounts of the writers, in their order.
    pub people: Vec<(String, TokenHash)>,
    own: Vec<Own>,
    began: Instant,
    refused: BTreeMap<u16, u32>,
    asked_again: u32,
    undecided: u32,
    undecided_found: u32,
    checked: u64,
    looks: u32,
    blind: u32,
    latencies: Latencies,
    wrong: Vec<String>,
}

impl History {
    pub fn new(writers: usize, file: BufWriter<File>) -> History {
        History {
            file,
            people: Vec::new(),
            own: (0..writers).map(|_| Own::default()).collect(),
            began: Instant::now(),
            refused: BTreeMap::new(),
            asked_again: 0,
            undecided: 0,
            undecided_found: 0,
            checked: 0,
            looks: 0,
            blind: 0,
            latencies: Latencies::default(),
            wrong: Vec::new(),
        }
    }

    /// Returns the text of a writer's `number`th write.
    pub fn text(writer: usize, number: u32, kind: Kind) -> String {
        let word = if kind == Kind::Croak { "croaks" } else { "whispers" };
        format!("{writer} {word} {number}: the pond is rough tonight")
    }

    fn number_of(text: &str) -> Option<u32> {
        text.split(' ').nth(2)?.strip_suffix(':')?.parse().ok()
    }

    pub fn add(&mut self, writer: usize, number: u32, kind: Kind, outcome: Outcome, took: Duration) {
        let own = &mut self.own[writer];
        self.latencies.add(took);
        match outcome {
            Outcome::Acknowledged(id, tries) => {
                own.acknowledged.entry(kind).or_default().push((number, id));
                self.asked_again += u32::from(tries > 1);
            }
            Outcome::Refused(code) => *self.refused.entry(code.number()).or_default() += 1,
            Outcome::Undecided => {
                own.undecided.insert(number);
                self.undecided += 1;
            }
        }
        let at_ms = self.began.elapsed().as_millis();
        writeln!(
            self.file,
            r#"{{"at_ms":{at_ms},"took_ms":{},"writer":{writer},"number":{number},"kind":"{kind:?}","outcome":"{outcome:?}"}}"#,
            took.as_millis()
        )
        .expect("the history can be written");
    }

    pub fn newest_croak(&self, writer: usize) -> Option<LogIndex> {
        self.own[writer].acknowledged.get(&Kind::Croak)?.last().map(|(_, id)| *id)
    }

    pub fn could_not_look(&mut self) {
        self.blind += 1;
    }

    pub fn looked(&mut self, writer: usize, newest: LogIndex, found: LogIndex) {
        self.looks += 1;
        if found < newest {
            self.say(format!(
                "writer {writer} was shown {found} as its newest croak when {newest} had been acknowledged"
            ));
        }
    }

    /// Checks the writes of a writer that were found, oldest first.
    pub fn found(&mut self, writer: usize, kind: Kind, found: &[(LogIndex, String)]) {
        let mut wrong = Vec::new();
        let own = &self.own[writer];
        let acknowledged = own.acknowledged.get(&kind).map(Vec::as_slice).unwrap_or_default();
        let by_id: BTreeMap<LogIndex, &str> = found.iter().map(|(id, text)| (*id, text.as_str())).collect();
        for (number, id) in acknowledged {
            match by_id.get(id) {
                Some(text) if *text == History::text(writer, *number, kind) => {}
                Some(text) => wrong.push(format!("{kind:?} {number} of {writer} is another at {id}: {text}")),
                None => wrong.push(format!("{kind:?} {number} of {writer}, acknowledged as {id}, is lost")),
            }
        }
        let known: BTreeSet<u32> = acknowledged.iter().map(|(number, _)| *number).collect();
        let mut seen = BTreeSet::new();
        let mut last = 0;
        for (id, text) in found {
            let Some(number) = History::number_of(text) else {
                wrong.push(format!("{writer} never wrote {text:?} ({id})"));
                continue;
            };
            if !seen.insert(number) {
                wrong.push(format!("{kind:?} {number} of {writer} is there twice, the second time as {id}"));
            }
            if number < last {
                wrong.push(format!("{kind:?} {number} of {writer} stands behind {last}"));
            }
            last = last.max(number);
            if !known.contains(&number) && !own.undecided.contains(&number) {
                wrong.push(format!("{kind:?} {number} of {writer} was refused and is there, as {id}"));
            }
        }
        self.undecided_found += seen.intersection(&own.undecided).count() as u32;
        self.checked += acknowledged.len() as u64;
        wrong.into_iter().for_each(|what| self.say(what));
    }

    fn say(&mut self, what: String) {
        if self.wrong.len() < SAID_MAX {
            self.wrong.push(what);
        }
    }

    pub fn wrong(&self) -> &[String] {
        &self.wrong
    }

    pub fn acknowledged(&self) -> usize {
        self.own.iter().flat_map(|own| own.acknowledged.values()).map(Vec::len).sum()
    }

    pub fn summary(&self) -> String {
        let refused: Vec<String> =
            self.refused.iter().map(|(code, count)| format!("{count} with {code}")).collect();
        format!(
            "acknowledged: {}, all of them looked for: {}\nasked again under the same id: {}\nundecided: {}, of which \
             there: {}\nrefused: {}\nlooks at one's own newest: {}, unanswered: {}\nlatency in ms: p50 {}, p99 {}, max {}",
            self.acknowledged(),
            self.checked == self.acknowledged() as u64,
            self.asked_again,
            self.undecided,
            self.undecided_found,
            if refused.is_empty() { "none".to_string() } else { refused.join(", ") },
            self.looks,
            self.blind,
            self.latencies.share_ms(0.5),
            self.latencies.share_ms(0.99),
            self.latencies.max_ms(),
        )
    }
}

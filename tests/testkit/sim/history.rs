//! The history checker: sessions and linearizability.
//!
//! The model: a register per account (the set of accounts that it follows) and a log per
//! feed (the croaks of the account and of those it follows), kept by `state::model::Model`, the rules over a plain
//! map. A history has at least 1 000 operations: writes, linearizable reads, session reads. Of these the writes
//! and linearizable reads must be linearizable together; session reads must never go back behind what their own
//! client has seen.
//!
//! Deciding from the outside whether a history is linearizable is a search. Here nothing has to be searched for,
//! because the system says which order it claims: a write takes effect at its log index, a read shows the state
//! at the index that it was answered with. It remains to check that the claim is an order, that it fits real
//! time, and that it explains every answer:
//!
//! 1. The log is one: no two nodes have different entries at an index (`check::Checker::committed`).
//! 2. Real time: an operation that starts after another was answered lies behind it. For a write: its index is
//!    above everything that any answer had told before it was asked. For a linearizable read: its index is at
//!    least that (`check::Checker::done`). One number suffices, the highest index told so far, as order is total.
//! 3. Answers: the log, replayed through the model, answers every write what its client was answered, and every
//!    read at its index what its client was shown ([`History::replay`]).
//!
//! Then the writes in order of index, each read directly behind the write at its index, reads at one index in the
//! order of their answers, is a sequential history with the same answers (3), of all operations (1), that respects
//! real time (2): a linearization. The check is stricter than needed in one point: an index told by a session
//! read counts as told too, which holds because every applied entry was committed.

use ribbit_db::{EntryKind, LogEntry};
use ribbit_state::command::Proposal;
use ribbit_state::model::Model;
use ribbit_state::{Denied, LogIndex, Outcome, Page, Query, RequestId};
use std::collections::BTreeMap;

/// State that was known when an operation began.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Highest index in any answer to any client so far.
    pub told: LogIndex,
    /// The highest index that its own client had been told.
    pub seen: LogIndex,
}

#[derive(Debug)]
pub enum Kind {
    Write { request: RequestId },
    Read { linearizable: bool, query: Query, page: Box<Result<Page, Denied>> },
}

/// An operation that was answered.
#[derive(Debug)]
pub struct Done {
    pub client: usize,
    pub asked: Asked,
    /// The index that the answer tells.
    pub index: LogIndex,
    pub kind: Kind,
    /// Name of the command or query, and whether the answer was no refusal.
    pub name: String,
    pub accepted: bool,
}

/// Answered operations of each kind: all of them, and those that were not refused.
pub type Kinds = BTreeMap<String, (u64, u64)>;

/// Model that histories are checked against, as named in the summary of a hunt.
pub const MODEL: &str = "a register per account and a log per feed";

#[derive(Default)]
pub struct History {
    done: Vec<Done>,
}

impl History {
    pub fn push(&mut self, done: Done) {
        self.done.push(done);
    }

    pub fn len(&self) -> usize {
        self.done.len()
    }

    pub fn is_empty(&self) -> bool {
        self.done.is_empty()
    }

    pub fn linearizable_reads(&self) -> usize {
        self.done.iter().filter(|done| matches!(done.kind, Kind::Read { linearizable: true, .. })).count()
    }

    pub fn kinds(&self) -> Kinds {
        let mut kinds = Kinds::new();
        for done in &self.done {
            let (all, accepted) = kinds.entry(done.name.clone()).or_default();
            *all += 1;
            *accepted += u64::from(done.accepted);
        }
        kinds
    }

    /// Replays the whole log through the model and compares every outcome and every page that was shown. Answers
    /// the model at the end.
    pub fn replay(
        &self,
        log: &BTreeMap<LogIndex, LogEntry>,
        outcomes: &BTreeMap<LogIndex, Outcome>,
    ) -> Model {
        let mut model = Model::new();
        let mut reads: BTreeMap<LogIndex, Vec<&Done>> = BTreeMap::new();
        for done in &self.done {
            if matches!(done.kind, Kind::Read { .. }) {
                reads.entry(done.index).or_default().push(done);
            }
        }
        // The founder's configuration lies at index 1, outside the log.
        for (expected, (index, entry)) in (2..).zip(log) {
            assert_eq!(*index, expected, "the log has a hole");
            if entry.kind == EntryKind::Normal && !entry.data.is_empty() {
                let proposal: Proposal = postcard::from_bytes(&entry.data).expect("an entry holds a command");
                let outcome = model.apply(*index, &proposal);
                // A process that died while it applied the entry gave no answer, and the others may have it from a
                // snapshot: then only the rows show its effect.
                let told = outcomes.get(index).unwrap_or(&outcome);
                assert_eq!(*told, outcome, "the model answers otherwise at {index}");
            }
            for done in reads.remove(index).unwrap_or_default() {
                compare(&model, done);
            }
        }
        assert!(reads.is_empty(), "reads at indexes that were never applied: {:?}", reads.keys());
        model
    }
}

fn compare(model: &Model, done: &Done) {
    let Kind::Read { query, page, .. } = &done.kind else { return };
    let expected = model.answer(query);
    assert_eq!(
        **page, expected,
        "client {} was shown something else at index {} than the model has there, for {query:?}",
        done.client, done.index
    );
}

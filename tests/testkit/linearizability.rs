//! Histories of concurrent clients, checked by `todc-utils`: each must be explained by some order of its operations in which each
//! one takes effect between its call and its answer.
//!
//! - [`Record`]: what the clients did, in the order of real time
//! - [`RegisterSpec`], [`LockedFileSpec`], [`ListSpec`], [`SetSpec`]: what an object may answer in each state
//!
//! A write without an answer may take effect at any later time, or never: it returns at the end of the history. A read without
//! an answer is left out.

use std::sync::mpsc;
use std::time::Duration;
use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History};
use todc_utils::specifications::Specification;

/// Time limit of one check. A history that many unanswered writes make ambiguous may take very long.
const CHECK_MAX: Duration = Duration::from_secs(60);

/// Operations of one object in the order of their calls and answers.
#[derive(Debug, Clone)]
pub struct Record<O> {
    steps: Vec<RecordStep<O>>,
    calls: usize,
}

#[derive(Debug, Clone)]
enum RecordStep<O> {
    /// A call, with the operation that it is if it is never answered.
    Call(usize, Option<O>),
    Answer(usize, O),
}

impl<O> Default for Record<O> {
    fn default() -> Record<O> {
        Record { steps: Vec::new(), calls: 0 }
    }
}

impl<O: Clone> Record<O> {
    /// Records a call. `unanswered` is the operation that it is without an answer; `None` for a read. Returns its number.
    pub fn call(&mut self, unanswered: Option<O>) -> usize {
        self.calls += 1;
        self.steps.push(RecordStep::Call(self.calls, unanswered));
        self.calls
    }

    /// Records the answer to a call, as the operation that it turned out to be.
    pub fn answer(&mut self, call: usize, operation: O) {
        self.steps.push(RecordStep::Answer(call, operation));
    }

    /// Returns the number of calls.
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// Returns the number of calls without an answer.
    pub fn unanswered(&self) -> usize {
        2 * self.calls - self.steps.len()
    }

    fn actions(&self) -> Vec<(usize, Action<O>)> {
        let mut answers = vec![None; self.calls + 1];
        for step in &self.steps {
            if let RecordStep::Answer(call, operation) = step {
                answers[*call] = Some(operation.clone());
            }
        }
        let (mut actions, mut last) = (Vec::new(), Vec::new());
        for step in &self.steps {
            match step {
                RecordStep::Call(call, unanswered) => {
                    let Some(operation) = answers[*call].clone().or_else(|| unanswered.clone()) else {
                        continue;
                    };
                    actions.push((*call, Action::Call(operation.clone())));
                    if answers[*call].is_none() {
                        last.push((*call, Action::Response(operation)));
                    }
                }
                RecordStep::Answer(call, operation) => {
                    actions.push((*call, Action::Response(operation.clone())));
                }
            }
        }
        actions.extend(last);
        actions
    }
}

/// Checks a record against a specification.
///
/// # Errors
/// The record as text, if no order of the operations explains it, or none was found in time.
pub fn check<S>(record: &Record<S::Operation>) -> Result<(), String>
where
    S: Specification,
    S::Operation: Send + 'static,
{
    let actions = record.actions();
    if actions.is_empty() {
        return Ok(());
    }
    let shown = format!("{actions:?}");
    let (answer, answered) = mpsc::channel();
    std::thread::spawn(move || answer.send(WGLChecker::<S>::is_linearizable(History::from_actions(actions))));
    match answered.recv_timeout(CHECK_MAX) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("not linearizable: {shown}")),
        Err(_) => Err(format!("no verdict after {CHECK_MAX:?}: {shown}")),
    }
}

/// A file that is written and read as a whole.
pub struct RegisterSpec;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisterOp {
    Write(u32),
    /// `None`: there is no file.
    Read(Option<u32>),
}

impl Specification for RegisterSpec {
    type State = Option<u32>;
    type Operation = RegisterOp;

    fn init() -> Option<u32> {
        None
    }

    fn apply(operation: &RegisterOp, state: &Option<u32>) -> (bool, Option<u32>) {
        match operation {
            RegisterOp::Write(value) => (true, Some(*value)),
            RegisterOp::Read(value) => (value == state, *state),
        }
    }
}

/// A lock, and a file that is written under its fencing token only: compare-and-set by the token.
pub struct LockedFileSpec;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LockedFile {
    /// Client with the lock, and the fencing token, which stays unknown if the answer to the client was lost.
    holder: Option<(usize, Option<u64>)>,
    /// Newest fencing token that is known.
    last: u64,
    content: Option<u32>,
}

/// Operation of a client. `took` is `None` where the answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockedFileOp {
    Acquired {
        client: usize,
        fence: u64,
    },
    /// Refused: another client has it.
    Held {
        client: usize,
    },
    AcquireUnanswered {
        client: usize,
    },
    Release {
        client: usize,
        took: Option<bool>,
    },
    Write {
        fence: u64,
        value: u32,
        took: Option<bool>,
    },
    Read(Option<u32>),
}

impl Specification for LockedFileSpec {
    type State = LockedFile;
    type Operation = LockedFileOp;

    fn init() -> LockedFile {
        LockedFile { holder: None, last: 0, content: None }
    }

    fn apply(operation: &LockedFileOp, state: &LockedFile) -> (bool, LockedFile) {
        let mut next = state.clone();
        let fits = match *operation {
            LockedFileOp::Acquired { client, fence } => {
                let fits = match state.holder {
                    None => fence > state.last,
                    Some((holder, None)) => holder == client && fence > state.last,
                    Some((holder, Some(known))) => holder == client && known == fence,
                };
                (next.holder, next.last) = (Some((client, Some(fence))), fence);
                fits
            }
            LockedFileOp::Held { client } => state.holder.is_some_and(|(holder, _)| holder != client),
            LockedFileOp::AcquireUnanswered { client } => {
                next.holder = state.holder.or(Some((client, None)));
                true
            }
            LockedFileOp::Release { client, took } => {
                let holds = state.holder.is_some_and(|(holder, _)| holder == client);
                if holds {
                    next.holder = None;
                }
                took.is_none_or(|took| took == holds)
            }
            LockedFileOp::Write { fence, value, took } => {
                let holds = state.holder.is_some_and(|(_, known)| known == Some(fence));
                if holds {
                    next.content = Some(value);
                }
                took.is_none_or(|took| took == holds)
            }
            LockedFileOp::Read(value) => value == state.content,
        };
        if fits { (true, next) } else { (false, state.clone()) }
    }
}

/// A list that only grows: croaks of an author, or what is said in a room.
pub struct ListSpec;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListOp {
    Append(u32),
    Read(Vec<u32>),
}

impl Specification for ListSpec {
    type State = Vec<u32>;
    type Operation = ListOp;

    fn init() -> Vec<u32> {
        Vec::new()
    }

    fn apply(operation: &ListOp, state: &Vec<u32>) -> (bool, Vec<u32>) {
        match operation {
            ListOp::Append(value) => (true, [&state[..], &[*value]].concat()),
            ListOp::Read(values) => (values == state, state.clone()),
        }
    }
}

/// A set of at most 64 members, such as the accounts that a person follows.
pub struct SetSpec;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetOp {
    Add(u8),
    Remove(u8),
    /// One bit per member.
    Read(u64),
}

impl Specification for SetSpec {
    type State = u64;
    type Operation = SetOp;

    fn init() -> u64 {
        0
    }

    fn apply(operation: &SetOp, state: &u64) -> (bool, u64) {
        match operation {
            SetOp::Add(member) => (true, state | 1 << member),
            SetOp::Remove(member) => (true, state & !(1 << member)),
            SetOp::Read(members) => (members == state, *state),
        }
    }
}

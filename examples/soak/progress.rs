//! Table of a long run: a line every ten minutes, of what happened since the line before.
//!
//! The writers, the oracles and the keeper of the processes run on three threads and report here.

use super::samples;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use testkit::history::Latencies;

/// Maximum number of problems that are kept.
const WRONG_MAX: usize = 50;

const HEAD: &str = "\
| minute | memory of the largest backend, coordinator, balancer; of the soak (MB) | descriptors, most | disk of the largest member (MB) | \
croaks and messages | median, p99, worst (ms) | activities | histories, refused by the checker | faults so far | ended by themselves |
|---|---|---|---|---|---|---|---|---|---|";

/// Most of what a process of one kind used.
#[derive(Debug, Default, Clone, Copy)]
struct Used {
    memory_kb: f64,
    descriptors: f64,
    disk_kb: u64,
}

/// Figures since the last line.
#[derive(Debug, Default)]
struct Line {
    used: BTreeMap<&'static str, Used>,
    latencies: Latencies,
    activities: u32,
    histories: u32,
    refuted: u32,
}

#[derive(Debug, Default)]
struct Counts {
    /// Done, refused and undecided activities, by name.
    activities: BTreeMap<&'static str, [u32; 3]>,
    wrong: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    Done = 0,
    Refused = 1,
    Undecided = 2,
}

struct State {
    began: Instant,
    next: Instant,
    line: Line,
    counts: Counts,
}

pub struct Progress {
    every: Duration,
    state: Mutex<State>,
}

impl Progress {
    pub fn new(every: Duration) -> Progress {
        let (now, line, counts) = (Instant::now(), Line::default(), Counts::default());
        Progress { every, state: Mutex::new(State { began: now, next: now + every, line, counts }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn answered(&self, took: Duration) {
        self.state().line.latencies.add(took);
    }

    pub fn done(&self, activity: &'static str, outcome: Outcome) {
        let mut state = self.state();
        state.line.activities += 1;
        state.counts.activities.entry(activity).or_default()[outcome as usize] += 1;
    }

    pub fn say(&self, what: String) {
        let wrong = &mut self.state().counts.wrong;
        if wrong.len() < WRONG_MAX {
            wrong.push(what);
        }
    }

    pub fn judged(&self, is_linearizable: bool) {
        let line = &mut self.state().line;
        line.histories += 1;
        line.refuted += u32::from(!is_linearizable);
    }

    pub fn sampled(&self, name: &'static str, memory_kb: f64, descriptors: f64, disk_kb: u64) {
        let kind = name.split('-').next().unwrap_or(name);
        let mut state = self.state();
        let used = state.line.used.entry(kind).or_default();
        used.memory_kb = used.memory_kb.max(memory_kb);
        used.descriptors = used.descriptors.max(descriptors);
        used.disk_kb = used.disk_kb.max(disk_kb);
    }

    /// Prints a line if it is time.
    pub fn turn(&self, faults: u32, ended: usize) {
        let mut state = self.state();
        let now = Instant::now();
        if now < state.next {
            return;
        }
        if state.next == state.began + self.every {
            println!("\n{HEAD}");
        }
        state.next += self.every;
        let minute = now.duration_since(state.began).as_secs_f64() / 60.0;
        let line = std::mem::take(&mut state.line);
        drop(state);
        println!("{}", line.row(minute, faults, ended));
    }

    pub fn activities(&self) -> String {
        let state = self.state();
        let row = |(name, [done, refused, undecided]): (&&str, &[u32; 3])| {
            format!("\n  {name}: {done} done, {refused} refused, {undecided} without an answer")
        };
        format!("activities:{}", state.counts.activities.iter().map(row).collect::<String>())
    }

    pub fn wrong(&self) -> Vec<String> {
        self.state().counts.wrong.clone()
    }
}

impl Line {
    fn row(&self, minute: f64, faults: u32, ended: usize) -> String {
        let used = |kind| self.used.get(kind).copied().unwrap_or_default();
        let kinds = ["backend", "coordinator", "balancer"].map(used);
        let own = samples::sample(std::process::id(), 0.0, 1).map_or(0.0, |sample| sample.memory_kb);
        let memory = kinds.map(|used| format!("{:.1}", used.memory_kb / 1_024.0)).join(", ");
        let descriptors = kinds.map(|used| used.descriptors.to_string()).join(", ");
        let disk_kb = kinds.iter().map(|used| used.disk_kb).max().unwrap_or_default();
        format!(
            "| {minute:.0} | {memory}; {:.1} | {descriptors} | {} | {} | {}, {}, {} | {} | {}, {} | {faults} | {ended} |",
            own / 1_024.0,
            disk_kb / 1_024,
            self.latencies.count(),
            self.latencies.share_ms(0.5),
            self.latencies.share_ms(0.99),
            self.latencies.max_ms(),
            self.activities,
            self.histories,
            self.refuted,
        )
    }
}

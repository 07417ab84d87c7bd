//! Fault injection, drawn from a seed: processes are killed or stopped for a while, machines are partitioned from all others or
//! from one. Each fault ends by itself. At most two members are affected at a time, except now and then a majority.

use super::boards::Boards;
use ribbit_replica::random::Random;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Range of the pause between two faults, in milliseconds.
const PAUSE_MS: (u64, u64) = (2_000, 9_000);
/// Range of the duration of a stop, in milliseconds.
const STALL_MS: (u64, u64) = (300, 6_000);
/// Range of the duration of a partition, in milliseconds.
const CUT_MS: (u64, u64) = (500, 12_000);
/// Maximum number of affected members, except when a majority is stopped.
const HURT_MAX: usize = 2;
/// Ratio of faults to majority stops: one in this many faults stops a majority.
const MAJORITY_ONCE_IN: u64 = 25;
/// Duration of a stopped majority, in milliseconds.
const MAJORITY_MS: u64 = 3_000;
/// Share of lost packets, in percent.
const LOSS_PERCENT: u32 = 30;
/// Number of members.
const MEMBERS: u64 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Stalled(usize),
    CutOff(usize),
    CutBetween(usize, usize),
    /// Packets to or from this machine are dropped: some, or all in one direction.
    Filtered(usize),
}

/// Names of the kinds of faults.
pub const KINDS: &[&str] = &["kill", "stall", "cut", "between", "loss", "deaf", "mute", "majority"];

pub struct Plague {
    /// Kinds of faults to inject.
    kinds: Vec<String>,
    /// Factor of the pauses between two faults.
    slower: f64,
    /// Log of the faults.
    log: File,
    began: Instant,
    random: Random,
    next: Instant,
    /// Current faults, with their end.
    going_on: Vec<(Instant, Fault)>,
    counts: BTreeMap<&'static str, u32>,
}

impl Plague {
    pub fn new(seed: u64, kinds: &[String], pace: f64, folder: &Path) -> Plague {
        Plague {
            kinds: kinds.to_vec(),
            slower: 1.0 / pace,
            log: File::create(folder.join("faults.log")).expect("the faults can be written"),
            began: Instant::now(),
            random: Random(seed ^ 0x5eed_f209),
            next: Instant::now() + Duration::from_secs(10),
            going_on: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    fn between(&mut self, (from, to): (u64, u64)) -> u64 {
        from + self.random.draw() % (to - from)
    }

    pub fn turn(&mut self, boards: &mut Boards, now: Instant) {
        let over = |(end, _): &(Instant, Fault)| *end <= now;
        for (_, fault) in self.going_on.extract_if(.., |fault| over(fault)) {
            end(boards, fault);
        }
        if now < self.next {
            return;
        }
        let pause = Duration::from_millis(self.between(PAUSE_MS));
        self.next = now + pause.mul_f64(self.slower);
        if self.random.draw().is_multiple_of(MAJORITY_ONCE_IN) && self.may("majority") {
            return self.hurt_majority(boards, now);
        }
        if self.hurt() < HURT_MAX {
            self.hurt_one(boards, now);
        }
    }

    /// Returns the number of members affected by current faults.
    fn hurt(&self) -> usize {
        let members = self.going_on.iter().map(|(_, fault)| match fault {
            Fault::Stalled(at) | Fault::CutOff(at) | Fault::CutBetween(at, _) | Fault::Filtered(at) => *at,
        });
        members.filter(|at| (*at as u64) < MEMBERS).count()
    }

    /// Returns true while packets are dropped. All such rules end together, so there is one at a time.
    fn filters(&self) -> bool {
        self.going_on.iter().any(|(_, fault)| matches!(fault, Fault::Filtered(_)))
    }

    pub fn count(&self) -> u32 {
        self.counts.values().sum()
    }

    fn may(&self, kind: &str) -> bool {
        self.kinds.iter().any(|known| known == kind)
    }

    fn hurt_one(&mut self, boards: &mut Boards, now: Instant) {
        let at = (self.random.draw() % boards.boards.len() as u64) as usize;
        let kind = *self.of(&["kill", "kill", "stall", "stall", "cut", "between", "loss", "deaf", "mute"]);
        if !self.may(kind) {
            return;
        }
        match kind {
            "kill" if boards.boards[at].mortal => {
                boards.kill(at);
                self.note("killed", boards.boards[at].name, 0);
            }
            "stall" => {
                let for_ms = self.between(STALL_MS);
                boards.boards[at].signal(Signal::STOP);
                self.note("stopped for a while", boards.boards[at].name, for_ms);
                self.begin(now, for_ms, Fault::Stalled(at));
            }
            "cut" if boards.can_cut() => {
                let for_ms = self.between(CUT_MS);
                boards.cut_off(at, true);
                self.note("cut off", boards.boards[at].name, for_ms);
                self.begin(now, for_ms, Fault::CutOff(at));
            }
            "between" if boards.can_cut() => {
                let other = (at + 1 + (self.random.draw() % (MEMBERS - 1)) as usize) % MEMBERS as usize;
                let fault = Fault::CutBetween(at, other);
                if at != other && !self.going_on.iter().any(|(_, known)| *known == fault) {
                    let for_ms = self.between(CUT_MS);
                    boards.cut_between(at, other, true);
                    self.note("cut from one another", boards.boards[at].name, for_ms);
                    self.begin(now, for_ms, fault);
                }
            }
            "loss" | "deaf" | "mute" if boards.can_cut() && !self.filters() => {
                let for_ms = self.between(CUT_MS);
                let what = match kind {
                    "loss" => {
                        boards.network().lose(at, LOSS_PERCENT);
                        "lost packets"
                    }
                    "deaf" => {
                        boards.network().deafen(at);
                        "did not hear"
                    }
                    _ => {
                        boards.network().mute(at);
                        "was not heard"
                    }
                };
                self.note(what, boards.boards[at].name, for_ms);
                self.begin(now, for_ms, Fault::Filtered(at));
            }
            // This fault is not possible here.
            _ => {}
        }
    }

    fn of<'a, T>(&mut self, several: &'a [T]) -> &'a T {
        &several[(self.random.draw() % several.len() as u64) as usize]
    }

    /// Stops three of five members at once, so that there is no quorum.
    fn hurt_majority(&mut self, boards: &mut Boards, now: Instant) {
        let first = self.random.draw() % MEMBERS;
        for at in (0..3).map(|step| ((first + step) % MEMBERS) as usize) {
            boards.boards[at].signal(Signal::STOP);
            self.going_on.push((now + Duration::from_millis(MAJORITY_MS), Fault::Stalled(at)));
        }
        self.note("a majority stopped", boards.boards[first as usize].name, MAJORITY_MS);
    }

    fn begin(&mut self, now: Instant, for_ms: u64, fault: Fault) {
        self.going_on.push((now + Duration::from_millis(for_ms), fault));
    }

    fn note(&mut self, what: &'static str, who: &str, for_ms: u64) {
        *self.counts.entry(what).or_default() += 1;
        let at_s = self.began.elapsed().as_secs_f64();
        writeln!(self.log, "{at_s:.1} {who} {what} {for_ms}").expect("the faults can be written");
    }

    /// Ends all current faults.
    pub fn heal(&mut self, boards: &mut Boards) {
        for (_, fault) in std::mem::take(&mut self.going_on) {
            end(boards, fault);
        }
    }

    pub fn summary(&self) -> String {
        let counts = self.counts.iter().map(|(name, count)| format!("{count} {name}"));
        counts.collect::<Vec<_>>().join(", ")
    }
}

fn end(boards: &mut Boards, fault: Fault) {
    match fault {
        Fault::Stalled(at) => boards.boards[at].signal(Signal::CONT),
        Fault::CutOff(at) => boards.cut_off(at, false),
        Fault::CutBetween(from, to) => boards.cut_between(from, to, false),
        Fault::Filtered(_) => boards.network().hear_all(),
    }
}

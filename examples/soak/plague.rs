//! What is done to the boards, drawn from a seed: killed, stopped for a while, cut off, cut from one another. Each ends
//! by itself; at most two members are hurt at a time but for now and then, when a majority is.

use super::boards::Boards;
use ribbit::replica::random::Random;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Between two faults, in milliseconds.
const PAUSE_MS: (u64, u64) = (2_000, 9_000);
const STALL_MS: (u64, u64) = (300, 6_000);
const CUT_MS: (u64, u64) = (500, 12_000);
/// Members that may be hurt at a time,
const HURT_MAX: usize = 2;
/// but for once in so many faults, when there is no majority for this long.
const MAJORITY_ONCE_IN: u64 = 25;
const MAJORITY_MS: u64 = 3_000;
const MEMBERS: u64 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Stalled(usize),
    CutOff(usize),
    CutBetween(usize, usize),
}

pub struct Plague {
    random: Random,
    next: Instant,
    /// What is going on, and when it ends.
    going_on: Vec<(Instant, Fault)>,
    counts: BTreeMap<&'static str, u32>,
}

impl Plague {
    pub fn new(seed: u64) -> Plague {
        Plague {
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
        self.next = now + Duration::from_millis(self.between(PAUSE_MS));
        if self.random.draw().is_multiple_of(MAJORITY_ONCE_IN) {
            return self.hurt_majority(boards, now);
        }
        if self.hurt() < HURT_MAX {
            self.hurt_one(boards, now);
        }
    }

    /// How many members are hurt by what goes on.
    fn hurt(&self) -> usize {
        let members = self.going_on.iter().map(|(_, fault)| match fault {
            Fault::Stalled(at) | Fault::CutOff(at) | Fault::CutBetween(at, _) => *at,
        });
        members.filter(|at| (*at as u64) < MEMBERS).count()
    }

    fn hurt_one(&mut self, boards: &mut Boards, now: Instant) {
        let at = (self.random.draw() % boards.boards.len() as u64) as usize;
        let kinds = if boards.can_cut() { 6 } else { 4 };
        match self.random.draw() % kinds {
            0 | 1 if boards.boards[at].mortal => {
                boards.kill(at);
                self.count("killed");
            }
            4 => {
                let for_ms = self.between(CUT_MS);
                boards.cut_off(at, true);
                self.begin(now, for_ms, Fault::CutOff(at), "cut off");
            }
            5 => {
                let other = (at + 1 + (self.random.draw() % (MEMBERS - 1)) as usize) % MEMBERS as usize;
                let fault = Fault::CutBetween(at, other);
                if at != other && !self.going_on.iter().any(|(_, known)| *known == fault) {
                    let for_ms = self.between(CUT_MS);
                    boards.cut_between(at, other, true);
                    self.begin(now, for_ms, fault, "cut from one another");
                }
            }
            _ => {
                let for_ms = self.between(STALL_MS);
                boards.boards[at].signal(Signal::STOP);
                self.begin(now, for_ms, Fault::Stalled(at), "stopped for a while");
            }
        }
    }

    /// Three of five at once: nobody can write for as long.
    fn hurt_majority(&mut self, boards: &mut Boards, now: Instant) {
        let first = self.random.draw() % MEMBERS;
        for at in (0..3).map(|step| ((first + step) % MEMBERS) as usize) {
            boards.boards[at].signal(Signal::STOP);
            self.going_on.push((now + Duration::from_millis(MAJORITY_MS), Fault::Stalled(at)));
        }
        self.count("a majority stopped");
    }

    fn begin(&mut self, now: Instant, for_ms: u64, fault: Fault, name: &'static str) {
        self.going_on.push((now + Duration::from_millis(for_ms), fault));
        self.count(name);
    }

    fn count(&mut self, name: &'static str) {
        *self.counts.entry(name).or_default() += 1;
    }

    /// Ends everything that goes on.
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
    }
}

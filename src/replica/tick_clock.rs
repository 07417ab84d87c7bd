//! Counts the ticks that have passed between two turns of the Raft task. Pure: takes times.
//!
//! The task sleeps until something is due and then feeds all ticks that have passed. Time in which the process did not run
//! (stopped, starved) does not count: a turn that is later than `STEP_TICKS` counts the ticks that were planned.
//!
//! ```text
//!   turn: passed(now) ─▶ ticks before the messages, messages, the tick that was due ─▶ plan(core.ticks_until_due())
//! ```
//!
//! The tick that was due passes after the messages that wait, so that a heartbeat which has arrived prevents an election. The
//! ticks before it pass before the messages, so that the time until a message arrived is not counted after it.

use super::limits::{STEP_TICKS, TICK_MS};

/// Length of a tick, in microseconds.
const TICK_US: u64 = TICK_MS * 1_000;

/// Clock that counts ticks.
#[derive(Debug, Clone, Copy)]
pub struct TickClock {
    /// Time up to which ticks were counted, in microseconds.
    counted_us: u64,
    /// Number of ticks from then until something is due; at least 1.
    due: u64,
}

/// Ticks that pass in one turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassedTicks {
    /// Ticks to feed before the messages.
    pub before: u64,
    /// Ticks to feed after the messages: none unless something is due.
    pub after: u64,
}

impl TickClock {
    /// Returns a clock that begins at this time, in microseconds. The first tick is due.
    pub fn new(now_us: u64) -> TickClock {
        TickClock { counted_us: now_us, due: 1 }
    }

    /// Counts the ticks that have passed by now.
    pub fn passed(&mut self, now_us: u64) -> PassedTicks {
        let mut passed = now_us.saturating_sub(self.counted_us) / TICK_US;
        if passed > self.due + STEP_TICKS {
            passed = self.due;
            self.counted_us = now_us;
        } else {
            self.counted_us += passed * TICK_US;
        }
        let before = passed.min(self.due - 1);
        self.due = self.due.saturating_sub(passed).max(1);
        PassedTicks { before, after: passed - before }
    }

    /// Sets the number of ticks until something is due, at least 1.
    pub fn plan(&mut self, due: u64) {
        self.due = due.max(1);
    }

    /// Returns the time at which something is due, in microseconds.
    pub fn due_at_us(&self) -> u64 {
        self.counted_us + self.due * TICK_US
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(before: u64, after: u64) -> PassedTicks {
        PassedTicks { before, after }
    }

    #[test]
    fn the_due_tick_passes_last_and_fractions_are_kept() {
        let mut clock = TickClock::new(1_000);
        assert_eq!(clock.passed(1_000 + TICK_US), passed(0, 1));
        clock.plan(20);
        assert_eq!(clock.due_at_us(), 1_000 + 21 * TICK_US);
        assert_eq!(clock.passed(1_000 + 11 * TICK_US + TICK_US / 2), passed(10, 0));
        assert_eq!(clock.due_at_us(), 1_000 + 21 * TICK_US, "a turn in between delays nothing");
        assert_eq!(clock.passed(1_000 + 21 * TICK_US), passed(9, 1));
    }

    #[test]
    fn time_in_which_the_process_did_not_run_does_not_count() {
        let mut clock = TickClock::new(0);
        clock.plan(5);
        assert_eq!(clock.passed(7 * TICK_US), passed(4, 3), "a little late");
        clock.plan(5);
        assert_eq!(clock.passed(1_000 * TICK_US), passed(4, 1));
        assert_eq!(clock.due_at_us(), 1_001 * TICK_US);
    }
}

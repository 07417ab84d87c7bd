//! Slows the clocks that suspect a silent member, on a network that delivers late.
//!
//! A link resends lost packets, so on a bad network messages are not lost but late: at 30 percent loss a heartbeat often takes a
//! second. The usual election timeouts then replace a leader that is well, again and again. How late messages are is known from
//! gaps that ended: the same leader, in the same term, was heard again. An outage is no such gap, and neither is a leader that
//! was replaced, so the usual timeouts apply where the network is good.

use crate::limits::{GAP_TICKS_MAX, GAP_WINDOW_TICKS, SLOWDOWN_MAX};

/// Longest gaps between two messages of a member that went on, in the current window and in the one before.
#[derive(Debug, Default)]
pub(super) struct Slowdown {
    /// Number of the current window.
    window: u64,
    longest: [u64; 2],
}

impl Slowdown {
    /// Records a gap between two messages.
    pub(super) fn record(&mut self, gap: u64, ticks: u64) {
        (self.longest, self.window) = (self.longest(ticks), ticks / GAP_WINDOW_TICKS);
        if gap <= GAP_TICKS_MAX {
            self.longest[0] = self.longest[0].max(gap);
        }
    }

    /// Returns the longest gaps as of now: what is older than two windows is forgotten.
    fn longest(&self, ticks: u64) -> [u64; 2] {
        match ticks / GAP_WINDOW_TICKS - self.window {
            0 => self.longest,
            1 => [0, self.longest[0]],
            _ => [0; 2],
        }
    }

    /// Returns the factor by which a timeout of `limit` ticks is longer than usual: 1 while all gaps were shorter than the
    /// limit, else so large that it is twice the longest gap.
    pub(super) fn factor(&self, limit: u64, ticks: u64) -> u64 {
        let longest = self.longest(ticks).into_iter().max().unwrap_or_default();
        if longest < limit { 1 } else { (2 * longest).div_ceil(limit).min(SLOWDOWN_MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_twice_the_longest_gap_until_that_gap_is_old() {
        let mut slowdown = Slowdown::default();
        slowdown.record(20, 100);
        assert_eq!(slowdown.factor(36, 100), 1, "heartbeats that come in time change nothing");
        slowdown.record(60, 200);
        assert_eq!(slowdown.factor(36, 200), 4);
        assert_eq!(slowdown.factor(140, 200), 1, "a longer timeout need not be longer");
        let later = GAP_WINDOW_TICKS;
        assert_eq!(slowdown.factor(36, later), 4);
        assert_eq!(slowdown.factor(36, 2 * later), 1);
    }

    #[test]
    fn outages_count_for_nothing_and_the_factor_is_bounded() {
        let mut slowdown = Slowdown::default();
        slowdown.record(GAP_TICKS_MAX + 1, 100);
        assert_eq!(slowdown.factor(36, 100), 1);
        slowdown.record(GAP_TICKS_MAX, 100);
        assert_eq!(slowdown.factor(36, 100), SLOWDOWN_MAX);
    }
}

//! Rebalancing of connections. After a restart, a backend has no clients and the others have all of them. Connections cannot
//! be moved, so a few at a time are ended where there are too many. Their clients reconnect to the backend with the fewest.
//!
//! ```text
//!   every second: owed += excess;  for every `REBALANCE_STEPS` owed, one connection ends      a tenth of the excess a minute
//! ```
//!
//! Pure: no clock, no sockets. Each of several balancers ends its own part of the excess. A backend within one connection of
//! the fair share has no excess, so an odd connection never moves back and forth.

use super::limits::REBALANCE_AT_ONCE_MAX;

/// Load of a backend that can take more clients, as seen by this balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    /// All its clients.
    pub(crate) clients: u32,
    /// Those of its clients that are connected through this balancer.
    pub(crate) own: u32,
}

/// Returns the number of this balancer's connections above the fair share, for each backend.
pub(crate) fn excess(loads: &[Load]) -> Vec<u32> {
    let all: u64 = loads.iter().map(|load| u64::from(load.clients)).sum();
    let fair = all.div_ceil(loads.len().max(1) as u64);
    let own_part = |load: &Load| {
        let excess = u64::from(load.clients).saturating_sub(fair);
        let part = (excess * u64::from(load.own)).div_ceil(u64::from(load.clients).max(1));
        u32::try_from(part).unwrap_or(u32::MAX).min(load.own)
    };
    loads.iter().map(own_part).collect()
}

/// Rate control of the rebalancing.
#[derive(Debug)]
pub(crate) struct Rebalancer {
    /// Accumulated excess.
    owed: u64,
    /// Accumulated excess for which one connection ends.
    steps: u64,
}

impl Rebalancer {
    /// Returns a control for `steps` steps of one second, in which a whole excess would be removed at its initial rate.
    pub(crate) fn new(steps: u64) -> Rebalancer {
        Rebalancer { owed: 0, steps: steps.max(1) }
    }

    /// Advances by one step. Returns the positions in `loads` of the backends at which one connection each should end.
    pub(crate) fn step(&mut self, loads: &[Load]) -> Vec<usize> {
        let mut excess = excess(loads);
        let all: u64 = excess.iter().copied().map(u64::from).sum();
        // Connections that were not quiet before are still owed, but never more than the current excess.
        self.owed = (self.owed + all).min(all * self.steps);
        let count = usize::try_from(self.owed / self.steps).unwrap_or(usize::MAX).min(REBALANCE_AT_ONCE_MAX);
        let mut fullest = || {
            let at = (0..excess.len()).max_by_key(|at| (excess[*at], loads[*at].clients))?;
            excess[at] = excess[at].checked_sub(1)?;
            Some(at)
        };
        (0..count).map_while(|_| fullest()).collect()
    }

    /// Records that one of those connections has ended.
    pub(crate) fn ended(&mut self) {
        self.owed = self.owed.saturating_sub(self.steps);
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::REBALANCE_STEPS;
    use super::*;

    fn loads(clients: &[u32]) -> Vec<Load> {
        clients.iter().map(|clients| Load { clients: *clients, own: *clients }).collect()
    }

    /// Runs `steps` steps in which every ended connection reconnects to the backend with the fewest. Returns their number.
    fn run(rebalancer: &mut Rebalancer, loads: &mut [Load], steps: u64) -> u32 {
        let mut count = 0;
        for _ in 0..steps {
            for at in rebalancer.step(loads) {
                let (fewest, _) = loads.iter().enumerate().min_by_key(|(_, load)| load.clients).unwrap();
                loads[at] = Load { clients: loads[at].clients - 1, own: loads[at].own - 1 };
                loads[fewest] = Load { clients: loads[fewest].clients + 1, own: loads[fewest].own + 1 };
                rebalancer.ended();
                count += 1;
            }
        }
        count
    }

    #[test]
    fn an_even_or_nearly_even_spread_stays() {
        for even in [&[][..], &[7], &[4, 4, 4], &[5, 4, 4], &[1, 0, 0], &[1, 1, 0]] {
            assert_eq!(run(&mut Rebalancer::new(1), &mut loads(even), 100), 0, "{even:?}");
        }
        assert_eq!(excess(&loads(&[6, 6, 0])), [2, 2, 0]);
        assert_eq!(excess(&loads(&[2, 0, 0])), [1, 0, 0]);
    }

    #[test]
    fn a_tenth_of_the_excess_goes_each_minute_until_the_spread_is_even() {
        let mut rebalancer = Rebalancer::new(REBALANCE_STEPS);
        let mut loads = loads(&[450, 450, 0]);
        let minute = run(&mut rebalancer, &mut loads, 60);
        assert!((25..=30).contains(&minute), "{minute} of 300");
        run(&mut rebalancer, &mut loads, 3 * 3_600);
        assert_eq!(loads.iter().map(|load| load.clients).collect::<Vec<_>>(), [300, 300, 300]);
    }

    #[test]
    fn several_balancers_share_the_excess() {
        let half = [Load { clients: 600, own: 300 }, Load { clients: 0, own: 0 }];
        assert_eq!(excess(&half), [150, 0]);
        // A balancer without connections to the fullest backend ends none.
        assert_eq!(excess(&[Load { clients: 9, own: 0 }, Load { clients: 1, own: 1 }]), [0, 0]);
    }

    #[test]
    fn connections_that_were_not_quiet_stay_owed_up_to_the_excess() {
        let mut rebalancer = Rebalancer::new(10);
        let loads = loads(&[4, 0]);
        for _ in 0..100 {
            assert!(rebalancer.step(&loads).len() <= 2);
        }
        assert_eq!(rebalancer.step(&loads), [0, 0]);
        assert!(
            Rebalancer::new(1)
                .step(&[Load { clients: 1_000, own: 1_000 }, Load { clients: 0, own: 0 }])
                .len()
                <= REBALANCE_AT_ONCE_MAX
        );
    }
}

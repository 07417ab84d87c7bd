//! Evening out: after a restart the others have a backend's clients, and it has none. Connections are not moved, but
//! ended where too many are, few at a time; their clients come back and go where the fewest are.
//!
//! ```text
//!   every second: owed += excess;  for every `EVEN_STEPS` owed: one ends      a tenth of the excess a minute
//! ```
//!
//! Pure: no clock, no sockets. Of several balancers each ends its own part. Whoever is within one of the fair share
//! stays: an uneven number never goes back and forth.

use super::limits::EVEN_AT_ONCE_MAX;

/// A backend that could serve more, as seen by this balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// All its clients.
    pub clients: u32,
    /// Of these, the connections that this balancer has spliced.
    pub own: u32,
}

/// How many of this balancer's connections are too many, for each backend.
pub fn excess(loads: &[Load]) -> Vec<u32> {
    let all: u64 = loads.iter().map(|load| u64::from(load.clients)).sum();
    let fair = all.div_ceil(loads.len().max(1) as u64);
    let own_part = |load: &Load| {
        let excess = u64::from(load.clients).saturating_sub(fair);
        let part = (excess * u64::from(load.own)).div_ceil(u64::from(load.clients).max(1));
        u32::try_from(part).unwrap_or(u32::MAX).min(load.own)
    };
    loads.iter().map(own_part).collect()
}

/// What is owed so far.
#[derive(Debug)]
pub struct Evening {
    owed: u64,
    /// So much has to be owed for one connection.
    steps: u64,
}

impl Evening {
    /// `steps`: of one second each, in which all of the excess would go at the pace of the first.
    pub fn new(steps: u64) -> Evening {
        Evening { owed: 0, steps: steps.max(1) }
    }

    /// A step later: at which backends one connection each should end now, by their places in `loads`.
    pub fn step(&mut self, loads: &[Load]) -> Vec<usize> {
        let mut excess = excess(loads);
        let all: u64 = excess.iter().copied().map(u64::from).sum();
        // What could not end so far is still owed, but never more than there is too much.
        self.owed = (self.owed + all).min(all * self.steps);
        let count = usize::try_from(self.owed / self.steps).unwrap_or(usize::MAX).min(EVEN_AT_ONCE_MAX);
        let mut fullest = || {
            let at = (0..excess.len()).max_by_key(|at| (excess[*at], loads[*at].clients))?;
            excess[at] = excess[at].checked_sub(1)?;
            Some(at)
        };
        (0..count).map_while(|_| fullest()).collect()
    }

    /// One of those has ended.
    pub fn ended(&mut self) {
        self.owed = self.owed.saturating_sub(self.steps);
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::EVEN_STEPS;
    use super::*;

    fn loads(clients: &[u32]) -> Vec<Load> {
        clients.iter().map(|clients| Load { clients: *clients, own: *clients }).collect()
    }

    /// Lets every connection that ends come back where the fewest are, for so many steps. Answers how many ended.
    fn run(evening: &mut Evening, loads: &mut [Load], steps: u64) -> u32 {
        let mut count = 0;
        for _ in 0..steps {
            for at in evening.step(loads) {
                let (fewest, _) = loads.iter().enumerate().min_by_key(|(_, load)| load.clients).unwrap();
                loads[at] = Load { clients: loads[at].clients - 1, own: loads[at].own - 1 };
                loads[fewest] = Load { clients: loads[fewest].clients + 1, own: loads[fewest].own + 1 };
                evening.ended();
                count += 1;
            }
        }
        count
    }

    #[test]
    fn what_is_even_or_nearly_so_stays() {
        for even in [&[][..], &[7], &[4, 4, 4], &[5, 4, 4], &[1, 0, 0], &[1, 1, 0]] {
            assert_eq!(run(&mut Evening::new(1), &mut loads(even), 100), 0, "{even:?}");
        }
        assert_eq!(excess(&loads(&[6, 6, 0])), [2, 2, 0]);
        assert_eq!(excess(&loads(&[2, 0, 0])), [1, 0, 0]);
    }

    #[test]
    fn a_tenth_of_the_excess_goes_a_minute_and_it_comes_to_an_end() {
        let mut evening = Evening::new(EVEN_STEPS);
        let mut loads = loads(&[450, 450, 0]);
        let minute = run(&mut evening, &mut loads, 60);
        assert!((25..=30).contains(&minute), "{minute} of 300");
        run(&mut evening, &mut loads, 3 * 3_600);
        assert_eq!(loads.iter().map(|load| load.clients).collect::<Vec<_>>(), [300, 300, 300]);
    }

    #[test]
    fn several_balancers_share_what_is_to_be_done() {
        let half = [Load { clients: 600, own: 300 }, Load { clients: 0, own: 0 }];
        assert_eq!(excess(&half), [150, 0]);
        // Whose own are none of those too many, ends none.
        assert_eq!(excess(&[Load { clients: 9, own: 0 }, Load { clients: 1, own: 1 }]), [0, 0]);
    }

    #[test]
    fn what_was_not_quiet_is_owed_but_never_more_than_is_too_much() {
        let mut evening = Evening::new(10);
        let loads = loads(&[4, 0]);
        for _ in 0..100 {
            assert!(evening.step(&loads).len() <= 2);
        }
        assert_eq!(evening.step(&loads), [0, 0]);
        assert!(
            Evening::new(1).step(&[Load { clients: 1_000, own: 1_000 }, Load { clients: 0, own: 0 }]).len()
                <= EVEN_AT_ONCE_MAX
        );
    }
}

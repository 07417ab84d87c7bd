//! Exponential backoff: pauses that double from a minimum to a maximum.

use std::time::Duration;

/// Backoff of repeated attempts.
#[derive(Debug, Clone)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Creates a backoff whose first pause is `min`. Each further pause is twice as long, up to `max`.
    pub const fn new(min: Duration, max: Duration) -> Backoff {
        Backoff { min, max, next: min }
    }

    /// Returns the next pause, and doubles the one after it.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.max);
        pause
    }

    /// Waits for the next pause.
    pub async fn wait(&mut self) {
        smol::Timer::after(self.next_pause()).await;
    }

    /// Returns to the first pause, after a success.
    pub fn reset(&mut self) {
        self.next = self.min;
    }

    /// Returns true once the next pause is the longest.
    pub fn is_longest(&self) -> bool {
        self.next == self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum_and_begin_anew_after_a_reset() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(50), ms(250));
        let pauses: Vec<Duration> = (0..4).map(|_| backoff.next_pause()).collect();
        assert_eq!(pauses, [ms(50), ms(100), ms(200), ms(250)]);
        assert!(backoff.is_longest());
        backoff.reset();
        assert_eq!(backoff.next_pause(), ms(50));
    }
}

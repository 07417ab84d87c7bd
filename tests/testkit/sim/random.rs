//! Random number generator of a run.

use ribbit_replica::random::Random as Chance;

#[derive(Debug, Clone)]
pub struct Random(Chance);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d))
    }
    pub fn draw(&mut self) -> u64 {
        self.0.draw()
    }
    /// In `from..to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.draw() % (to - from)
    }
    /// True so many times in a thousand.
    pub fn permille(&mut self, chance: u64) -> bool {
        self.draw() % 1000 < chance
    }
}

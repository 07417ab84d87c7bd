//! Random numbers from the kernel.

use ribbit_state::HistoryId;

/// Returns a random number.
pub(crate) fn random_u64() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Returns the id of a new history.
pub(crate) fn random_history() -> HistoryId {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    HistoryId(u128::from_le_bytes(bytes))
}

/// Fills `bytes` with random ones.
pub(crate) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the kernel has random bytes");
}

//! The trace of a run: every event, message, disk operation, outcome and answer, in order. Only a digest of it is kept,
//! so that two runs of a seed, in two processes, can be compared byte for byte.

use ribbit_state::sync::MutexExt;
use std::sync::{Arc, Mutex};
use xxhash_rust::xxh3::Xxh3;

/// Clones write to the same trace.
#[derive(Clone, Default)]
pub struct Trace {
    digest: Arc<Mutex<Xxh3>>,
    /// Prints each note, for finding where two traces differ.
    prints: bool,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trace")
    }
}

impl Trace {
    pub fn new(prints: bool) -> Trace {
        Trace { prints, ..Trace::default() }
    }

    /// Notes what happened: its kind, numbers and bytes.
    pub fn note(&self, kind: &str, numbers: &[u64], bytes: &[u8]) {
        let mut digest = self.digest.locked();
        digest.update(kind.as_bytes());
        for number in numbers.iter().chain(&[bytes.len() as u64]) {
            digest.update(&number.to_le_bytes());
        }
        digest.update(bytes);
        if self.prints {
            eprintln!("        {kind} {numbers:?}, {} bytes: {:016x}", bytes.len(), digest.digest());
        }
    }

    /// Returns the digest of everything noted so far.
    pub fn digest(&self) -> u128 {
        self.digest.locked().digest128()
    }
}

//! See `ribbit_fuzz::bodies::raft`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::raft::run(data));

//! See `ribbit_fuzz::bodies::snapshots`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::snapshots::run(data));

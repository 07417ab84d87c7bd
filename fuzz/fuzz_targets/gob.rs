//! See `ribbit_fuzz::bodies::gob`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::gob::run(data));

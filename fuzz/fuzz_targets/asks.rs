//! See `ribbit_fuzz::bodies::asks`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::asks::run(data));

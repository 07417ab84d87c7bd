//! See `ribbit_fuzz::bodies::rules`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::rules::run(data));

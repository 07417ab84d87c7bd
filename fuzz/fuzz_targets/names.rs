//! See `ribbit_fuzz::bodies::names`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::names::run(data));

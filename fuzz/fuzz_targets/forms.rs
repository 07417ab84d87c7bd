//! See `ribbit_fuzz::bodies::forms`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::forms::run(data));

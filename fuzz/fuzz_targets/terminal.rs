//! See `ribbit_fuzz::bodies::terminal`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::terminal::run(data));

//! See `ribbit_fuzz::bodies::shell`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::shell::run(data));

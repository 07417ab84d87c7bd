//! See `ribbit_fuzz::bodies::frames`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::frames::run(data));

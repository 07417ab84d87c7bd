//! See `ribbit_fuzz::bodies::records`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::records::run(data));

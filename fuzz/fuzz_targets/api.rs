//! See `ribbit_fuzz::bodies::api`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::api::run(data));

//! See `ribbit_fuzz::bodies::protocol`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::protocol::run(data));

//! See `ribbit_fuzz::bodies::commas`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::commas::run(data));

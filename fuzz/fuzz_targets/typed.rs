//! See `ribbit_fuzz::bodies::typed`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::typed::run(data));

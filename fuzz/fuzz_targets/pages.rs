//! See `ribbit_fuzz::bodies::pages`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::pages::run(data));

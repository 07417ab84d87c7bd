//! See `ribbit_fuzz::bodies::files`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::files::run(data));

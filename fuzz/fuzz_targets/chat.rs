//! See `ribbit_fuzz::bodies::chat`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::chat::run(data));

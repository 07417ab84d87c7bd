//! See `ribbit_fuzz::bodies::mdns`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::mdns::run(data));

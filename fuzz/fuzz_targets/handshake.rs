//! See `ribbit_fuzz::bodies::handshake`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::handshake::run(data));

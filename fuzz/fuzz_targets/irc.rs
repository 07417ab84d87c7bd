//! See `ribbit_fuzz::bodies::irc`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::irc::run(data));

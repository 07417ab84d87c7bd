//! See `ribbit_fuzz::bodies::journal`.

#![no_main]

libfuzzer_sys::fuzz_target!(init: ribbit_fuzz::let_damage_be_said(), |data: &[u8]| ribbit_fuzz::bodies::journal::run(data));

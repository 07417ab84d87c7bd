//! See `ribbit_fuzz::bodies::grpc`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ribbit_fuzz::bodies::grpc::run(data));

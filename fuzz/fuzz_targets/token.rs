//! Bearer tokens.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| causerie::fuzz::token(bytes));

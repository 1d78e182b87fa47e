//! Documents and their variables.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| causerie::fuzz::query_guard(bytes));

//! Places in lists.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| causerie::fuzz::cursor(bytes));

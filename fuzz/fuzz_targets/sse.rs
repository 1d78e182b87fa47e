//! An assistant's stream of events.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| causerie::fuzz::sse(bytes));

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatewatch_fuzz::findings_to_message::check(bytes, |_| {}, |_| {}));

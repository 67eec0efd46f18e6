#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| haul_fuzz::scheduler_ops::run(bytes));

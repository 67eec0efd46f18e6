//! The fuzzer's entry to every target: `HAUL_FUZZ` names the one.
//!
//! One program and not one each: linking is most of what building takes.

#![no_main]

use std::sync::LazyLock;

use haul_fuzz::{TARGETS, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let asked = std::env::var("HAUL_FUZZ").unwrap_or_default();
    let found = TARGETS.into_iter().find(|(name, _)| *name == asked);
    let names = TARGETS.map(|(name, _)| name).join(", ");
    found.unwrap_or_else(|| panic!("HAUL_FUZZ={asked} is no target; set it to one of {names}")).1
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| TARGET(bytes));

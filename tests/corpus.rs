//! The committed fuzzing corpus, replayed through the functions that the fuzzer calls.

#![cfg(feature = "net")]

#[path = "../fuzz/src/lib.rs"]
pub mod targets;

use std::fs;
use std::path::Path;

/// Runs a target over each of its seeds; a panic's captured output ends with the seed's name.
fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let seeds = fs::read_dir(folder).expect("a folder of seeds").map(|entry| entry.expect("readable").path());
    let mut seeds: Vec<_> = seeds.collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{name} has no seeds");
    for seed in seeds {
        println!("{}", seed.display());
        target(&fs::read(seed).expect("readable"));
    }
}

#[test]
fn input_lines() {
    replay("input_lines", targets::input_lines::run);
}

#[test]
fn retry_after() {
    replay("retry_after", targets::retry_after::run);
}

#[test]
fn redirect() {
    replay("redirect", targets::redirect::run);
}

#[test]
fn content_decoding() {
    replay("content_decoding", targets::content_decoding::run);
}

#[test]
fn scheduler_ops() {
    replay("scheduler_ops", targets::scheduler_ops::run);
}

//! The committed fuzzing corpus, replayed through the functions that the fuzzer calls.

#[path = "../fuzz/src/lib.rs"]
pub mod targets;

use std::fs;
use std::path::Path;

use targets::TARGETS;

/// Runs a target over each of its seeds; a panic's captured output ends with the seed's name.
fn replay(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let seeds = fs::read_dir(folder).expect("a folder of seeds").map(|entry| entry.expect("readable").path());
    let mut seeds: Vec<_> = seeds.collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{name} has no seeds");
    let (_, target) = TARGETS.into_iter().find(|(own, _)| *own == name).expect("a target of this name");
    for seed in seeds {
        println!("{}", seed.display());
        target(&fs::read(seed).expect("readable"));
    }
}

macro_rules! replayed {
    ($($name:ident)+) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )+

        #[test]
        fn every_target_is_replayed() {
            assert_eq!(TARGETS.map(|(name, _)| name), [$(stringify!($name)),+]);
        }
    };
}

replayed! { content_decoding h1_response h2_frames input_lines redirect retry_after scheduler_ops }

//! Which names a run has given to files already. Pure, but for the random key of its hashes.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

/// Names remembered, at most: 18 MB.
const MOST: usize = 1 << 20;

/// The names given, by hashes: two that meet make a name look taken, which costs nothing but a number in the second.
pub(super) struct TakenNames {
    names: HashSet<u64>,
    hashes: RandomState,
    most: usize,
}

/// What is known of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// It is the first file of this run with this name: what stands there is an earlier run's.
    New,
    /// A file of this run has it, or may have.
    TakenNames,
    /// More names are given than are remembered: what stands there may be this run's.
    Unknown,
}

impl TakenNames {
    pub(super) fn new() -> Self {
        Self { names: HashSet::new(), hashes: RandomState::new(), most: MOST }
    }

    /// Takes a name. File systems that don't tell case apart have one file for both.
    pub(super) fn take(&mut self, path: &Path) -> Name {
        let hash = self.hashes.hash_one(path.as_os_str().to_ascii_lowercase());
        if self.names.contains(&hash) {
            Name::TakenNames
        } else if self.names.len() >= self.most {
            Name::Unknown
        } else {
            self.names.insert(hash);
            Name::New
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_new_once() {
        let mut taken = TakenNames { most: 2, ..TakenNames::new() };
        let names = ["d/a.html", "d/A.HTML", "d/a.txt", "d/b.html", "d/a.html"];
        let found = names.map(|name| taken.take(Path::new(name)));
        assert_eq!(found, [Name::New, Name::TakenNames, Name::New, Name::Unknown, Name::TakenNames]);
    }
}

//! One question per file, all pure: try again? when? can we afford it? how fast? how many? where next?

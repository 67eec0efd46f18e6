//! One question per file, all pure: try again? when? can we afford it? how fast? how many? where next?

pub mod redirect;
pub mod retry_after;

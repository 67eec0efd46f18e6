//! What several commands have. Knows no command.

pub(super) mod address_space;
pub(super) mod allocator;
pub(super) mod bound;
pub(super) mod console;
pub(super) mod drive;
#[cfg(test)]
pub(super) mod exactly;
pub(super) mod exit;
pub(super) mod experiment;
pub(super) mod flags;
pub(super) mod layout;
pub(super) mod log;
pub(super) mod metrics;
pub(super) mod outfile;
pub(super) mod page;
pub(super) mod progress;
pub(super) mod setting_names;
pub(super) mod signals;
pub(super) mod since;
pub(super) mod status;
pub(super) mod stdout;
pub(super) mod summary;
pub(super) mod summary_json;
pub(super) mod tee;
pub(super) mod times;
pub(super) mod view;

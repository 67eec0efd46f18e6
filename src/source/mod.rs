//! Where jobs come from: one format per file.

//! Where records go: one format per file.

//! What holds of the sources themselves.

use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Counts what only `unsafe` allows, and attributes that would allow it.
#[derive(Default)]
struct Unsafe(usize);

impl<'ast> Visit<'ast> for Unsafe {
    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.0 += 1;
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.0 += usize::from(matches!(signature.safety, syn::Safety::Unsafe(_)));
        visit::visit_signature(self, signature);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.0 += usize::from(item.unsafety.is_some());
        visit::visit_item_impl(self, item);
    }

    fn visit_item_foreign_mod(&mut self, _: &'ast syn::ItemForeignMod) {
        self.0 += 1;
    }
}

/// Every Rust file below `directory`.
fn rust_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory of ours").map(|entry| entry.expect("readable").path()) {
        match entry.extension() {
            _ if entry.is_dir() && !entry.ends_with("target") => rust_files(&entry, files),
            Some(extension) if extension == "rs" => files.push(entry),
            _ => {}
        }
    }
}

#[test]
fn no_file_of_ours_holds_unsafe_code() {
    let mut files = Vec::new();
    // `fuzz` is not in what is published.
    for directory in ["src", "crates", "tests", "benches", "examples", "fuzz"] {
        let directory = Path::new(ROOT).join(directory);
        if directory.is_dir() {
            rust_files(&directory, &mut files);
        }
    }
    assert!(files.len() > 200, "only {} files found", files.len());
    for file in files {
        let text = fs::read_to_string(&file).expect("UTF-8");
        // Files that are included in others need not parse alone; none of ours does that.
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut found = Unsafe::default();
        found.visit_file(&parsed);
        assert_eq!(found.0, 0, "{}", file.display());
    }
    assert!(fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).expect("ours").contains("unsafe_code = \"forbid\""));
}

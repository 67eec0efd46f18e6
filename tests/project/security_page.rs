//! SECURITY.md names the tests that hold its promises; each of them must exist.

use std::fs;
use std::path::Path;

#[test]
fn every_test_that_the_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("SECURITY.md")).expect("the page");
    let mut named = 0;
    // Written as `path/of/file.rs`: `name`, `name`
    for (file, names) in page.lines().filter_map(|line| line.split_once(".rs`: ")) {
        let (_, file) = file.rsplit_once('`').expect("an opening quote");
        let source =
            fs::read_to_string(root.join(format!("{file}.rs"))).unwrap_or_else(|error| panic!("{file}: {error}"));
        for name in names.split('`').skip(1).step_by(2) {
            assert!(source.contains(&format!("fn {name}(")), "{file}.rs has no test {name}");
            named += 1;
        }
    }
    assert!(named >= 20, "only {named} tests are named");
}

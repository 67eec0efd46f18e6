//! `haul demo`, as anyone runs it first: no network, no set-up.

use std::collections::HashSet;
use std::process::Command;

use serde_json::Value;

#[test]
fn the_demo_runs_and_tells_the_truth() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let records = directory.path().join("records.ndjson");
    let ran = Command::new(env!("CARGO_BIN_EXE_haul"))
        .args(["demo", "--urls", "3000", "-o"])
        .arg(&records)
        .output()
        .expect("cargo built it");
    let said = String::from_utf8(ran.stderr).expect("UTF-8");
    assert_eq!((ran.status.code(), ran.stdout.len()), (Some(0), 0), "{said}");
    let text = std::fs::read_to_string(&records).expect("written");
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(said.contains("303 hosts") && said.contains("What was seen, by kind of host:"), "{said}");
    let counted = |ok: bool| records.iter().filter(|record| record["status"].is_null() != ok).count();
    let first = said.lines().find(|line| line.contains(" responses, ")).expect("a summary");
    let number = |at: usize| first.replace(',', "").split(' ').nth(at).and_then(|word| word.parse::<usize>().ok());
    assert_eq!((number(0), number(4)), (Some(records.len()), Some(counted(true))), "{first}");
    // Only the hosts that are down fail, and HTTP/2 over TLS was really spoken.
    for record in records.iter().filter(|record| record["status"].is_null()) {
        let url = record["url"].as_str().expect("text");
        assert!(url.contains("//down.") || url.contains("//failing."), "{record}");
    }
    let secure = records.iter().filter(|record| record["url"].as_str().is_some_and(|url| url.starts_with("https:")));
    assert_eq!(secure.map(|record| record["version"].as_str()).collect::<HashSet<_>>(), [Some("HTTP/2")].into());
    for line in said.lines().skip_while(|line| !line.starts_with("What was seen")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

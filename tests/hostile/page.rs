//! docs/reference/HOSTILE.md: between two marks stands a table for each group, written from what was played.

use std::fmt::Write;
use std::fs;
use std::sync::Mutex;

use super::case::Group;
use super::runner::Row;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/HOSTILE.md");
const BEGIN: &str = "<!-- the lab: written by a test, HAUL_BLESS=1 cargo test --test hostile renews it -->\n";
const END: &str = "<!-- the lab ends -->\n";
const STALE: &str = "docs/reference/HOSTILE.md is stale: run HAUL_BLESS=1 cargo test --test hostile";

/// Groups are tests of their own, on threads of their own, and renew one file.
static RENEWING: Mutex<()> = Mutex::new(());

/// Holds the group's table: renews it when told to, and compares.
pub(crate) fn hold(title: &str, rows: &[Row]) {
    let table = table(title, rows);
    if is_blessed() {
        renew(title, &table);
    }
    assert!(sections().iter().any(|(_, section)| *section == table), "{STALE}");
}

/// Holds that the page has these groups, in this order, with their numbers of cases.
pub(crate) fn lists(groups: &[Group]) {
    if is_blessed() {
        return;
    }
    let wanted: Vec<_> = groups.iter().map(|group| heading(group.title, group.cases.len())).collect();
    let listed: Vec<_> = sections().into_iter().map(|(heading, _)| heading).collect();
    assert_eq!(listed, wanted, "{STALE}");
}

fn heading(title: &str, cases: usize) -> String {
    format!("### {title}: {cases} cases\n")
}

fn table(title: &str, rows: &[Row]) -> String {
    let mut table = heading(title, rows.len());
    table += "\n| what the peer does | rule | expected | got |\n|---|---|---|---|\n";
    for Row { what, rule, expected, limit, got } in rows {
        let what = what.replace('|', "\\|");
        let mark = if limit.is_some() { " ([known limit](#known-limits))" } else { "" };
        writeln!(table, "| {what} | {rule} | {expected} | {got}{mark} |").expect("a string takes all");
    }
    table + "\n"
}

/// The page before, between and after the marks.
fn parts() -> (String, String, String) {
    let page = fs::read_to_string(DOCUMENT).expect("docs/reference/HOSTILE.md is there");
    let (before, rest) = page.split_once(BEGIN).expect("the page has the mark");
    let (between, after) = rest.split_once(END).expect("the page has the second mark");
    (before.into(), between.into(), after.into())
}

/// The headings between the marks, each with its whole section.
fn sections() -> Vec<(String, String)> {
    let (_, between, _) = parts();
    let mut sections: Vec<(String, String)> = Vec::new();
    for line in between.split_inclusive('\n') {
        if line.starts_with("### ") {
            sections.push((line.into(), String::new()));
        }
        if let Some((_, section)) = sections.last_mut() {
            section.push_str(line);
        }
    }
    sections
}

/// Puts the table in the place of the group's older one; groups that are no more go.
fn renew(title: &str, table: &str) {
    let _alone = RENEWING.lock().expect("no panic while it is held");
    let (before, _, after) = parts();
    let old = sections();
    let mut between = String::from("\n");
    for group in super::groups() {
        let prefix = format!("### {}: ", group.title);
        if group.title == title {
            between += table;
        } else if let Some((_, section)) = old.iter().find(|(heading, _)| heading.starts_with(&prefix)) {
            between += section;
        }
    }
    fs::write(DOCUMENT, before + BEGIN + &between + END + &after).expect("docs/reference/HOSTILE.md is writable");
}

fn is_blessed() -> bool {
    std::env::var_os("HAUL_BLESS").is_some()
}

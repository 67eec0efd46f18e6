//! The findings, for a person and for programs.

use serde_json::json;

use super::judge::{Finding, Level};
use crate::shared::layout::wrap;

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// How far the texts stand from the margin: the longest level and two spaces.
const INDENT: usize = 9;

/// One paragraph per finding, and a line that counts them.
pub(super) fn text(findings: &[Finding]) -> String {
    let mut page = String::new();
    for finding in findings {
        page.push_str(&format!("{:INDENT$}", finding.level.name()));
        wrap(&mut page, &format!("{}: {}", finding.check, finding.found), INDENT);
        page.push_str(&" ".repeat(INDENT));
        wrap(&mut page, &finding.means, INDENT);
        if let Some(fix) = &finding.fix {
            // A command stays in one line, so that it can be copied.
            page.push_str(&format!("{:INDENT$}fix: {fix}\n", ""));
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let many = |count: usize, one: &str| match count {
        0 => format!("no {one}"),
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    };
    let (problems, warnings) = (many(count(Level::Problem), "problem"), many(count(Level::Warning), "warning"));
    page.push_str(&format!("\n{problems}, {warnings}, {} ok\n", count(Level::Ok)));
    page
}

/// `{"level": …, "checks": [{"check", "level", "found", "means", "fix"} …]}`
pub(super) fn json(findings: &[Finding]) -> String {
    let checks: Vec<_> = findings
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check,
                "level": finding.level.name(),
                "found": finding.found,
                "means": finding.means,
                "fix": finding.fix,
            })
        })
        .collect();
    let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
    format!("{}\n", json!({ "level": worst.name(), "checks": checks }))
}

#[cfg(test)]
mod tests {
    use super::super::judge::{judge, tests::healthy};
    use super::*;

    #[test]
    fn a_person_reads_level_check_meaning_and_mending() {
        let mut facts = healthy();
        facts.temporary.free = Ok(1 << 20);
        let text = text(&judge(&facts));
        let begin = "\
ok       descriptors: at most 20,000; 1,024 now, haul raises it
         18,848 connections at once, and 512 look-ups
ok       ports: 28,232 local ports, 32768 to 60999, tcp_tw_reuse 2
         about 28,232 connections to one address and port; with --no-reuse about
         470 new ones a second, as closed ones hold their port for a minute
";
        assert!(text.starts_with(begin), "{text}");
        let end = "\
warning  temporary: only 1.00 MiB free in /tmp
         with --order input, records over 64 MiB that wait for an earlier one go
         there
         fix: TMPDIR=/a/larger/disk haul get --order input …

no problem, 1 warning, 8 ok
";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn programs_get_the_worst_level_and_every_check() {
        let mut facts = healthy();
        facts.name_servers = Ok(vec![]);
        let object: serde_json::Value = serde_json::from_str(&json(&judge(&facts))).expect("JSON");
        assert_eq!((&object["level"], object["checks"].as_array().map(Vec::len)), (&json!("problem"), Some(9)));
        assert_eq!(object["checks"][3]["check"], "name server");
        assert!(object["checks"][3]["fix"].is_string() && object["checks"][0]["fix"].is_null());
    }
}

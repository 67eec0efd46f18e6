//! A report as one HTML document. Pure.
//!
//! Invariant: it needs nothing beside itself, and no text of a run can act: all of it is escaped, and the document's own policy
//! lets in only the style and the script it was made with, by their digests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::chart::{Chart, ChartReadouts, rules};
use super::text::{amount, bytes, escaped, in_script, share, time};
use super::{AnswerSection, NamedValues, Run, charts, tables, timeline};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The document. `answer`: what was worked out from these runs and others. `machine`: where and when it was made.
pub(super) fn page(title: &str, answer: Option<&AnswerSection>, runs: &[Run], machine: &NamedValues) -> String {
    let common = charts::of_all(runs);
    let own: Vec<Option<Chart>> =
        runs.iter().enumerate().map(|(place, run)| charts::phases(run, format!("phases-{place}"))).collect();
    let style = format!("{STYLE}{}", rules());
    let several = runs.len() > 1;
    let beside = own.iter().flatten().filter(|_| !several);
    let figures: String = common.iter().chain(beside).map(Chart::figure).collect();
    let of_run = |chart: &Option<Chart>| chart.as_ref().filter(|_| several).map(Chart::figure).unwrap_or_default();
    let sections: String = runs.iter().zip(&own).map(|(run, chart)| section(run, of_run(chart), several)).collect();
    let spoken: Vec<ChartReadouts<'_>> = common.iter().chain(own.iter().flatten()).map(Chart::spoken).collect();
    let data = in_script(&serde_json::to_string(&spoken).expect("numbers and text can be written"));
    let title = escaped(title);
    let answer = answer.map(AnswerSection::section).unwrap_or_default();
    let overview = if several { tables::runs(runs) } else { runs.iter().map(tiles).collect() };
    let charts = match (runs.is_empty(), figures.is_empty()) {
        (true, _) => "<p>There is no run to draw.</p>".to_owned(),
        (false, true) => "<p>Nothing was fetched.</p>".to_owned(),
        (false, false) => figures,
    };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{}'; script-src '{}'; \
         img-src data:; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\"><link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style>{style}</style></head>\n<body><a class=\"skip\" href=\"#main\">To the figures</a>\n\
         <header><h1>{title}</h1><p>{}</p></header>\n<main id=\"main\">\n{answer}<section>{overview}</section>\n\
         <section aria-label=\"Charts\" class=\"charts\">\n{charts}</section>\n{sections}\
         <section><h2>Machine</h2>{}</section>\n</main>\n\
         <script type=\"application/json\" id=\"data\">{data}</script>\n<script>{SCRIPT}</script>\n</body></html>\n",
        digest(&style),
        digest(SCRIPT),
        escaped(&made(machine)),
        tables::facts(machine),
    )
}

/// What a policy calls this content.
fn digest(content: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(content.as_bytes())))
}

fn made(machine: &NamedValues) -> String {
    let made = machine.iter().find(|(name, _)| name == "made").map(|(_, value)| value.as_str()).unwrap_or_default();
    format!("haul {} {made}", env!("CARGO_PKG_VERSION")).trim_end().to_owned()
}

/// The figures that come first.
fn tiles(run: &Run) -> String {
    let seen = &run.seen;
    let at = |quantile| time(seen.latency.value_at_quantile(quantile) as f64);
    let seconds = run.elapsed.as_secs_f64();
    let all = [
        Some((tables::grouped(seen.requests), "requests")),
        Some((time(seconds * 1e9), "from start to end")),
        Some((amount(run.per_second()), "per second")),
        Some((tables::grouped(seen.failed), "failed")),
        (!seen.latency.is_empty()).then(|| (at(0.5), "latency, p50")),
        (!seen.latency.is_empty()).then(|| (at(0.99), "latency, p99")),
        run.opened.map(|opened| (tables::grouped(opened), "connections opened")),
        Some((share(seen.reused as f64, seen.requests as f64), "on a connection reused")),
        Some((bytes(seen.wire_bytes as f64), "received")),
        (seen.rejected > 0).then(|| (tables::grouped(seen.rejected), "lines rejected")),
        (seen.again > 0).then(|| (tables::grouped(seen.again), "retries and redirects")),
        (seen.left_out > 0).then(|| (tables::grouped(seen.left_out), "of the warm-up, left out")),
    ];
    let one = |(value, name): (String, &str)| format!("<div><dd>{}</dd><dt>{name}</dt></div>", escaped(&value));
    format!("<dl class=\"tiles\">{}</dl>{}", all.into_iter().flatten().map(one).collect::<String>(), notes(run))
}

fn notes(run: &Run) -> String {
    run.notes.iter().map(|note| format!("<p class=\"note\">{}</p>", escaped(note))).collect()
}

/// What is told of one run. Of several, each can be opened; then the chart of its phases is with it.
fn section(run: &Run, chart: String, one_of_several: bool) -> String {
    let nothing = run.seen.requests == 0 && run.seen.failures.is_empty();
    let part = |title: &str, content: String| format!("<section><h2>{title}</h2>{content}</section>\n");
    let phases = tables::phases(run) + &chart;
    let failures = match run.seen.failures.is_empty() {
        true => "<p>No request failed.</p>".to_owned(),
        false => tables::failures(run),
    };
    let told = [
        (!nothing).then(|| part("Where the time went", phases)),
        (!nothing).then(|| part("Failures", failures)),
        (!run.seen.statuses.is_empty()).then(|| part("Statuses", tables::statuses(run))),
        (run.seen.requests > 0).then(|| part("Hosts", HOSTS_NOTE.to_owned() + &tables::hosts(run))),
        (run.seen.requests > 0).then(|| part("Requests", REQUESTS_NOTE.to_owned() + &timeline::timeline(run))),
        Some(part("Settings", tables::facts(&run.settings))),
    ];
    let told = told.into_iter().flatten().collect::<String>();
    if one_of_several {
        let name = escaped(&run.name);
        return format!("<details class=\"run\"><summary>{name}</summary>{}{told}</details>\n", notes(run));
    }
    told
}

const HOSTS_NOTE: &str = "<p>The hosts with the most requests; of more than about 2,000, the small ones are counted together. Times \
are of last attempts.</p>";
const REQUESTS_NOTE: &str = "<p>A sample, one row for each request. A thin line is the wait before the last attempt, with earlier \
attempts in it; the bar is that attempt. Queries are left out.</p>";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::recorder::tests::seen;
    use super::*;
    use crate::shared::since::Since;

    const HOSTILE: &str = "</title></script><script>alert(1)</script><!--'\"";

    fn run(name: &str, requests: u64) -> Run {
        Run {
            name: name.to_owned(),
            elapsed: Duration::from_secs(1),
            drained: 0,
            opened: Some(8),
            notes: vec![HOSTILE.to_owned()],
            settings: vec![(HOSTILE.to_owned(), HOSTILE.to_owned())],
            seen: seen(requests, Duration::ZERO),
        }
    }

    fn several() -> String {
        page(
            HOSTILE,
            None,
            &[run(HOSTILE, 1000), run("pooled", 3000), run("nothing", 0)],
            &vec![("made".into(), HOSTILE.into())],
        )
    }

    #[test]
    fn text_that_is_foreign_stays_text() {
        let page = several();
        assert!(!page.contains("<script>alert"), "as an element");
        assert_eq!(page.matches("<script").count(), 2, "the data's and the page's own");
        assert_eq!(page.matches("</script").count(), 2);
        assert!(!page.contains("<b>late") && !page.contains("<i>line") && !page.contains("s3cret"));
        assert!(page.contains("&lt;b&gt;late"));
    }

    #[test]
    fn what_is_opened_is_closed() {
        let page = several();
        for name in ["table", "details", "section", "figure", "svg", "div", "dl", "ul", "main", "tr", "td", "th"] {
            let opened = page.matches(&format!("<{name}>")).count() + page.matches(&format!("<{name} ")).count();
            assert_eq!(opened, page.matches(&format!("</{name}>")).count(), "{name}");
        }
    }

    #[test]
    fn several_runs_stand_side_by_side_and_each_by_itself() {
        let page = several();
        let count = |text: &str| page.matches(text).count();
        assert_eq!((count("<details class=\"run\">"), count("The runs side by side</caption>")), (3, 1));
        assert_eq!((count("id=\"throughput\""), count("id=\"phases-"), count(">Nothing was")), (1, 2, 0));
        let data = page.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next()).expect("there");
        let data: serde_json::Value = serde_json::from_str(data).expect("JSON");
        let names = data[0]["lines"].as_array().expect("lines").iter().map(|line| line[0].as_str().expect("a name"));
        assert_eq!(names.collect::<Vec<_>>(), [HOSTILE, "pooled", "nothing"]);
        for point in data[0]["points"].as_array().expect("points") {
            assert_eq!(point["values"].as_array().map(Vec::len), Some(3));
        }
    }

    #[test]
    fn a_run_of_nothing_has_a_page() {
        let nothing = Run { seen: super::super::Recorder::new(Duration::ZERO, Since::Sent, 0), ..run("nothing", 0) };
        assert!(page("nothing", None, &[nothing], &vec![]).contains("Nothing was fetched."));
        let answered = page("an answer alone", Some(&AnswerSection::default()), &[], &vec![]);
        assert!(answered.contains("no run to draw") && !answered.contains("Nothing was fetched."));
    }

    #[test]
    fn the_policy_names_the_style_and_the_script_that_are_there() {
        let page = several();
        for (open, close) in [("<style>", "</style>"), ("<script>", "</script>")] {
            let content = page.split(open).nth(1).and_then(|rest| rest.split(close).next()).expect("there");
            assert!(page.contains(&format!("'{}'", digest(content))), "{open}");
        }
        assert!(!page.contains(" style=") && !page.contains("onclick"), "the policy forbids them");
    }
}

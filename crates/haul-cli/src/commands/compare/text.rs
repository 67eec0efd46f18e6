//! The answer for people: two tables, and what they show in words. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::HumanCount;

use super::list;
use super::report::{ComparisonReport, MedianInterval, SpeedComparison, WayFigures, WayReport};
use super::stats::{FEWEST, Finding, Interval};
use crate::shared::layout::wrap;
use crate::shared::page::{AnswerSection, shown};
use crate::shared::times::clock;

/// From how many columns on the tables say more.
const WIDE: usize = 100;

const WHERE_TIME_WENT: &str = "Where a request's time went (mean), and its latency without the wait for a slot";

/// The whole answer in so many columns, at least 80.
pub(super) fn text(report: &ComparisonReport, width: usize) -> String {
    let mut page = String::new();
    wrap(&mut page, &heading(report, &report.list.url), 0);
    page.push('\n');
    let wide = width >= WIDE;
    table(&mut page, rows(report, &first_columns(wide)));
    page.push('\n');
    let _ = writeln!(page, "{WHERE_TIME_WENT}:\n");
    table(&mut page, rows(report, &second_columns(wide)));
    for remark in remarks(report) {
        page.push('\n');
        wrap(&mut page, &remark, 2);
    }
    if let Some((whole, steps)) = verdict(report) {
        page.push('\n');
        wrap(&mut page, &whole, 0);
        if !steps.is_empty() {
            page.push_str("\nWhat each step brings:\n");
        }
        for step in steps {
            page.push_str("- ");
            wrap(&mut page, &step, 2);
        }
    }
    page.truncate(page.trim_end().len());
    page
}

/// `url`: the list's first, as it may be told.
fn heading(report: &ComparisonReport, url: &str) -> String {
    let list = &report.list;
    let what = match list.built_in {
        true => list::about_built_in(),
        false => url.to_owned() + if list.urls > 1 { " and so on" } else { "" },
    };
    let first = report.sound().next().map_or("the first", |(name, _)| name);
    let sure = match report.confidence {
        Some(confidence) => {
            format!("Times are medians; speed-ups are against {first}, with {:.1} % intervals.", confidence * 100.0)
        }
        None => format!("Times are medians; fewer than {FEWEST} rounds give no intervals."),
    };
    format!(
        "{}{}, {}: {what}. {} after a warm-up, in random order (seed {}). {sure}",
        cut_off(report),
        some(list.urls as u64, "URL"),
        some(list.hosts as u64, "host"),
        some(report.rounds as u64, "round"),
        report.seed,
    )
}

/// What comes before all else of a comparison that has not come to its end.
fn cut_off(report: &ComparisonReport) -> String {
    let ComparisonReport { stopped, rounds, rounds_asked, .. } = report;
    let (complete, asked) = (HumanCount(*rounds as u64), some(*rounds_asked as u64, "round"));
    if *stopped { format!("Interrupted: {complete} of {asked} complete. ") } else { String::new() }
}

fn some(count: u64, what: &str) -> String {
    format!("{} {what}{}", HumanCount(count), if count == 1 { "" } else { "s" })
}

/// A column: its title, and its cell for a way that has figures.
type Column = (&'static str, fn(&WayFigures) -> String);

fn first_columns(wide: bool) -> Vec<Column> {
    let mut columns: Vec<Column> = vec![("time", |of| seconds(of.time_s.median))];
    if wide {
        columns.push(("interval", |of| interval_of_time(of.time_s)));
    }
    columns.extend::<[Column; 5]>([
        ("requests/s", |of| number(of.requests_per_s)),
        ("speed-up", |of| of.speed_up.map_or_else(none, speed_up)),
        ("conns", |of| of.connections.map_or_else(none, number)),
        ("TLS", |of| of.tls_handshakes.map_or_else(none, number)),
        ("CPU/req", |of| micros(of.cpu_us_per_request)),
    ]);
    columns
}

fn second_columns(wide: bool) -> Vec<Column> {
    let mut columns: Vec<Column> = vec![
        ("slot", |of| of.phases_us.map_or_else(none, |phases| part(phases.waiting))),
        ("DNS", |of| of.phases_us.map_or_else(none, |phases| part(phases.dns))),
        ("connect", |of| of.phases_us.map_or_else(none, |phases| part(phases.connect))),
        ("TLS", |of| of.phases_us.map_or_else(none, |phases| part(phases.tls))),
        ("first byte", |of| of.phases_us.map_or_else(none, |phases| part(phases.first_byte))),
        ("body", |of| of.phases_us.map_or_else(none, |phases| part(phases.body))),
    ];
    if wide {
        columns.push(("other", |of| of.phases_us.map_or_else(none, |phases| part(phases.other))));
    }
    columns.push(("p50", |of| micros(of.latency_us.p50)));
    if wide {
        columns.push(("p90", |of| micros(of.latency_us.p90)));
    }
    columns.push(("p99", |of| micros(of.latency_us.p99)));
    columns
}

/// The table's lines: the first cell is the way's name.
fn rows(report: &ComparisonReport, columns: &[Column]) -> Vec<Vec<String>> {
    let mut rows =
        vec![std::iter::once("").chain(columns.iter().map(|(title, _)| *title)).map(str::to_owned).collect()];
    for WayReport { way, measured, .. } in &report.modes {
        let mut row = vec![way.name.to_owned()];
        row.extend(columns.iter().map(|(_, cell)| measured.as_ref().map_or_else(none, cell)));
        rows.push(row);
    }
    rows
}

/// Cells under each other, two spaces apart: names to the left, all else to the right.
fn table(page: &mut String, rows: Vec<Vec<String>>) {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |at: usize| rows.iter().map(|row: &Vec<String>| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in &rows {
        let mut line = format!("{:<width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            // Writing to a string can't fail.
            let _ = write!(line, "  {cell:>width$}");
        }
        page.push_str(line.trim_end());
        page.push('\n');
    }
}

fn none() -> String {
    "-".to_owned()
}

/// What the tables can't say: who is missing, and whose figures can't be used.
fn remarks(report: &ComparisonReport) -> Vec<String> {
    let remark = |WayReport { way, missing, measured }: &WayReport| {
        let failed = measured.as_ref().filter(|measured| measured.failed > 0);
        match (missing, failed) {
            (Some(why), _) => Some(format!("{}: no figures, {why}.", way.name)),
            (None, Some(measured)) => {
                let kinds = measured.failures.iter().map(|(why, count)| format!("{why} {}", HumanCount(*count)));
                let kinds = kinds.collect::<Vec<_>>().join(", ");
                let count = some(measured.failed, "request");
                Some(format!("{}: {count} failed ({kinds}), so its times compare with nothing.", way.name))
            }
            (None, None) => None,
        }
    };
    report.modes.iter().filter_map(remark).collect()
}

/// What the rounds show on the whole, and of each step. Nothing without rounds.
fn verdict(report: &ComparisonReport) -> Option<(String, Vec<String>)> {
    let told = match report.confidence {
        None => (format!("No verdict: that takes at least {FEWEST} rounds (--rounds {FEWEST})."), Vec::new()),
        Some(_) => (fastest(report), report.steps.iter().map(|step| step_text(report, step)).collect()),
    };
    (report.rounds > 0).then_some(told)
}

/// The same answer for a page.
pub(super) fn answer(report: &ComparisonReport) -> AnswerSection {
    let (verdict, steps) = verdict(report).unwrap_or_default();
    AnswerSection {
        // A page is passed on more often than a terminal's text.
        heading: heading(report, &shown(&report.list.url)),
        tables: vec![
            ("Time and speed".to_owned(), rows(report, &first_columns(true))),
            (WHERE_TIME_WENT.to_owned(), rows(report, &second_columns(true))),
        ],
        words: remarks(report).into_iter().chain(Some(verdict)).filter(|text| !text.is_empty()).collect(),
        list: steps,
    }
}

/// Who was fastest, and who can't be told from it.
fn fastest(report: &ComparisonReport) -> String {
    let mut sound: Vec<_> = report.sound().collect();
    let Some((first, _)) = sound.first().copied() else {
        return "Nothing to compare: requests failed everywhere.".into();
    };
    sound.sort_by(|(_, one), (_, other)| one.time_s.median.total_cmp(&other.time_s.median));
    let (best, _) = sound[0];
    let is_behind = |name: &str| matches!(report.find(name, best), Some(Finding::Faster(_)));
    let like = sound[1..].iter().filter(|(name, _)| !is_behind(name));
    let like: Vec<&str> = like.map(|(name, _)| *name).collect();
    // Only what the intervals show: with others that can't be told from it, it is not known to be the fastest.
    let mut text = format!("{}: {best}", if like.is_empty() { "Fastest" } else { "Least median time" });
    if let Some(Finding::Faster(by)) = report.find(first, best) {
        let _ = write!(text, ", {} times as fast as {first}", range(by));
    }
    text.push_str(match like.is_empty() {
        true => ".",
        false => "; no difference shown between it and ",
    });
    if !like.is_empty() {
        let _ = write!(text, "{}.", like.join(", "));
    }
    text
}

fn step_text(report: &ComparisonReport, step: &SpeedComparison) -> String {
    let SpeedComparison { from, to, change, finding, low, high, .. } = step;
    let found = match (*finding, low.zip(*high)) {
        ("faster", Some((low, high))) => format!("{} times as fast", range(Interval { low, high })),
        ("slower", Some((low, high))) => format!("takes {} times as long", range(Interval { low, high })),
        (finding, _) => finding.to_owned(),
    };
    format!("{change}, {from} to {to}: {found}{}", why(report, step))
}

/// The largest change among the parts of a request's time, which is where a difference comes from.
fn why(report: &ComparisonReport, step: &SpeedComparison) -> String {
    let phases = |name: &str| {
        let (_, measured) = report.sound().find(|(other, _)| *other == name)?;
        let phases = measured.phases_us?;
        Some([
            ("waiting for a slot", if step.at_once { phases.waiting } else { 0.0 }),
            ("DNS", phases.dns),
            ("connecting and TLS", phases.connect + phases.tls),
            ("the first byte", phases.first_byte),
            ("the body", phases.body),
        ])
    };
    let (Some(from), Some(to), true) = (phases(step.from), phases(step.to), step.low.is_some()) else {
        return String::new();
    };
    let sign = if step.finding == "faster" { 1.0 } else { -1.0 };
    let saved = |at: usize| sign * (from[at].1 - to[at].1);
    let most = (0..from.len()).max_by(|one, other| saved(*one).total_cmp(&saved(*other))).unwrap_or(0);
    if saved(most) <= 0.0 {
        return String::new();
    }
    format!(" ({}: {} instead of {})", from[most].0, part(to[most].1), part(from[most].1))
}

/// `3.1-3.4`
fn range(Interval { low, high }: Interval) -> String {
    let (low, high) = (factor(low), factor(high));
    if low == high { low } else { format!("{low}-{high}") }
}

fn speed_up(bounds: MedianInterval) -> String {
    let MedianInterval { median, low, high } = bounds;
    match low.zip(high) {
        Some((low, high)) if (low - high).abs() > 0.0 => {
            format!("{} ({}-{})", factor(median), factor(low), factor(high))
        }
        _ => factor(median),
    }
}

fn interval_of_time(bounds: MedianInterval) -> String {
    match bounds.low.zip(bounds.high) {
        Some((low, high)) => format!("{}-{}", seconds(low), seconds(high)),
        None => none(),
    }
}

/// A factor with three digits.
fn factor(factor: f64) -> String {
    match factor {
        ..9.995 => format!("{factor:.2}"),
        ..99.95 => format!("{factor:.1}"),
        _ => format!("{factor:.0}"),
    }
}

fn number(number: f64) -> String {
    let number = format!("{number:.0}").parse().unwrap_or(0);
    HumanCount(number).to_string()
}

fn seconds(seconds: f64) -> String {
    micros(seconds * 1e6)
}

/// A part of the time: nothing at all is shown as that.
fn part(microseconds: f64) -> String {
    if microseconds < 0.5 { "0".to_owned() } else { micros(microseconds) }
}

/// A time with three digits.
fn micros(microseconds: f64) -> String {
    match microseconds {
        ..999.5 => format!("{microseconds:.0}us"),
        ..9_995.0 => format!("{:.2}ms", microseconds / 1e3),
        ..99_950.0 => format!("{:.1}ms", microseconds / 1e3),
        ..999_500.0 => format!("{:.0}ms", microseconds / 1e3),
        ..9_995_000.0 => format!("{:.2}s", microseconds / 1e6),
        ..59_950_000.0 => format!("{:.1}s", microseconds / 1e6),
        _ => clock(Duration::try_from_secs_f64(microseconds / 1e6).unwrap_or(Duration::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::compare::report::tests::report;

    #[test]
    fn the_answer_is_in_words_where_the_intervals_allow_it() {
        let page = text(&report(), 80);
        let expected = "\
10 URLs, 1 host: http://a.test/ and so on. 6 rounds after a warm-up, in random
order (seed 1). Times are medians; speed-ups are against serial, with 96.9 %
intervals.

               time  requests/s           speed-up  conns  TLS  CPU/req
serial        1.00s          10               1.00      7    5   10.0ms
serial-reuse  1.00s          10  1.00 (1.00-1.02)      7    5   10.0ms
";
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat(&page).starts_with(&flat(expected)), "{page}");
        for words in [
            "Fastest: threads, 4.00-5.00 times as fast as serial.",
            "- keeping connections, serial to serial-reuse: no difference shown",
            "- threads, serial to threads: 4.00-5.00 times as fast",
            "gather: 6 requests failed (head timeout 6), so its times compare with nothing.",
            "httpx: no figures, httpx is not installed.",
        ] {
            assert!(flat(&page).contains(words), "{words}: {page}");
        }
        assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    }

    #[test]
    fn a_wide_terminal_is_told_more() {
        let wide = text(&report(), 120);
        for more in [" interval ", "other", "p90", "1.00s-1.02s"] {
            assert!(wide.contains(more) && !text(&report(), 80).contains(more), "{more}: {wide}");
        }
    }

    #[test]
    fn nothing_is_said_of_too_few_rounds() {
        let mut report = report();
        report.confidence = None;
        let page = text(&report, 80);
        assert!(page.ends_with("No verdict: that takes at least 6 rounds (--rounds 6)."), "{page}");
        report.rounds = 0;
        report.modes.iter_mut().for_each(|figures| figures.measured = None);
        assert!(!text(&report, 80).contains("verdict"), "stopped in the first round");
    }

    #[test]
    fn what_was_cut_off_says_so_first() {
        let whole = report();
        assert!(!text(&whole, 80).contains("Interrupted") && !answer(&whole).heading.contains("Interrupted"));
        let cut = ComparisonReport { stopped: true, rounds_asked: 11, ..whole };
        let first = "Interrupted: 6 of 11 rounds complete. 10 URLs, 1 host: http://a.test/ and";
        assert!(text(&cut, 80).starts_with(first), "{}", text(&cut, 80));
        assert!(answer(&cut).heading.starts_with(first), "the page's, too");
    }

    #[test]
    fn times_and_factors_have_three_digits() {
        let times = [0.4, 999.4, 999.6, 12_345.0, 123_456.0, 1_234_567.0, 12_345_678.0, 123_456_789.0];
        let told = ["0us", "999us", "1.00ms", "12.3ms", "123ms", "1.23s", "12.3s", "2m03s"];
        assert_eq!(times.map(micros), told);
        assert_eq!([0.5, 9.994, 9.996, 99.96, 1234.0].map(factor), ["0.50", "9.99", "10.0", "100", "1234"]);
    }
}

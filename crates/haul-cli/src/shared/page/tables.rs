//! The tables of a report. Pure.
//!
//! A cell's `data-v` is what it is sorted by, where that is not its text. A table of class `sortable` gets its buttons and its
//! search from the page's script; without the script it is a table all the same.

use std::fmt::Write;

use super::charts::{colour, of_part};
use super::hosts::HostRow;
use super::parts::Part;
use super::text::{amount, bytes, escaped, share, time};
use super::{NamedValues, Run};

/// Hosts with a row of their own.
const HOSTS: usize = 500;
/// The width of a bar in its own units.
const BAR: f64 = 1000.0;

/// Names and values.
pub(super) fn facts(facts: &NamedValues) -> String {
    let one =
        |(name, value): &(String, String)| format!("<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value));
    format!("<dl class=\"facts\">{}</dl>", facts.iter().map(one).collect::<String>())
}

/// A cell that is sorted by a number.
pub(super) fn number(value: f64, text: &str) -> String {
    format!("<td class=\"n\" data-v=\"{value}\">{}</td>", escaped(text))
}

fn count(count: u64) -> String {
    number(count as f64, &grouped(count))
}

/// A count with all its digits.
pub(super) fn grouped(count: u64) -> String {
    indicatif::HumanCount(count).to_string()
}

/// A table in a frame that scrolls by itself. `columns`: titles, and whether numbers stand below.
pub(super) fn table(class: &str, caption: &str, columns: &[(&str, bool)], rows: &str) -> String {
    let head = |(title, is_number): &(&str, bool)| {
        format!("<th scope=\"col\"{}>{}</th>", if *is_number { " class=\"n\"" } else { "" }, escaped(title))
    };
    let head: String = columns.iter().map(head).collect();
    let caption = escaped(caption);
    format!(
        "<div class=\"frame {class}\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table class=\"{class}\">\
         <caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>\n"
    )
}

/// What the colours of bars stand for.
pub(super) fn legend(parts: &[Part]) -> String {
    let one = |part: &Part| format!("<li><i class=\"k{}\"></i>{}</li>", of_part(*part), part.name());
    format!("<ul class=\"legend\">{}</ul>", parts.iter().map(one).collect::<String>())
}

/// The runs side by side.
pub(super) fn runs(runs: &[Run]) -> String {
    let longest = runs.iter().map(mean).fold(0.0, f64::max);
    let one = |(place, run): (usize, &Run)| {
        let seen = &run.seen;
        let quantile = |q| seen.latency.value_at_quantile(q) as f64;
        let seconds = run.elapsed.as_secs_f64();
        let rate = run.per_second();
        format!(
            "<tr><th scope=\"row\"><i class=\"k{}\"></i>{}</th>{}{}{}{}{}{}{}<td>{}</td></tr>",
            colour(place),
            escaped(&run.name),
            count(seen.requests),
            count(seen.failed),
            number(seconds, &time(seconds * 1e9)),
            number(rate, &amount(rate)),
            number(quantile(0.5), &time(quantile(0.5))),
            number(quantile(0.99), &time(quantile(0.99))),
            run.opened.map_or_else(|| "<td></td>".to_owned(), count),
            bar(run, longest),
        )
    };
    let rows: String = runs.iter().enumerate().map(one).collect();
    let columns = [
        ("run", false),
        ("requests", true),
        ("failed", true),
        ("time", true),
        ("per second", true),
        ("p50", true),
        ("p99", true),
        ("connections", true),
        ("mean attempt", false),
    ];
    table("sortable", "The runs side by side", &columns, &rows) + &legend(&Part::OF_ATTEMPT)
}

/// Nanoseconds of the mean attempt.
fn mean(run: &Run) -> f64 {
    run.seen.sums.attempt() as f64 / run.seen.requests.max(1) as f64
}

/// What a run's mean attempt spent its time on, as a part of the longest.
fn bar(run: &Run, longest: f64) -> String {
    let scale = BAR / (longest * run.seen.requests.max(1) as f64).max(1.0);
    let mut x = 0.0;
    let mut rects = String::new();
    for part in Part::OF_ATTEMPT {
        let width = run.seen.sums.get(part) as f64 * scale;
        let _ = write!(
            rects,
            "<rect class=\"k{}\" x=\"{x:.1}\" width=\"{width:.1}\" y=\"0\" height=\"12\"/>",
            of_part(part)
        );
        x += width;
    }
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 1000 12\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{rects}</svg>"
    )
}

/// Where the time of a run's requests went.
pub(super) fn phases(run: &Run) -> String {
    let attempts = run.seen.sums.attempt();
    let one = |part: Part| {
        let histogram = &run.seen.parts[part as usize];
        let at = |quantile| histogram.value_at_quantile(quantile) as f64;
        let sum = run.seen.sums.get(part) as f64;
        let (mean, all) = (sum / run.seen.requests.max(1) as f64, attempts as f64);
        let of_all = if part == Part::Wait { number(-1.0, "") } else { number(sum / all.max(1.0), &share(sum, all)) };
        let cells = [mean, at(0.5), at(0.9), at(0.99), histogram.max() as f64].map(|value| number(value, &time(value)));
        format!(
            "<tr><th scope=\"row\"><i class=\"k{}\"></i>{}</th>{}{of_all}{}</tr>",
            of_part(part),
            part.name(),
            count(histogram.len()),
            cells.concat()
        )
    };
    let rows: String =
        Part::ALL.into_iter().filter(|part| !run.seen.parts[*part as usize].is_empty()).map(one).collect();
    let columns = [
        ("phase", false),
        ("requests with it", true),
        ("of attempts' time", true),
        ("mean over all", true),
        ("p50", true),
        ("p90", true),
        ("p99", true),
        ("longest", true),
    ];
    table("", "Where the time went, percentiles of requests with this phase", &columns, &rows)
}

/// Statuses by count.
pub(super) fn statuses(run: &Run) -> String {
    let all = run.seen.requests as f64;
    let one = |(status, number_of): (&u16, &u64)| {
        format!(
            "<tr><th scope=\"row\" class=\"s{}\">{status}</th>{}{}</tr>",
            status / 100,
            count(*number_of),
            number(*number_of as f64, &share(*number_of as f64, all))
        )
    };
    let rows: String = run.seen.statuses.iter().map(one).collect();
    table("small", "Responses by status", &[("status", false), ("responses", true), ("of requests", true)], &rows)
}

/// Failures by phase and kind, with the first of each.
pub(super) fn failures(run: &Run) -> String {
    let mut failures: Vec<_> = run.seen.failures.iter().collect();
    failures.sort_by_key(|(_, failures)| std::cmp::Reverse(failures.count));
    let rows = failures.into_iter().map(|((phase, kind), failures)| {
        format!(
            "<tr><td>{phase}</td><td>{kind}</td>{}<td class=\"long\">{}</td><td class=\"long\"><code>{}</code></td></tr>",
            count(failures.count),
            escaped(&failures.message),
            escaped(&failures.of)
        )
    });
    let columns = [("phase", false), ("kind", false), ("count", true), ("the first one said", false), ("of", false)];
    table("sortable", "Failures by phase and kind", &columns, &rows.collect::<String>())
}

/// The hosts with the most requests.
pub(super) fn hosts(run: &Run) -> String {
    let (top, others) = run.seen.hosts.top(HOSTS);
    let mut rows: String = top.iter().map(|(origin, row)| host(origin, row)).collect();
    if others.requests > 0 {
        rows += &host("all others", &others);
    }
    let columns = [
        ("host", false),
        ("requests", true),
        ("failed", true),
        ("tried again", true),
        ("reused", true),
        ("received", true),
        ("mean", true),
        ("longest", true),
    ];
    table("sortable searchable", "Hosts", &columns, &rows)
}

fn host(origin: &str, row: &HostRow) -> String {
    let (mean, longest, received) = (row.mean() as f64, row.longest as f64, row.wire_bytes as f64);
    format!(
        "<tr><th scope=\"row\"><code>{}</code></th>{}{}{}{}{}{}{}</tr>",
        escaped(origin),
        count(row.requests),
        count(row.failed),
        count(row.again),
        number(row.reused as f64 / row.requests.max(1) as f64, &share(row.reused as f64, row.requests as f64)),
        number(received, &bytes(received)),
        number(mean, &time(mean)),
        number(longest, &time(longest)),
    )
}

//! Requests one by one: what each waited for, as bars over time. Pure.

use std::fmt::Write;
use std::time::Duration;

use haul::model::Time;

use super::Run;
use super::charts::of_part;
use super::parts::{Part, Parts};
use super::sample::SampledRequest;
use super::tables::{grouped, legend, number, table};
use super::text::{bytes, escaped, time};

/// The width of a bar in its own units.
const BAR: f64 = 1000.0;

/// Where a bar begins.
#[derive(Clone, Copy, Debug)]
enum From {
    /// At the run's start: requests stand as they were in time.
    Start,
    /// When the last attempt was dispatched: requests can be compared.
    Dispatch,
}

/// The samples of a run, each with its own scale.
pub(super) fn timeline(run: &Run) -> String {
    let samples = &run.seen.samples;
    let sorted = |picked: &[SampledRequest], by: fn(&SampledRequest) -> Duration| {
        let mut picked = picked.to_vec();
        picked.sort_by_key(|picked| (by(picked), picked.seq));
        picked
    };
    let start = |picked: &SampledRequest| dispatched(picked).since(Time::ZERO);
    let mut slowest = sorted(&samples.slowest, |picked| picked.timings.total);
    slowest.reverse();
    let seen = |number: u64| grouped(number);
    let (troubled, any) = (&samples.troubled, &samples.any);
    let groups = [
        ("The first to end, since the run's start".to_owned(), sorted(&samples.first, start), From::Start),
        (
            format!("The first to end of {}, since the run's start", samples.host),
            if run.seen.hosts.is_one() { Vec::new() } else { sorted(&samples.one_host, start) },
            From::Start,
        ),
        ("The slowest, since their dispatch".to_owned(), slowest, From::Dispatch),
        (
            format!(
                "In trouble, since their dispatch: {} of {} that failed or took several attempts",
                troubled.kept.len(),
                seen(troubled.seen)
            ),
            sorted(&troubled.kept, start),
            From::Dispatch,
        ),
        (
            format!("Any, since their dispatch: {} of {}", any.kept.len(), seen(any.seen)),
            sorted(&any.kept, start),
            From::Dispatch,
        ),
    ];
    let open = |place: usize| if place == 0 { " open" } else { "" };
    let group = |(place, (title, picked, from)): (usize, (String, Vec<SampledRequest>, From))| {
        format!(
            "<details{}><summary>{}</summary>{}</details>\n",
            open(place),
            escaped(&title),
            rows(&title, &picked, from)
        )
    };
    legend(&Part::ALL)
        + &groups.into_iter().filter(|(_, picked, _)| !picked.is_empty()).enumerate().map(group).collect::<String>()
}

fn dispatched(picked: &SampledRequest) -> Time {
    picked.accepted + picked.timings.queued
}

fn rows(title: &str, picked: &[SampledRequest], from: From) -> String {
    let end = |picked: &SampledRequest| match from {
        From::Start => (dispatched(picked) + picked.timings.total).as_nanos(),
        From::Dispatch => Parts::of(&picked.timings).attempt(),
    };
    let longest = picked.iter().map(end).max().unwrap_or(0).max(1) as f64;
    let rows: String = picked.iter().map(|picked| row(picked, from, longest)).collect();
    let scale = format!("0 to {}", time(longest));
    let columns = [
        ("#", true),
        ("URL", false),
        ("ended", false),
        ("tries", true),
        ("connection", false),
        ("received", true),
        ("waited", true),
        ("took", true),
        (&*scale, false),
    ];
    table("sortable searchable timeline", title, &columns, &rows)
}

fn row(picked: &SampledRequest, from: From, longest: f64) -> String {
    let (class, ended) = match &picked.ended {
        Ok(status) => (status / 100, status.to_string()),
        Err(failure) => (0, failure.clone()),
    };
    let nanos = |time: Duration| time.as_nanos() as f64;
    let (waited, took, wire) = (nanos(picked.timings.queued), nanos(picked.timings.total), picked.wire_bytes as f64);
    format!(
        "<tr>{}<td class=\"url\"><code>{}</code></td><td class=\"s{class}\">{}</td>{}<td>{}</td>{}{}{}<td class=\"w\" data-v=\"{}\">{}</td></tr>",
        number(picked.seq as f64, &picked.seq.to_string()),
        escaped(&picked.url),
        escaped(&ended),
        number(picked.attempts.into(), &picked.attempts.to_string()),
        connection(picked),
        number(wire, &bytes(wire)),
        number(waited, &time(waited)),
        number(took, &time(took)),
        dispatched(picked).as_nanos(),
        bar(picked, from, longest),
    )
}

const fn connection(picked: &SampledRequest) -> &'static str {
    match (picked.reused, picked.attempts) {
        (true, _) => "reused",
        (false, 0) => "none",
        (false, _) => "new",
    }
}

/// The wait as a thin line, then each part.
fn bar(picked: &SampledRequest, from: From, longest: f64) -> String {
    let parts = Parts::of(&picked.timings);
    let scale = BAR / longest;
    let mut rects = String::new();
    let mut x = match from {
        From::Start => {
            let (begin, wait) = (picked.accepted.as_nanos() as f64 * scale, parts.get(Part::Wait) as f64 * scale);
            let kind = of_part(Part::Wait);
            let _ =
                write!(rects, "<rect class=\"k{kind}\" x=\"{begin:.1}\" width=\"{wait:.1}\" y=\"5\" height=\"2\"/>");
            begin + wait
        }
        From::Dispatch => 0.0,
    };
    let mut told = String::new();
    for part in Part::OF_ATTEMPT {
        let spent = parts.get(part) as f64;
        if spent > 0.0 {
            let kind = of_part(part);
            let width = (spent * scale).max(1.0);
            let _ = write!(rects, "<rect class=\"k{kind}\" x=\"{x:.1}\" width=\"{width:.1}\" y=\"0\" height=\"12\"/>");
            let _ = write!(told, "{}{} {}", if told.is_empty() { "" } else { ", " }, part.name(), time(spent));
            x += spent * scale;
        }
    }
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 1000 12\" preserveAspectRatio=\"none\" role=\"img\"><title>{told}</title>{rects}</svg>"
    )
}

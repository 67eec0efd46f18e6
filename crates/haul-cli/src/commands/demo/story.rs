//! What was seen, in words. Pure.

use std::time::Duration;

use haul::engine::Snapshot;
use indicatif::HumanCount;

use super::kind_stats::{KindStats, StatsByKind};
use super::list::Kind;
use crate::shared::layout::wrap;
use crate::shared::times::clock;
use crate::shared::times::short;

/// The demo's end: a table by kind of host, and what it shows. `per_host`: requests at once on a host.
pub(super) fn story(tally: &StatsByKind, totals: &Snapshot, per_host: u32) -> String {
    let none = KindStats::default();
    let of = |kind| tally.get(&kind).unwrap_or(&none);
    let mut lines = vec!["What was seen, by kind of host:".to_owned(), String::new()];
    lines.push(format!("  {:<20}{:>5}{:>10}{:>10}{:>9}{:>9}", "", "hosts", "responses", "failed", "median", "done by"));
    lines.extend(Kind::ALL.map(|kind| row(kind, of(kind))));
    lines.push(String::new());
    let remarks = [
        saved(tally, totals.elapsed),
        slow(of(Kind::Slow), of(Kind::Fast), per_host),
        limited(of(Kind::Limited)),
        failing(of(Kind::Failing)),
        partly(of(Kind::Partly)),
        down(of(Kind::Down)),
        connections(totals),
    ];
    let mut page = lines.join("\n");
    page.push('\n');
    for remark in remarks.into_iter().flatten() {
        page.push_str("- ");
        wrap(&mut page, &remark, 2);
    }
    page.push('\n');
    wrap(&mut page, NEXT, 0);
    page.truncate(page.trim_end().len());
    page
}

/// Where to go from here.
const NEXT: &str = "Next: haul get --help. Before a big run: haul plan and haul doctor. To try things on these hosts: haul \
                    origin. To see the records: haul demo -o FILE.";

fn row(kind: Kind, seen: &KindStats) -> String {
    let or_none = |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), short);
    format!(
        "  {:<20}{:>5}{:>10}{:>10}{:>9}{:>9}",
        kind.title(),
        kind.hosts(),
        HumanCount(seen.responses).to_string(),
        HumanCount(seen.failed).to_string(),
        or_none(median(&seen.times)),
        or_none(seen.ends.iter().max().copied()),
    )
}

fn median(times: &[Duration]) -> Option<Duration> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

fn saved(tally: &StatsByKind, elapsed: Duration) -> Option<String> {
    let serial: Duration = tally.values().flat_map(|seen| &seen.times).sum();
    let times = serial.as_secs_f64() / elapsed.as_secs_f64().max(1e-9);
    (times >= 1.0).then(|| {
        format!(
            "One after the other, these requests take {} without their retries and pauses. This run took {}: {times:.0} \
             times less. The URLs came sorted by host, the worst order for a plain pool of workers.",
            clock(serial),
            clock(elapsed)
        )
    })
}

fn slow(slow: &KindStats, fast: &KindStats, per_host: u32) -> Option<String> {
    let (slow_end, fast_end) = (slow.ends.iter().max()?, fast.ends.iter().max()?);
    Some(format!(
        "The slow hosts were asked {per_host} at once each, no more (--per-host), and were done after {}. They held up \
         nobody: a queued URL holds no permit and no connection, so the fast hosts were done after {}.",
        clock(*slow_end),
        clock(*fast_end)
    ))
}

fn limited(seen: &KindStats) -> Option<String> {
    (seen.retries > 0).then(|| {
        format!(
            "The limited hosts answered 429 to {} requests. Each 429 held back its whole host for as long as it asked \
             (Retry-After); {} of {} URLs were fetched in the end.",
            HumanCount(seen.retries),
            HumanCount(seen.responses - seen.server_errors),
            HumanCount(seen.responses + seen.failed)
        )
    })
}

fn failing(seen: &KindStats) -> Option<String> {
    (seen.retries > 0).then(|| {
        format!(
            "The failing hosts cost {} retries: 503 and resets are tried again after a back-off with jitter. 500 is an \
             answer like any other and is recorded ({} of them, with the last 503s).",
            HumanCount(seen.retries),
            HumanCount(seen.server_errors)
        )
    })
}

fn partly(seen: &KindStats) -> Option<String> {
    (seen.server_errors > 0).then(|| {
        format!(
            "On some hosts one URL in ten always answers 503. They held up nobody: {} of {} URLs were fetched, and those that \
             fail were tried again behind the others ({} retries), until each had used up its own.",
            HumanCount(seen.responses - seen.server_errors),
            HumanCount(seen.responses + seen.failed),
            HumanCount(seen.retries)
        )
    })
}

fn down(seen: &KindStats) -> Option<String> {
    (seen.untried > 0).then(|| {
        format!(
            "The hosts that are down were given up after failing several times in a row (--dead-after): {} of their {} URLs \
             were not tried, and each has a record that says so.",
            HumanCount(seen.untried),
            HumanCount(seen.failed)
        )
    })
}

fn connections(totals: &Snapshot) -> Option<String> {
    let requests = totals.connections_opened + totals.connections_reused;
    (totals.connections_opened > 0).then(|| {
        format!(
            "{} connections carried {} requests. Exactly {} of {} URLs ended in one record each.",
            HumanCount(totals.connections_opened),
            HumanCount(requests),
            HumanCount(totals.succeeded + totals.failed),
            HumanCount(totals.accepted)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(responses: u64, failed: u64, millis: u64) -> KindStats {
        let time = Duration::from_millis(millis);
        let times = vec![time; usize::try_from(responses).expect("small")];
        KindStats { responses, failed, times, ends: vec![time * 10], ..KindStats::default() }
    }

    #[test]
    fn the_story_is_that_of_the_figures_and_fits_80_columns() {
        let tally = StatsByKind::from([
            (Kind::Fast, seen(20_000, 0, 2)),
            (Kind::Slow, seen(1800, 0, 500)),
            (Kind::Limited, KindStats { retries: 70, ..seen(900, 0, 3) }),
            (Kind::Failing, KindStats { retries: 210, server_errors: 300, ..seen(2990, 10, 4) }),
            (Kind::Partly, KindStats { retries: 240, server_errors: 120, ..seen(1200, 0, 4) }),
            (Kind::Down, KindStats { untried: 285, ..seen(0, 300, 0) }),
        ]);
        let totals = Snapshot {
            elapsed: Duration::from_secs(6),
            accepted: 26_000,
            succeeded: 25_690,
            failed: 310,
            connections_opened: 900,
            connections_reused: 29_000,
            ..Snapshot::default()
        };
        let text = story(&tally, &totals, 8);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for words in [
            "take 15m59s",
            "160 times less",
            "1,080 of 1,200 URLs",
            "answered 429 to 70 requests",
            "900 of 900 URLs",
            "(300 of them, with the last 503s)",
            "285 of their 300",
            "900 connections carried 29,900 requests",
            "Exactly 26,000 of 26,000 URLs",
        ] {
            assert!(flat.contains(words), "{words}: {flat}");
        }
    }

    #[test]
    fn a_demo_that_was_stopped_at_once_says_little() {
        let text = story(&StatsByKind::new(), &Snapshot::default(), 8);
        assert!(!text.contains("\n- "), "{text}");
    }
}

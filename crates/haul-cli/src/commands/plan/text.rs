//! The estimate in words, for a person.

use std::cmp::Reverse;
use std::time::Duration;

use haul::config::RetrySettings;
use haul::sched::bound::LimitingFactor;
use indicatif::HumanCount;

use super::change::{Change, rate_text, time_text};
use super::estimate::{Estimate, Row};
use super::service::Basis;
use crate::shared::layout::{table, wrap};
use crate::shared::times::short;

/// The whole answer.
pub(super) fn page(estimate: &Estimate<'_>, retries: &RetrySettings) -> String {
    let mut page = String::new();
    totals(&mut page, estimate);
    if estimate.tally.urls == 0 {
        return page;
    }
    page.push('\n');
    hosts(&mut page, estimate);
    page.push('\n');
    wrap(&mut page, &headline(estimate), 0);
    wrap(&mut page, &(why(estimate) + &next(estimate)), 0);
    page.push('\n');
    changes(&mut page, estimate);
    notes(&mut page, estimate, retries);
    page
}

/// `count` and what is counted.
fn many(count: u64, one: &str) -> String {
    format!("{} {one}{}", HumanCount(count), if count == 1 { "" } else { "s" })
}

fn totals(page: &mut String, estimate: &Estimate<'_>) {
    let tally = estimate.tally;
    let (hosts, sites) = (many(tally.hosts.len() as u64, "host"), many(tally.sites.len() as u64, "site"));
    let rejected = match tally.rejected {
        0 => String::new(),
        count => format!("; {} rejected", many(count, "line")),
    };
    wrap(page, &format!("{} on {hosts} of {sites}{rejected}", many(tally.urls, "URL")), 0);
    for message in &tally.first_rejected {
        page.push_str("  ");
        wrap(page, message, 4);
    }
    let more = tally.rejected - tally.first_rejected.len() as u64;
    if more > 0 {
        page.push_str("  ");
        wrap(page, &format!("… and {} more", HumanCount(more)), 4);
    }
}

/// The hosts that need longest. The name comes last, so that a long one spoils nothing.
fn hosts(page: &mut String, estimate: &Estimate<'_>) {
    let paced = estimate.top.iter().any(|row| !row.load.spacing.is_zero());
    let timed = estimate.measured.0 > 0;
    let cells = |[urls, share, at_once, apart, each, least, host]: [String; 7]| {
        let mut cells = vec![urls, share, at_once];
        cells.extend(paced.then_some(apart));
        cells.extend(timed.then_some(each));
        cells.extend([least, host]);
        cells
    };
    let mut rows = vec![cells(["URLs", "share", "at once", "apart", "each", "at least", "host"].map(str::to_owned))];
    rows.extend(estimate.top.iter().map(|row| {
        let load = &row.load;
        cells([
            HumanCount(load.jobs).to_string(),
            percent(estimate.share(load.jobs)),
            load.concurrency.to_string(),
            short(load.spacing),
            short(load.service),
            short(load.least()),
            row.origin.to_string(),
        ])
    }));
    if let Some(longest) = estimate.rest {
        let urls = estimate.rest_urls();
        let others = estimate.tally.hosts.len() - estimate.top.len();
        let name = format!("({})", many(others as u64, "other"));
        let blank = String::new;
        rows.push(cells([
            HumanCount(urls).to_string(),
            percent(estimate.share(urls)),
            blank(),
            blank(),
            blank(),
            short(longest),
            name,
        ]));
    }
    table(page, &rows);
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        tiny if tiny > 0.0 && tiny < 0.05 => "<0.1 %".to_owned(),
        percent => format!("{percent:.1} %"),
    }
}

fn headline(estimate: &Estimate<'_>) -> String {
    let time = estimate.bound.time();
    let per_second = estimate.tally.urls as f64 / time.as_secs_f64().max(1e-9);
    let rate = if per_second < 10.0 { format!("{per_second:.1}") } else { HumanCount(per_second as u64).to_string() };
    format!("The run takes at least {}, that is at most {rate} URLs/s, {}.", short(time), service(estimate))
}

/// Where the service times come from.
fn service(estimate: &Estimate<'_>) -> String {
    let time = short(estimate.basis.time());
    let (hosts, records) = estimate.measured;
    let others = estimate.tally.hosts.len() as u64 - hosts;
    match (records, estimate.basis) {
        (0, Basis::Given(_)) => format!("if a request takes {time}"),
        (0, _) => format!("if a request takes {time} (assumed: give --service-time, or --from RECORDS of a sample)"),
        (_, _) if others == 0 => format!("if requests take as long as in the {} given", many(records, "record")),
        (_, basis) => {
            let known = format!("if requests take as long as in the {} given", many(records, "record"));
            let mean = if matches!(basis, Basis::Given(_)) { "as told" } else { "the mean" };
            format!("{known}, and {time} ({mean}) on the {} not in them", many(others, "host"))
        }
    }
}

/// What sets the bound.
fn why(estimate: &Estimate<'_>) -> String {
    match (estimate.bound.longest(), &estimate.longest) {
        (Some((LimitingFactor::Host(_), _)), Some(row)) if estimate.alike > 1 => {
            let hosts = HumanCount(estimate.alike);
            format!("{hosts} hosts set it alike: each, as {}, needs that long {}.", row.origin, limit_of(estimate, row))
        }
        (Some((LimitingFactor::Host(_), _)), Some(row)) => {
            let share = percent(estimate.share(row.load.jobs));
            format!(
                "One host sets it: {} has {share} of the URLs and needs that long {}.",
                row.origin,
                limit_of(estimate, row)
            )
        }
        (Some((LimitingFactor::Group(at), _)), _) => {
            let limit = estimate.limits.per_site.map_or(0, |limit| limit.get());
            format!(
                "One site sets it: the hosts of {} together need that long at --per-site {limit}.",
                estimate.tally.sites[at]
            )
        }
        (Some((LimitingFactor::Concurrency, _)), _) => {
            format!("The limit of the whole run sets it: all requests need that long {}.", all_at_once(estimate))
        }
        (Some((LimitingFactor::Rate, _)), _) => {
            let rate = estimate.limits.rate.map(rate_text).unwrap_or_default();
            format!("The start rate sets it: all starts need that long at --rate {rate}.")
        }
        _ => "Nothing bounds it.".to_owned(),
    }
}

/// The limit under which a host needs its least time.
fn limit_of(estimate: &Estimate<'_>, row: &Row) -> String {
    let load = &row.load;
    if let Some(pattern) = &row.rule {
        return match load.in_rounds() >= load.in_paces() {
            true => format!("at its rule's concurrency {} ('{pattern}' in --limits)", load.concurrency),
            false => format!("by its rule, a start each {} ('{pattern}' in --limits)", time_text(load.spacing)),
        };
    }
    if load.jobs == 1 {
        return "for its only request".to_owned();
    }
    if load.in_rounds() >= load.in_paces() {
        return format!("at --per-host {}", load.concurrency);
    }
    match estimate.limits.host_rate {
        Some(rate) if rate.interval() >= load.spacing => format!("at --host-rate {}", rate_text(rate)),
        _ => format!("at --delay {}", time_text(load.spacing)),
    }
}

fn all_at_once(estimate: &Estimate<'_>) -> String {
    format!("at -c {}", estimate.limits.concurrency)
}

/// What would set the bound otherwise: the next host and the other limits, longest first.
fn next(estimate: &Estimate<'_>) -> String {
    let cause = estimate.bound.longest().map(|(cause, _)| cause);
    let host = if matches!(cause, Some(LimitingFactor::Host(_))) { &estimate.next } else { &estimate.longest };
    let host = host.as_ref().map(|row| (row.load.least(), row.origin.to_string()));
    let site = estimate.bound.group.map(|(at, time)| (time, format!("the hosts of {}", estimate.tally.sites[at])));
    let all = (estimate.bound.concurrency, format!("all requests {}", all_at_once(estimate)));
    let rate =
        estimate.limits.rate.map(|rate| (estimate.bound.rate, format!("all starts at --rate {}", rate_text(rate))));
    let mut next: Vec<(Duration, String)> = host
        .into_iter()
        .chain(site.filter(|_| !matches!(cause, Some(LimitingFactor::Group(_)))))
        .chain((cause != Some(LimitingFactor::Concurrency)).then_some(all))
        .chain(rate.filter(|_| cause != Some(LimitingFactor::Rate)))
        .filter(|(time, _)| *time > estimate.bound.time() / 100)
        .collect();
    next.sort_by_key(|(time, _)| Reverse(*time));
    let next: Vec<_> = next.into_iter().take(3).map(|(time, what)| format!("{what} with {}", short(time))).collect();
    if next.is_empty() { String::new() } else { format!(" Next: {}.", next.join(", ")) }
}

fn changes(page: &mut String, estimate: &Estimate<'_>) {
    let changes = &estimate.changes;
    let row =
        |change: &Change| vec![short(change.time), format!("({} less)", percent(change.saves)), change.flags.clone()];
    let mut rows: Vec<_> = changes.helpful.iter().map(row).collect();
    if let Some(last) = &changes.as_far_as {
        rows.insert(1, [row(last), vec![]].concat());
        rows[1][2].push_str("  (as far as it helps)");
    }
    rows.extend(changes.together.iter().map(row));
    if rows.is_empty() {
        wrap(page, &helpless(estimate), 0);
    } else {
        let alone = changes.together.is_some();
        page.push_str(if alone { "What would help, as no change alone helps much:\n" } else { "What would help:\n" });
        table(page, &rows);
    }
    if !changes.useless.is_empty() {
        wrap(page, &format!("No difference: {}.", changes.useless.join(", ")), 0);
    }
}

/// Why no limit helps.
fn helpless(estimate: &Estimate<'_>) -> String {
    match &estimate.longest {
        Some(row) if row.load.least() <= row.load.service => {
            "No limit helps: the run is as short as its longest request. Only quicker answers would shorten it."
                .to_owned()
        }
        Some(Row { rule: Some(pattern), .. }) => {
            format!("No general limit helps: the rule '{pattern}' in the file of --limits would have to allow more.")
        }
        _ => "No limit helps much, doubled alone or with another: several bound the run about equally.".to_owned(),
    }
}

/// What the bound leaves out.
fn notes(page: &mut String, estimate: &Estimate<'_>, retries: &RetrySettings) {
    let limits = &estimate.limits;
    let crowded = estimate.changes.helpful.iter().any(|change| !change.flags.starts_with("-c"));
    let long = estimate.tally.urls > limits.window as u64;
    let notes = [
        (
            crowded,
            "Looser limits help only while the hosts answer as quickly as before, and should be theirs to grant."
                .to_owned(),
        ),
        (
            long,
            format!(
                "haul reads {} URLs ahead: a longer list that is sorted by host takes longer than this. Shuffle it (shuf), or raise --window.",
                HumanCount(limits.window as u64)
            ),
        ),
        (limits.per_address.is_some(), "--per-address is left out: addresses are not known before the run.".to_owned()),
        (
            limits.adaptive,
            "With --adaptive each host begins at 2 requests at once: the bound has --per-host from the start."
                .to_owned(),
        ),
    ];
    let notes = notes.into_iter().chain(end_of_refusers(retries).map(|note| (estimate.tally.urls > 0, note)));
    for (_, note) in notes.filter(|(applies, _)| *applies) {
        page.push('\n');
        wrap(page, &note, 0);
    }
}

/// A `Retry-After` as servers often ask for it.
const EXAMPLE_PAUSE: Duration = Duration::from_secs(60);

/// When a host that gives nothing but refusals is given up.
fn end_of_refusers(retries: &RetrySettings) -> Option<String> {
    let dead = retries.until_dead()?;
    let refused = retries.until_refused(Duration::ZERO)?;
    let after = |seconds| retries.until_refused(seconds).map_or_else(String::new, |(time, _)| short(time));
    Some(format!(
        "Left out are hosts that fail: one that can't be reached is given up after {} to {}, one that answers nothing but errors \
         after {} to {}, or, where that is longer, after {} of the pauses that its Retry-After asks for: {} for one of {}, {} at most.",
        short(dead.0),
        short(dead.1),
        short(refused.0),
        short(refused.1),
        retries.dead_after.saturating_sub(1),
        after(EXAMPLE_PAUSE),
        short(EXAMPLE_PAUSE),
        after(retries.retry_after_max),
    ))
}

#[cfg(test)]
mod tests {
    use haul::config::{Limits, Rate};

    use super::super::estimate::tests::{estimate_of, skewed};
    use super::super::input_stats::tests::tally_of;
    use super::super::service::ServiceTimes;
    use super::super::service::tests::times_of;
    use super::*;

    #[test]
    fn one_host_that_sets_the_time_is_named_with_what_would_help() {
        let tally = skewed();
        let estimate = estimate_of(&tally, Limits::default());
        let expected = "\
1,200 URLs on 101 hosts of 51 sites; 4 lines rejected
  URL 1201: not an absolute URL
  URL 1202: not an absolute URL
  URL 1203: not an absolute URL
  … and 1 more

   URLs   share  at once  at least  host
  1,000  83.3 %        8     25.0s  https://shop.example
      2   0.2 %        8     200ms  https://h1.s1.example
      2   0.2 %        8     200ms  https://h2.s2.example
    196  16.3 %              200ms  (98 others)

The run takes at least 25.0s, that is at most 48 URLs/s, if a request takes
200ms (assumed: give --service-time, or --from RECORDS of a sample).
One host sets it: https://shop.example has 83.3 % of the URLs and needs that
long at --per-host 8. Next: all requests at -c 256 with 938ms.

What would help:
  12.6s  (49.6 % less)  --per-host 16
  938ms  (96.2 % less)  --per-host 256  (as far as it helps)
No difference: -c 512.

Looser limits help only while the hosts answer as quickly as before, and should
be theirs to grant.

Left out are hosts that fail: one that can't be reached is given up after 3.7s
to 7.5s, one that answers nothing but errors after 30.0s to 1m02s, or, where
that is longer, after 4 of the pauses that its Retry-After asks for: 4m00s for
one of 1m00s, 20m00s at most.
";
        assert_eq!(page(&estimate, &RetrySettings::default()), expected);
    }

    /// What sets the bound, and what comes next.
    fn reason(limits: Limits) -> String {
        let tally = skewed();
        let estimate = estimate_of(&tally, limits);
        why(&estimate) + &next(&estimate)
    }

    #[test]
    fn each_limit_that_sets_the_time_is_named() {
        let count = |count| std::num::NonZeroU32::new(count).expect("not zero");
        let per_second = |rate| Some(Rate::new(rate).expect("a rate"));
        let limits = Limits::default;
        for (limits, parts) in [
            (Limits { delay: Duration::from_millis(50), ..limits() }, ["at --delay 50ms.", "Next: all requests at"]),
            (Limits { host_rate: per_second(30.0), ..limits() }, ["at --host-rate 30/s.", "Next: all requests at"]),
            (Limits { rate: per_second(30.0), ..limits() }, ["at --rate 30/s.", "Next: https://shop.example with"]),
            (Limits { concurrency: count(1), ..limits() }, ["at -c 1.", "Next: https://shop.example with 25.0s."]),
            (
                Limits { per_site: Some(count(2)), ..limits() },
                ["shop.example together need that long at --per-site 2", "Next: https://shop.example with 25.0s"],
            ),
            (
                Limits { per_host: count(1000), ..limits() },
                ["all requests need that long at -c 256.", "Next: https://shop.example with 200ms."],
            ),
        ] {
            let reason = reason(limits);
            assert!(parts.iter().all(|part| reason.contains(part)), "{parts:?}: {reason}");
        }
    }

    #[test]
    fn hosts_alike_short_runs_and_nothing_have_their_own_words() {
        let text = |urls: &[&str]| {
            let tally = tally_of(urls.iter().map(|url| url.to_string()));
            page(&estimate_of(&tally, Limits::default()), &RetrySettings::default())
        };
        let two = text(&["http://a.example/", "http://b.example/"]);
        assert!(two.contains("2 hosts set it alike: each, as http://a.example, needs that long for its only"), "{two}");
        assert!(two.contains("No limit helps: the run is as short as its longest request."), "{two}");
        assert_eq!(text(&[]), "0 URLs on 0 hosts of 0 sites\n");
        assert_eq!(text(&["x"]), "0 URLs on 0 hosts of 0 sites; 1 line rejected\n  URL 1: not an absolute URL\n");
    }

    #[test]
    fn where_service_times_come_from_is_said() {
        let tally = skewed();
        let words = |times: &ServiceTimes, given| {
            service(
                &Estimate::new(&tally, times, times.basis(given, Duration::from_millis(200)), Limits::default(), 3)
                    .expect("no rules"),
            )
        };
        let second = Some(Duration::from_secs(1));
        assert_eq!(words(&ServiceTimes::default(), second), "if a request takes 1.0s");
        let times = times_of(&[("https://shop.example/", 300_000)]);
        assert_eq!(
            words(&times, None),
            "if requests take as long as in the 1 record given, and 300ms (the mean) on the 100 hosts not in them"
        );
        assert!(words(&times, second).ends_with("and 1.0s (as told) on the 100 hosts not in them"));
    }

    #[test]
    fn what_the_bound_leaves_out_is_said() {
        let tally = skewed();
        let limits = Limits {
            window: 100,
            adaptive: true,
            per_address: std::num::NonZeroU32::new(1),
            delay: Duration::from_secs(1),
            ..Limits::default()
        };
        let retries = RetrySettings { dead_after: 0, ..RetrySettings::default() };
        let page = page(&estimate_of(&tally, limits), &retries);
        for part in ["haul reads 100 URLs ahead", "--per-address is left out", "With --adaptive", "  apart  "] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert!(!page.contains("given up"), "none is: {page}");
    }
}

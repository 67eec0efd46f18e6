//! The estimate for programs: one JSON object. docs/guide/PLAN.md says what its fields mean; a test holds it to that.

use std::time::Duration;

use haul::config::RetrySettings;
use serde_json::{Value, json};

use super::change::Change;
use super::estimate::{Estimate, Row};

/// The object and a line end.
pub(super) fn page(estimate: &Estimate<'_>, retries: &RetrySettings) -> String {
    format!("{}\n", object(estimate, retries))
}

fn object(estimate: &Estimate<'_>, retries: &RetrySettings) -> Value {
    let (tally, bound, changes) = (estimate.tally, &estimate.bound, &estimate.changes);
    let (hosts_measured, records) = estimate.measured;
    let site = bound.group.map(|(at, time)| json!({"site": &*tally.sites[at], "least_s": seconds(time)}));
    json!({
        "urls": tally.urls,
        "rejected": tally.rejected,
        "first_rejected": tally.first_rejected,
        "hosts": tally.hosts.len(),
        "sites": tally.sites.len(),
        "service_time_s": seconds(estimate.basis.time()),
        "records": records,
        "hosts_measured": hosts_measured,
        "bound_s": seconds(bound.time()),
        "set_by": estimate.cause(),
        "host": estimate.longest.as_ref().map(|row| host(estimate, row)),
        "site": site,
        "concurrency_s": seconds(bound.concurrency),
        "rate_s": estimate.limits.rate.map(|_| seconds(bound.rate)),
        "top": estimate.top.iter().map(|row| host(estimate, row)).collect::<Vec<_>>(),
        "changes": changes.helpful.iter().map(change).collect::<Vec<_>>(),
        "farthest": changes.as_far_as.as_ref().map(change),
        "together": changes.together.as_ref().map(change),
        "no_difference": changes.useless,
        "unreachable_s": retries.until_dead().map(span),
        "refusing_s": retries.until_refused(Duration::ZERO).map(span),
    })
}

fn host(estimate: &Estimate<'_>, row: &Row) -> Value {
    json!({
        "host": &*row.origin,
        "urls": row.load.jobs,
        "share": estimate.share(row.load.jobs),
        "concurrency": row.load.concurrency,
        "spacing_s": seconds(row.load.spacing),
        "rule": row.rule,
        "service_time_s": seconds(row.load.service),
        "least_s": seconds(row.load.least()),
    })
}

fn change(change: &Change) -> Value {
    json!({ "flags": change.flags, "bound_s": seconds(change.time), "saves": change.saves })
}

fn span((least, most): (Duration, Duration)) -> [f64; 2] {
    [seconds(least), seconds(most)]
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use haul::config::{Limits, Rate};

    use super::super::estimate::tests::{estimate_of, skewed};
    use super::*;

    /// Every field's path: `host.urls`, `top[].host`.
    fn paths(prefix: &str, value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                paths(&path, value, into);
                into.insert(path);
            }),
            Value::Array(items) => items.iter().for_each(|item| paths(&format!("{prefix}[]"), item, into)),
            _ => {}
        }
    }

    #[test]
    fn the_page_lists_exactly_the_fields() {
        let tally = skewed();
        let limits = Limits { per_site: std::num::NonZeroU32::new(50), rate: Rate::new(1e6), ..Limits::default() };
        let mut object = object(&estimate_of(&tally, limits), &RetrySettings::default());
        object["together"] = object["farthest"].clone();
        let mut found = BTreeSet::new();
        paths("", &object, &mut found);
        let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/PLAN.md"));
        let cells = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let documented: BTreeSet<String> = cells.map(|(name, _)| name.to_owned()).collect();
        assert_eq!(documented, found);
    }

    #[test]
    fn figures_are_seconds_and_shares() {
        let tally = skewed();
        let object = object(&estimate_of(&tally, Limits::default()), &RetrySettings::default());
        assert_eq!((&object["bound_s"], &object["set_by"]), (&json!(25.0), &json!("host")));
        assert_eq!((&object["host"]["host"], &object["urls"]), (&json!("https://shop.example"), &json!(1200)));
        assert_eq!((&object["changes"][0]["flags"], &object["rate_s"]), (&json!("--per-host 16"), &Value::Null));
        assert_eq!((&object["unreachable_s"], &object["refusing_s"]), (&json!([3.75, 7.5]), &json!([30.0, 62.0])));
    }
}

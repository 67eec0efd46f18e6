//! What a search for the highest rate came to, as text and as JSON (docs/guide/BENCH.md). Pure.

use std::time::Duration;

use serde::Serialize;

use super::args::ENOUGH;
use super::figures::rate;
use super::load_spec::LoadSpec;
use super::rate_search::RateSearch;
use super::steps::{StepReport, rows, table};
use crate::shared::exit::Exit;
use crate::shared::layout;
use crate::shared::page::AnswerSection;
use crate::shared::times::short;

/// The figures. The fields' names are those of the JSON object.
#[derive(Debug, Serialize)]
pub(super) struct SearchReport {
    version: &'static str,
    asked: LoadSpec,
    stopped: bool,
    bound_us: f64,
    max_rate_per_s: Option<f64>,
    too_much_per_s: Option<f64>,
    /// Whether the search came to its end, rather than that of its time.
    complete: bool,
    client_bound: bool,
    /// Whether one of the two rates was judged by fewer requests than say something.
    few_requests: bool,
    tried: Vec<StepReport>,
}

impl SearchReport {
    pub(super) fn new(
        asked: LoadSpec,
        bound: Duration,
        search: &RateSearch,
        tried: Vec<StepReport>,
        stopped: bool,
    ) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            asked,
            stopped,
            bound_us: bound.as_secs_f64() * 1e6,
            max_rate_per_s: search.sustained,
            too_much_per_s: search.too_much,
            complete: !stopped && search.next().is_none(),
            few_requests: tried.iter().any(|step| step.is_guess_at(&[search.sustained, search.too_much])),
            client_bound: tried.iter().any(|step| !step.is_sustained() && step.client_lacked()),
            tried,
        }
    }

    /// How the command ends.
    pub(super) const fn exit(&self) -> Exit {
        match (self.stopped, self.max_rate_per_s) {
            (true, _) => Exit::Interrupted,
            (false, Some(_)) => Exit::Complete,
            (false, None) => Exit::SomeFailed,
        }
    }

    pub(super) fn told(&self, json: bool) -> String {
        if json { serde_json::to_string(self).expect("numbers and text can be written") } else { self.text() }
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n\n", table(&self.tried));
        self.remarks().iter().for_each(|remark| layout::wrap(&mut text, remark, 0));
        text.truncate(text.trim_end().len());
        text
    }

    /// The same for a page of the two loads between which the rate lies.
    pub(super) fn answer(&self) -> AnswerSection {
        let heading = "Rates tried one after the other, each a load of its own. Below are the highest that was sustained and the \
                       lowest that was not.";
        AnswerSection {
            heading: heading.to_owned(),
            tables: vec![("Rates tried".to_owned(), rows(&self.tried))],
            words: self.remarks(),
            list: Vec::new(),
        }
    }

    fn remarks(&self) -> Vec<String> {
        let early = match (self.complete, self.stopped) {
            (true, _) => None,
            (false, true) => Some("Interrupted before the end."),
            (false, false) => {
                Some("The time was up before the end; give more with -d, or less to each rate with --step.")
            }
        };
        let few = self.few_requests.then(|| {
            format!(
                "Fewer than {ENOUGH} requests say little of 99 %, and such a rate is among these: give a longer --step."
            )
        });
        let client = "A rate that was not sustained was too much for this client, too: the server may sustain more.";
        let client = self.client_bound.then_some(client);
        let fixed = [early, client].into_iter().flatten().map(str::to_owned);
        std::iter::once(self.finding()).chain(few).chain(fixed).collect()
    }

    fn finding(&self) -> String {
        let bound = short(Duration::try_from_secs_f64(self.bound_us / 1e6).unwrap_or_default());
        match (self.max_rate_per_s, self.too_much_per_s) {
            (Some(most), Some(too_much)) => format!(
                "Highest rate with 99 % answered within {bound}: {} ({} was too much)",
                rate(most),
                rate(too_much)
            ),
            (Some(most), None) => {
                format!("Highest rate tried with 99 % answered within {bound}: {}; none was too much", rate(most))
            }
            (None, _) => format!("No rate tried had 99 % answered within {bound}."),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::commands::bench::report::tests::ramp;
    use crate::shared::summary_json::tests::{first_column, paths};

    const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/BENCH.md"));

    fn report(sustained: &[(f64, bool)], stopped: bool) -> SearchReport {
        let mut search = RateSearch::new(100.0);
        sustained.iter().for_each(|(rate, sustained)| search.note(*rate, *sustained));
        let (asked, tried) = ramp().parts();
        SearchReport::new(asked, Duration::from_millis(20), &search, tried, stopped)
    }

    #[test]
    fn the_text_says_what_was_found_and_what_was_not() {
        let found = report(&[(100.0, true), (102.0, false)], false);
        assert!(!found.few_requests, "neither is among those of few requests");
        let expected = "\n\nHighest rate with 99 % answered within 20ms: 100/s (102/s was too much)";
        assert!(found.told(false).ends_with(expected), "{}", found.told(false));
        assert_eq!(found.exit(), Exit::Complete);
        let early = report(&[(100.0, true)], false);
        assert!(early.text().contains("100/s; none was too much\nThe time was up before the end"), "{}", early.text());
        let none = report(&[(0.1, false)], false);
        assert!(none.text().contains("No rate tried had 99 % answered within 20ms."), "{}", none.text());
        assert_eq!((none.exit(), report(&[], true).exit()), (Exit::SomeFailed, Exit::Interrupted));
    }

    #[test]
    fn a_rate_that_few_requests_speak_for_is_told() {
        // Of the two, 10/s was tried with ten requests.
        let found = report(&[(10.0, true), (10.2, false)], false);
        assert!(found.few_requests && found.text().contains("Fewer than 100 requests say little"), "{}", found.text());
    }

    #[test]
    fn the_page_names_every_field_and_no_other() {
        let value = serde_json::from_str(&report(&[(100.0, true)], false).told(true)).expect("JSON");
        let mut fields = BTreeSet::new();
        paths(&value, "", &mut fields);
        let here = |path: &String| !path.starts_with("asked.") && !path.starts_with("tried[].");
        let page = PAGE.split("## JSON of --find-max").nth(1).and_then(|rest| rest.split("\n## ").next());
        assert_eq!(first_column(page.expect("a section")), fields.into_iter().filter(here).collect());
    }
}

//! What a load came to, for people. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};

use super::{BenchReport, CpuUsage, FailureCount};
use crate::commands::bench::figures::{Times, rate, table, whole};
use crate::commands::bench::steps;
use crate::shared::layout::wrap;
use crate::shared::times::clock;

impl BenchReport {
    /// For people.
    pub(super) fn text(&self) -> String {
        let lines = [
            Some(self.headline()),
            (self.answered > 0).then(|| self.times()),
            (self.answered > 0 && self.failed > 0).then(|| self.answered_text()),
            (self.answered > 0).then(|| format!("  status       {}", counts(&self.status))),
            (self.failed > 0).then(|| format!("  failed       {}", self.failed_text())),
            Some(self.remarks_text()).filter(|text| !text.is_empty()),
            Some(format!("  connections  {}", self.connections_text())),
            (self.received_bytes > 0).then(|| format!("  bodies       {}", self.bytes_text())),
            (self.left_out > 0).then(|| format!("  warm-up      {} requests left out", HumanCount(self.left_out))),
            Some(format!("  processor    {}", self.cpu.text())),
            (!self.steps.is_empty()).then(|| format!("\n{}", steps::table(&self.steps))),
            self.against.as_ref().map(|against| format!("\n{}", against.text())),
        ];
        let hints = self.lacks.iter().map(|lack| format!("\n{}", lack.text()));
        lines.into_iter().flatten().chain(hints).collect::<Vec<_>>().join("\n")
    }

    fn headline(&self) -> String {
        let planned = match (&self.open, self.asked.rates_per_s.as_slice()) {
            (Some(_), [only]) => format!(", asked for {}", rate(*only)),
            (Some(_), [first, .., last]) => format!(", asked for {} to {}", rate(*first), rate(*last)),
            _ => String::new(),
        };
        format!(
            "{} requests in {}: {}/s{}{planned}, {} failed",
            HumanCount(self.requests),
            clock(rounded(Duration::try_from_secs_f64(self.load_s).unwrap_or_default())),
            HumanCount(whole(self.rates.answered.round())),
            if self.failed > 0 { " answered" } else { "" },
            HumanCount(self.failed),
        )
    }

    fn times(&self) -> String {
        let heads = Times::HEADS.map(str::to_owned);
        let row = |name: &str, cells: [String; 6]| [vec![format!("{name:<11}")], cells.into()].concat();
        let latency = self.latency_us.cells();
        let rows = match &self.open {
            None => vec![row("latency", latency)],
            Some(open) => vec![
                row("response", open.response_us.cells()),
                row("service", latency),
                row("late", open.late_us.cells()),
            ],
        };
        table(std::iter::once(row("", heads)).chain(rows).collect())
    }

    fn answered_text(&self) -> String {
        let what = if self.open.is_some() { "response and service" } else { "latency" };
        let [answered, failed] = [self.answered, self.failed].map(HumanCount);
        format!("               {what}: of the {answered} answered, without the {failed} failed")
    }

    /// What is odd about the end, each under its name.
    pub(super) fn remarks(&self) -> [Option<(&'static str, String)>; 2] {
        let (drained, unfinished) = (HumanCount(self.drained), HumanCount(self.unfinished()));
        let what = if self.open.is_some() { "due" } else { "sent" };
        [
            (self.drained > 0)
                .then(|| ("drained", format!("{drained} ended when no more were made: they count, but not in the rate"))),
            (self.unfinished() > 0).then(|| {
                let words = format!(
                    "{unfinished} were {what} and had not ended when the load was over: these times leave them out, and \
                     would be longer with them"
                );
                ("unfinished", words)
            }),
        ]
    }

    fn remarks_text(&self) -> String {
        let line = |(name, words): (&str, String)| {
            let mut text = format!("  {name:<13}");
            wrap(&mut text, &words, 15);
            text
        };
        let text: String = self.remarks().into_iter().flatten().map(line).collect();
        text.trim_end().to_owned()
    }

    fn failed_text(&self) -> String {
        let one = |failures: &FailureCount| {
            let FailureCount { phase, kind, count } = failures;
            format!("{phase} {kind} {}", HumanCount(*count))
        };
        self.failures.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn connections_text(&self) -> String {
        let (asked, opened) = (HumanCount(self.asked.connections.into()), HumanCount(self.connections_opened));
        match (&self.open, self.connections_opened > u64::from(self.asked.connections)) {
            (None, false) => format!("{opened} opened, {asked} wanted"),
            // Some were closed, or opened for each request, or stayed idle with other hosts.
            (None, true) => format!("{opened} opened, {asked} in use at once"),
            (Some(_), _) if self.connections_opened == u64::from(self.asked.connections) => {
                format!("{opened} opened, all that -c allows")
            }
            (Some(_), _) => format!("{opened} opened, up to {asked} at once"),
        }
    }

    fn bytes_text(&self) -> String {
        format!("{} received, {}/s", HumanBytes(self.received_bytes), HumanBytes(whole(self.rates.bytes)))
    }
}

impl CpuUsage {
    fn text(&self) -> String {
        let busiest = self.busiest_thread.as_ref().zip(self.busiest_share);
        let busiest = busiest.map(|(name, share)| format!("; {name} {:.0} % busy", share * 100.0)).unwrap_or_default();
        format!("{:.1}us a request, {:.0} % of a core{busiest}", self.us_per_request, self.cores * 100.0)
    }
}

/// To a tenth of a second, where that is the last digit told: a load of two seconds misses the moment of its start.
fn rounded(time: Duration) -> Duration {
    if time < Duration::from_secs(1) { time } else { time + Duration::from_millis(50) }
}

fn counts(statuses: &BTreeMap<u16, u64>) -> String {
    statuses.iter().map(|(status, count)| format!("{status} {}", HumanCount(*count))).collect::<Vec<_>>().join(", ")
}

//! How long a request takes: assumed, or each host's mean in the records of an earlier run.

use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::time::Duration;

use haul::model::WebUrl;
use serde::Deserialize;
use serde_json::Deserializer;

/// Measured times. Memory is held per host.
#[derive(Debug, Default)]
pub(super) struct ServiceTimes {
    by_origin: HashMap<Box<str>, Mean>,
    all: Mean,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    micros: u64,
    count: u64,
}

/// What stands for a host that was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    /// Nobody said anything.
    Assumed(Duration),
    /// The user said so.
    Given(Duration),
    /// The mean of all records.
    Mean(Duration),
}

impl Basis {
    pub(super) const fn time(self) -> Duration {
        match self {
            Self::Assumed(time) | Self::Given(time) | Self::Mean(time) => time,
        }
    }
}

/// The fields of a record that matter here.
#[derive(Deserialize)]
#[serde(expecting = "struct Record")]
struct RecordTimes {
    final_url: Option<String>,
    timings_us: Timings,
}

#[derive(Deserialize)]
struct Timings {
    total: Option<u64>,
}

impl Mean {
    fn add(&mut self, micros: u64) {
        self.micros = self.micros.saturating_add(micros);
        self.count += 1;
    }

    fn time(self) -> Option<Duration> {
        self.micros.checked_div(self.count).map(Duration::from_micros)
    }
}

impl ServiceTimes {
    /// The mean time of `origin`'s last attempts, those that failed included: they hold their place as long.
    pub(super) fn of(&self, origin: &str) -> Option<Duration> {
        self.by_origin.get(origin).and_then(|mean| mean.time())
    }

    /// How many records had a time.
    pub(super) const fn records(&self) -> u64 {
        self.all.count
    }

    /// What stands for hosts without a time of their own.
    pub(super) fn basis(&self, given: Option<Duration>, assumed: Duration) -> Basis {
        match (given, self.all.time()) {
            (Some(time), _) => Basis::Given(time),
            (None, Some(mean)) => Basis::Mean(mean),
            (None, None) => Basis::Assumed(assumed),
        }
    }

    fn add(&mut self, record: &RecordTimes) {
        let url = record.final_url.as_deref().and_then(|url| WebUrl::parse(url).ok());
        let (Some((url, _)), Some(micros)) = (url, record.timings_us.total) else { return };
        self.all.add(micros);
        match self.by_origin.get_mut(url.origin()) {
            Some(mean) => mean.add(micros),
            None => {
                self.by_origin.insert(url.origin().into(), Mean { micros, count: 1 });
            }
        }
    }
}

/// Reads records as `haul get` writes them; `name` is what messages call them.
///
/// # Errors
/// They can't be read, something in them is no record, or none has a time.
pub(super) fn read(records: impl Read, name: &str) -> Result<ServiceTimes, String> {
    let mut times = ServiceTimes::default();
    for record in Deserializer::from_reader(BufReader::new(records)).into_iter() {
        let record = record.map_err(|error| {
            format!("{name} has something that is no record of haul get ({error}); if compressed, pipe it: zcat FILE | haul plan LIST --from -")
        })?;
        times.add(&record);
    }
    match times.records() {
        0 => Err(format!("no record in {name} has a time; give records of a run that reached its hosts")),
        _ => Ok(times),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn record(url: &str, total: &str) -> String {
        format!(r#"{{"seq":0,"url":"x","final_url":{url},"body":"}}{{","timings_us":{{"queued":9,"total":{total}}}}}"#)
            + "\n"
    }

    pub(in crate::commands::plan) fn times_of(records: &[(&str, u64)]) -> ServiceTimes {
        let text: String =
            records.iter().map(|(url, micros)| record(&format!("\"{url}\""), &micros.to_string())).collect();
        read(text.as_bytes(), "test").expect("records")
    }

    #[test]
    fn each_host_has_its_mean_and_the_others_the_mean_of_all() {
        let times = times_of(&[("http://a.example/1", 100), ("http://a.example/2", 200), ("http://b.example/", 600)]);
        assert_eq!(times.of("http://a.example"), Some(Duration::from_micros(150)));
        assert_eq!((times.of("http://c.example"), times.records()), (None, 3));
        let second = Duration::from_secs(1);
        assert_eq!(times.basis(None, second), Basis::Mean(Duration::from_micros(300)));
        assert_eq!(times.basis(Some(second), second), Basis::Given(second));
        assert_eq!(ServiceTimes::default().basis(None, second), Basis::Assumed(second));
    }

    #[test]
    fn lines_without_a_time_count_for_nothing_and_foreign_text_is_refused() {
        let text =
            record("null", "null") + &record("\"http://a.example/\"", "7") + &record("\"http://b.example/\"", "null");
        assert_eq!(read(text.as_bytes(), "x").expect("one").records(), 1);
        let message = |text: &str| read(text.as_bytes(), "list.txt").expect_err("refused");
        assert!(message("http://a.example/\n").contains("list.txt has something that is no record"));
        assert!(message(&record("null", "null")).contains("no record in list.txt has a time"));
        assert!(message("").contains("has a time"));
    }
}

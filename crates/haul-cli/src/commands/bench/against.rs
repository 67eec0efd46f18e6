//! A load against an earlier one: what a test shows of the difference, as text and as JSON (docs/guide/BENCH.md). Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::figures::{micros, rate, table, thousandths};
use super::ranks::{CONFIDENCE, median, shift};
use super::series::Second;
use crate::shared::layout::wrap;

/// The verdict when the test can show nothing, whatever the values are.
const UNTOLD: &str = "can't tell";

/// What part of a second a load may lack at its end for it to count as whole.
const SLACK: f64 = 0.01;

/// The answer of an earlier load, as far as it is compared.
#[derive(Debug, Deserialize)]
pub(super) struct Earlier {
    #[serde(skip)]
    file: String,
    asked: Map<String, Value>,
    load_s: f64,
    open: Option<Value>,
    steps: Vec<Value>,
    seconds: Vec<Second>,
}

impl Earlier {
    /// Reads `text`, the content of `file`, for a load that is an open loop or not.
    ///
    /// # Errors
    /// It is not an answer that can be compared with such a load.
    pub(super) fn read(file: &str, text: &[u8], is_open: bool) -> Result<Self, String> {
        let earlier: Self = serde_json::from_slice(text).map_err(|error| {
            format!(
                "'{file}' is not an answer of 'haul bench --json' that can be compared: {error}; give one without \
                 --ramp and --find-max"
            )
        })?;
        if !earlier.steps.is_empty() {
            return Err(format!("'{file}' is of a ramp, whose seconds are not alike; compare loads of one rate"));
        }
        if earlier.open.is_some() != is_open {
            let (then, now) = if is_open { ("a closed", "open") } else { ("an open", "closed") };
            return Err(format!(
                "'{file}' is of {then} loop and this load would be {now}, so that their times mean different things; \
                 compare loads of one kind"
            ));
        }
        Ok(Self { file: file.to_owned(), ..earlier })
    }
}

/// The figures. The fields' names are those of the JSON object.
#[derive(Debug, Serialize)]
pub(super) struct EarlierComparison {
    file: String,
    confidence: f64,
    seconds_then: usize,
    seconds_now: usize,
    /// What was asked for and differs.
    differs: Vec<String>,
    measures: Vec<Measure>,
}

/// One quantity, then and now: medians over the seconds.
#[derive(Debug, Serialize)]
struct Measure {
    name: &'static str,
    then: Option<f64>,
    now: Option<f64>,
    /// The change in percent is between these.
    low_percent: Option<f64>,
    high_percent: Option<f64>,
    verdict: &'static str,
}

impl EarlierComparison {
    /// Compares with a load that was asked for as `asked` says.
    pub(super) fn new(earlier: Earlier, asked: &impl Serialize, load_s: f64, seconds: &[Second]) -> Self {
        let (then, now) = (whole(&earlier.seconds, earlier.load_s), whole(seconds, load_s));
        let asked = serde_json::to_value(asked).unwrap_or_default();
        let measure = |name, of: fn(&Second) -> Option<f64>| {
            let of = |seconds: &[Second]| seconds.iter().filter_map(of).collect::<Vec<_>>();
            Measure::new(name, &of(then), &of(now))
        };
        // Answers alone: a server that refuses everything does so fast.
        let mut measures = vec![measure("answered_per_s", |second| Some(second.answered as f64))];
        if then.iter().chain(now).any(|second| second.failed > 0) {
            measures.push(measure("failed_per_s", |second| Some(second.failed as f64)));
        }
        measures.extend([measure("p50_us", |second| second.p50_us), measure("p99_us", |second| second.p99_us)]);
        Self {
            confidence: CONFIDENCE,
            seconds_then: then.len(),
            seconds_now: now.len(),
            differs: asked.as_object().map(|asked| differences(&earlier.asked, asked)).unwrap_or_default(),
            measures,
            file: earlier.file,
        }
    }

    pub(super) fn text(&self) -> String {
        let Self { file, seconds_then, seconds_now, confidence, .. } = self;
        let head = format!(
            "against {file}: {seconds_then} seconds then, {seconds_now} now; medians, and what a test shows\n\
             of the change at a level of {} %",
            confidence * 100.0
        );
        let heads = ["", "then", "now", "change", ""].map(str::to_owned).into();
        let rows = table(std::iter::once(heads).chain(self.measures.iter().map(Measure::cells)).collect());
        let differs = self.differs.iter().map(|difference| {
            let mut text = String::from("  ");
            wrap(&mut text, &format!("asked differently: {difference}"), 4);
            format!("\n{}", text.trim_end())
        });
        let untold = self
            .measures
            .iter()
            .any(|measure| measure.verdict == UNTOLD)
            .then(|| "\n  can't tell: too few seconds, or they drift; a longer -d on both sides helps".to_owned());
        std::iter::once(format!("{head}\n{rows}")).chain(untold).chain(differs).collect()
    }
}

impl Measure {
    fn new(name: &'static str, then: &[f64], now: &[f64]) -> Self {
        let shift = shift(then, now);
        let middle = median(then);
        let percent = |by: f64| middle.filter(|middle| *middle > 0.0).map(|middle| thousandths(by * 100.0 / middle));
        let verdict = match shift {
            None => UNTOLD,
            Some(shift) if shift.low > 0.0 => "higher",
            Some(shift) if shift.high < 0.0 => "lower",
            Some(_) => "no difference shown",
        };
        Self {
            name,
            then: middle.map(thousandths),
            now: median(now).map(thousandths),
            low_percent: shift.and_then(|shift| percent(shift.low)),
            high_percent: shift.and_then(|shift| percent(shift.high)),
            verdict,
        }
    }

    fn cells(&self) -> Vec<String> {
        let (name, shown): (_, fn(f64) -> String) = match self.name {
            "p50_us" => ("p50", micros),
            "p99_us" => ("p99", micros),
            "failed_per_s" => ("failed", rate),
            _ => ("rate", rate),
        };
        let change = match (self.low_percent, self.high_percent) {
            (Some(low), Some(high)) => format!("{low:+.1} to {high:+.1} %"),
            _ => "-".to_owned(),
        };
        let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), shown);
        vec![format!("{name:<4}"), shown(self.then), shown(self.now), change, self.verdict.to_owned()]
    }
}

/// The seconds that were over before the load was: not those in which it only ran dry.
fn whole(seconds: &[Second], load_s: f64) -> &[Second] {
    let count = seconds.iter().take_while(|second| (second.second + 1) as f64 <= load_s + SLACK).count();
    &seconds[..count]
}

/// What was asked for differently, one text each. Of objects each field is one.
fn differences(then: &Map<String, Value>, now: &Map<String, Value>) -> Vec<String> {
    let null = Value::Null;
    let one = |(name, now): (&String, &Value)| match (then.get(name).unwrap_or(&null), now) {
        (then, now) if then == now => Vec::new(),
        (Value::Object(then), Value::Object(now)) => {
            differences(then, now).into_iter().map(|difference| format!("{name}.{difference}")).collect()
        }
        (then, now) => vec![format!("{name} {then} then, {now} now")],
    };
    now.iter().flat_map(one).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const WHOLE: &str = r#"{"asked": {"connections": 8, "urls": 1}, "load_s": 10.2, "open": null, "steps": [],
        "seconds": [SECONDS]}"#;

    fn second(second: u64, answered: u64) -> Second {
        let p99 = 1000.0 + (second * 7 % 5) as f64;
        Second { second, started: answered, answered, p50_us: Some(100.0), p99_us: Some(p99), ..Second::default() }
    }

    /// Ten seconds of about 1,000 requests, and a part of one more.
    pub(in crate::commands::bench) fn earlier() -> Earlier {
        let seconds: Vec<_> =
            (0..11).map(|at| serde_json::to_string(&second(at, 1000 + at * 3 % 7)).expect("JSON")).collect();
        let text = WHOLE.replace("SECONDS", &seconds.join(","));
        Earlier::read("old.json", text.as_bytes(), false).expect("the shape of an answer")
    }

    #[derive(Serialize)]
    struct TestSpec {
        connections: u32,
        urls: u32,
    }

    #[test]
    fn what_the_test_shows_is_told_and_no_more() {
        let seconds: Vec<_> = (0..10).map(|at| second(at, 1200 + at * 3 % 7)).collect();
        let text = EarlierComparison::new(earlier(), &TestSpec { connections: 9, urls: 1 }, 10.0, &seconds).text();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("against old.json: 10 seconds then, 10 now"), "{text}");
        assert!(lines[3].contains("1,003/s  1,203/s") && lines[3].ends_with("higher"), "{text}");
        assert!(lines[4].contains("100us") && lines[4].ends_with("no difference shown"), "{text}");
        assert!(lines[5].ends_with("no difference shown"), "{text}");
        assert_eq!(lines[6..], ["  asked differently: connections 8 then, 9 now"]);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn what_differs_inside_of_something_is_told_by_itself() {
        let object = |text: &str| serde_json::from_str::<Map<_, _>>(text).expect("an object");
        let (then, now) = (r#"{"body": {"bytes": 3, "of": 1}, "method": "PUT"}"#, r#"{"body": {"bytes": 4, "of": 1}}"#);
        assert_eq!(differences(&object(then), &object(now)), ["body.bytes 3 then, 4 now"]);
        assert_eq!(differences(&object(r#"{"body": null}"#), &object(now))[0][..14], *"body null then");
    }

    #[test]
    fn failing_fast_is_no_throughput() {
        let refused = |at| Second { failed: 9000 + at % 3, answered: 10, ..second(at, 0) };
        let seconds: Vec<_> = (0..10).map(refused).collect();
        let against = EarlierComparison::new(earlier(), &TestSpec { connections: 8, urls: 1 }, 10.0, &seconds);
        let verdicts: Vec<_> = against.measures.iter().map(|measure| (measure.name, measure.verdict)).collect();
        assert_eq!(verdicts[..2], [("answered_per_s", "lower"), ("failed_per_s", "higher")]);
    }

    #[test]
    fn few_seconds_get_no_verdict() {
        let seconds: Vec<_> = (0..4).map(|at| second(at, 9000)).collect();
        let against = EarlierComparison::new(earlier(), &TestSpec { connections: 8, urls: 1 }, 4.0, &seconds);
        assert!(against.measures.iter().all(|measure| measure.verdict == UNTOLD), "{against:?}");
        assert!(against.differs.is_empty() && against.seconds_now == 4, "{against:?}");
    }

    #[test]
    fn other_files_are_refused() {
        let told = |text: &str, is_open| Earlier::read("x", text.as_bytes(), is_open).expect_err("refused");
        assert!(told("{}", false).contains("missing field") && told("no", false).contains("not an answer"));
        let whole = WHOLE.replace("SECONDS", "");
        assert!(told(&whole, true).contains("of a closed loop"));
        assert!(told(&whole.replace("null", "{}"), false).contains("of an open loop"));
        assert!(told(&whole.replace(r#""steps": []"#, r#""steps": [1]"#), false).contains("of a ramp"));
    }
}

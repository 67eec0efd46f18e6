//! Which charts a report has: from what was seen to axes, lines and readouts. Pure.

use super::Run;
use super::chart::{Axis, COLOURS, Chart, ChartLine, Readout};
use super::parts::Part;
use super::series::Stretch;
use super::text::{amount, bytes, share, time};

/// Places at which a distribution is read.
const PLACES: u32 = 160;

/// The charts of all runs together.
pub(super) fn of_all(runs: &[Run]) -> Vec<Chart> {
    let stretches: Vec<Vec<Stretch>> = runs.iter().map(|run| run.seen.series.stretches(run.seen.end)).collect();
    let mut charts = Vec::new();
    if stretches.iter().any(|stretches| !stretches.is_empty()) {
        charts.extend(over_time(runs, &stretches));
    }
    if runs.iter().any(|run| !run.seen.latency.is_empty()) {
        charts.extend([cumulative(runs), percentiles(runs)]);
    }
    charts
}

fn over_time(runs: &[Run], stretches: &[Vec<Stretch>]) -> Vec<Chart> {
    let rate = |stretch: &Stretch, count: u64| count as f64 / stretch.seconds;
    let per_second = |text: f64| format!("{}/s", amount(text));
    let mut throughput = vec![];
    if let [stretches] = stretches {
        throughput.push(over(stretches, "responses", 1, &|at| rate(at, at.bin.ended - at.bin.failed)));
        if stretches.iter().any(|at| at.bin.failed > 0) {
            throughput.push(over(stretches, "failures", 2, &|at| rate(at, at.bin.failed)));
        }
    } else {
        throughput.extend(each(runs, stretches, &|at| rate(at, at.bin.ended)));
    }
    let in_flight = each(runs, stretches, &|at| at.in_flight);
    let received = each(runs, stretches, &|at| rate(at, at.bin.wire_bytes));
    vec![
        timed("throughput", "Throughput", "Requests that ended, per second.", throughput, &per_second),
        timed(
            "in-flight",
            "In flight",
            "Requests under way on average: last attempts only, so one that is tried again counts from its last try.",
            in_flight,
            &amount,
        ),
        timed("received", "Received", "Bytes of bodies as received, per second.", received, &|number| {
            bytes(number) + "/s"
        }),
    ]
}

/// A line for each run.
fn each(runs: &[Run], stretches: &[Vec<Stretch>], value: &dyn Fn(&Stretch) -> f64) -> Vec<ChartLine> {
    let one =
        |(place, (run, stretches)): (usize, (&Run, &Vec<Stretch>))| over(stretches, &run.name, colour(place), value);
    runs.iter().zip(stretches).enumerate().map(one).collect()
}

fn over(stretches: &[Stretch], name: &str, colour: u8, value: &dyn Fn(&Stretch) -> f64) -> ChartLine {
    let points = stretches.iter().map(|stretch| (stretch.middle, value(stretch))).collect();
    ChartLine { name: name.to_owned(), colour, points }
}

/// The colour of the run at this place; those of more than there are colours begin anew.
pub(super) fn colour(place: usize) -> u8 {
    u8::try_from(place % usize::from(COLOURS)).unwrap_or(0) + 1
}

/// A chart over time; values are read out where the line with the most points has one.
fn timed(id: &str, title: &str, note: &str, lines: Vec<ChartLine>, value: &dyn Fn(f64) -> String) -> Chart {
    let finest = lines.iter().max_by_key(|line| line.points.len()).map(|line| line.points.clone()).unwrap_or_default();
    let at = |line: &ChartLine, x: f64| match line.points.get(line.points.partition_point(|point| point.0 < x)) {
        Some(&(_, y)) => (value(y), y),
        None => ("over".to_owned(), 0.0),
    };
    let readouts = finest.iter().map(|&(x, _)| Readout {
        x,
        label: time(x * 1e9),
        values: lines.iter().map(|line| at(line, x)).collect(),
    });
    let highest = lines.iter().flat_map(|line| &line.points).map(|point| point.1).fold(0.0, f64::max);
    Chart {
        id: id.to_owned(),
        title: title.to_owned(),
        note: note.to_owned(),
        x: time_axis(&lines),
        y: linear("", highest, value),
        readouts: readouts.collect(),
        lines,
        stacked: false,
    }
}

/// From the run's start to the last point.
fn time_axis(lines: &[ChartLine]) -> Axis {
    let last = lines.iter().filter_map(|line| line.points.last()).map(|point| point.0).fold(0.0, f64::max);
    linear_to("time since the start", last.max(1e-3), last.max(1e-3), &|seconds| time(seconds * 1e9))
}

/// From zero to a round number above `highest`.
fn linear(label: &str, highest: f64, value: &dyn Fn(f64) -> String) -> Axis {
    let highest = if highest > 0.0 { highest } else { 1.0 };
    let step = step(highest);
    linear_to(label, highest, (highest / step).ceil() * step, value)
}

fn linear_to(label: &str, highest: f64, end: f64, value: &dyn Fn(f64) -> String) -> Axis {
    let step = step(highest);
    let ticks = (0..=8).map(|n| f64::from(n) * step).filter(|tick| *tick <= end * (1.0 + 1e-9));
    Axis { label: label.to_owned(), range: 0.0..end, ticks: ticks.map(|tick| (tick, value(tick))).collect() }
}

/// A round number of which three to six make `highest`.
fn step(highest: f64) -> f64 {
    let power = 10f64.powf((highest / 3.0).log10().floor());
    let factors = [5.0, 2.0, 1.0];
    factors.into_iter().map(|factor| factor * power).find(|step| highest / step >= 3.0).unwrap_or(power)
}

/// Nanoseconds in logarithms, over all runs.
fn log_time(runs: &[Run], label: &str) -> Axis {
    let with = || runs.iter().filter(|run| !run.seen.latency.is_empty());
    let least = with().map(|run| run.seen.latency.min()).min().unwrap_or(1).max(1) as f64;
    let most = with().map(|run| run.seen.latency.max()).max().unwrap_or(1).max(1) as f64;
    // A quarter of a decade around a single value.
    let (from, to) = (least.log10() - 0.05, (most.log10() + 0.05).max(least.log10() + 0.25));
    let factors: &[f64] = if to - from > 3.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let exact = (0..13).flat_map(|decade| factors.iter().map(move |factor| factor * 10f64.powi(decade)));
    let ticks = exact.filter(|tick| (from..=to).contains(&tick.log10())).map(|tick| (tick.log10(), time(tick)));
    Axis { label: label.to_owned(), range: from..to, ticks: ticks.collect() }
}

/// The part of all requests that took at most so long.
fn cumulative(runs: &[Run]) -> Chart {
    let x = log_time(runs, "time of an attempt");
    let places = (0..=PLACES).map(|n| x.range.start + (x.range.end - x.range.start) * f64::from(n) / f64::from(PLACES));
    let below = |run: &Run, place: f64| match run.seen.latency.is_empty() {
        true => 0.0,
        false => run.seen.latency.percentile_below(whole(10f64.powf(place))) / 100.0,
    };
    let lines = lines(runs, |run| places.clone().map(|place| (place, below(run, place))).collect());
    let readouts = places.clone().enumerate().map(|(at, place)| Readout {
        x: place,
        label: format!("at most {}", time(10f64.powf(place))),
        values: lines.iter().map(|line| (share(line.points[at].1, 1.0), line.points[at].1)).collect(),
    });
    let ticks = [0.0, 0.25, 0.5, 0.75, 1.0].map(|part| (part, share(part, 1.0)));
    Chart {
        id: "cdf".to_owned(),
        title: "Latency, cumulative".to_owned(),
        note: "The part of all responses that took at most so long, from dispatch (in an open loop: from when it was due) to the end of the body.".to_owned(),
        y: Axis { label: String::new(), range: 0.0..1.02, ticks: ticks.into() },
        readouts: readouts.collect(),
        lines,
        x,
        stacked: false,
    }
}

/// The time within which a part of all requests ended, the last ones drawn out.
fn percentiles(runs: &[Run]) -> Chart {
    let most = runs.iter().map(|run| run.seen.latency.len()).max().unwrap_or(1).max(10) as f64;
    let end = most.log10();
    let quantile = |place: f64| 1.0 - 10f64.powf(-place);
    let places = (0..=PLACES).map(|n| end * f64::from(n) / f64::from(PLACES));
    let at = |run: &Run, place: f64| {
        let known = place <= (run.seen.latency.len() as f64).log10() + 1e-9;
        known.then(|| (place, (run.seen.latency.value_at_quantile(quantile(place)).max(1) as f64).log10()))
    };
    let lines = lines(runs, |run| places.clone().map_while(|place| at(run, place)).collect());
    let value = |line: &ChartLine, at: usize| match line.points.get(at) {
        Some(&(_, log)) => (time(10f64.powf(log)), log),
        None => ("too few".to_owned(), 0.0),
    };
    let readouts = places.clone().enumerate().map(|(at, place)| Readout {
        x: place,
        label: format!("p{}", percent(quantile(place))),
        values: lines.iter().map(|line| value(line, at)).collect(),
    });
    let ticks = [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999_999]
        .map(|q: f64| (-(1.0 - q).log10(), format!("{} %", percent(q))));
    Chart {
        id: "percentiles".to_owned(),
        title: "Latency by percentile".to_owned(),
        note: "The time within which this part of all responses came; each step to the right is a tenth of those left."
            .to_owned(),
        readouts: readouts.collect(),
        y: log_time(runs, ""),
        lines,
        x: Axis {
            label: "part of all responses".to_owned(),
            range: 0.0..end,
            ticks: ticks.into_iter().filter(|(place, _)| *place <= end + 1e-9).collect(),
        },
        stacked: false,
    }
}

fn lines(runs: &[Run], points: impl Fn(&Run) -> Vec<(f64, f64)>) -> Vec<ChartLine> {
    let one =
        |(place, run): (usize, &Run)| ChartLine { name: run.name.clone(), colour: colour(place), points: points(run) };
    runs.iter().enumerate().map(one).collect()
}

/// A quantile in hundredths, with as many nines as it has.
fn percent(quantile: f64) -> String {
    let text = format!("{:.4}", quantile * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What an attempt's time went into, over the run's time.
pub(super) fn phases(run: &Run, id: String) -> Option<Chart> {
    let stretches = run.seen.series.stretches(run.seen.end);
    let mean = |stretch: &Stretch, part: Part| stretch.bin.parts.get(part) as f64 / stretch.bin.ended.max(1) as f64;
    let line = |part: Part| over(&stretches, part.name(), of_part(part), &|stretch| mean(stretch, part));
    let lines: Vec<_> = Part::OF_ATTEMPT.into_iter().filter(|part| run.seen.sums.get(*part) > 0).map(line).collect();
    let whole = |stretch: &Stretch| Part::OF_ATTEMPT.iter().map(|part| mean(stretch, *part)).sum::<f64>();
    if stretches.len() < 2 || lines.is_empty() {
        return None;
    }
    let readouts = stretches.iter().enumerate().map(|(at, stretch)| {
        let heights = lines.iter().scan(0.0, |height, line| {
            *height += line.points[at].1;
            Some((time(line.points[at].1), *height))
        });
        Readout { x: stretch.middle, label: time(stretch.middle * 1e9), values: heights.collect() }
    });
    Some(Chart {
        id,
        title: "Phases over time".to_owned(),
        note: "What a request's last attempt spent its time on, on average, by when it ended.".to_owned(),
        x: time_axis(&lines),
        y: linear("", stretches.iter().map(whole).fold(0.0, f64::max), &time),
        readouts: readouts.collect(),
        lines,
        stacked: true,
    })
}

/// The colour of a part, here and on the timeline.
pub(super) const fn of_part(part: Part) -> u8 {
    match part {
        Part::FirstByte => 1,
        Part::Connect => 2,
        Part::Body => 3,
        Part::Tls => 4,
        Part::Dns => 5,
        Part::Other => 8,
        Part::Wait => 7,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates, and is never negative")]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_neither_too_many_nor_too_few() {
        for highest in [1e-4, 0.3, 0.99, 1.0, 2.9, 3.0, 7.0, 10.0, 123.0, 6e8] {
            let step = step(highest);
            assert!((2.99..=7.51).contains(&(highest / step)), "{highest}: {step}");
            let axis = linear("", highest, &|_| String::new());
            assert!(axis.range.end >= highest && axis.ticks.len() >= 4, "{axis:?}");
        }
    }

    #[test]
    fn percentiles_keep_their_nines() {
        assert_eq!([0.0, 0.5, 0.9, 0.999, 0.999_999].map(percent), ["0", "50", "90", "99.9", "99.9999"]);
    }
}

//! What `haul bench` can be told, and what it comes to: a checked plan of the load.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use haul::config::Rate;

use super::rate_search::RateSearch;
use super::schedule::{Arrivals, MOST, RateStep, Schedule};
use crate::shared::experiment::RequestArgs;
use crate::shared::flags::{InputArgs, NetworkArgs, TimeoutArgs, TlsArgs, values};
use crate::shared::log::LogArgs;
use crate::shared::metrics;

/// Everything `haul bench` can be told.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,
    #[command(flatten)]
    pub(super) load: LoadArgs,
    #[command(flatten)]
    pub(super) pace: PaceArgs,
    #[command(flatten)]
    pub(super) request: RequestArgs,
    #[command(flatten)]
    pub(super) timeouts: TimeoutArgs,
    #[command(flatten)]
    pub(super) network: NetworkArgs,
    #[command(flatten)]
    pub(super) tls: TlsArgs,
    #[command(flatten)]
    pub(super) answer: AnswerArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(super) struct LoadArgs {
    /// Connections in use at once, over all hosts together: with several, others may be kept open meanwhile; with --rate,
    /// --ramp or --find-max as many as are needed, up to N [default: 50, or 1000]
    #[arg(short, long, value_name = "N", value_parser = values::count)]
    connections: Option<NonZeroU32>,
    /// Requests at once on each connection: HTTP/2, without asking where the URL is http:// [default: 1]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(super) streams: Option<NonZeroU32>,
    /// Requests to make [default: as many as there is time for]
    #[arg(short = 'n', long, value_name = "N", conflicts_with_all = ["ramp", "find_max"])]
    requests: Option<NonZeroU64>,
    /// How long to go on [default: 10s, or until -n requests are made; 1m with --find-max]
    #[arg(short, long, value_name = "TIME", value_parser = values::timeout)]
    duration: Option<Duration>,
    /// Leave out what is started, or due, in this time [default: 0s, or 500ms for each rate with --find-max]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    warm_up: Option<Duration>,
    /// Threads that fetch; a host is served by one of them; 0 means one per core [default: 0]
    #[arg(long, value_name = "N")]
    pub(super) shards: Option<usize>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Open loop")]
pub(super) struct PaceArgs {
    /// Start requests at this rate, like 500/s, whatever became of those before; with --find-max the first rate tried
    #[arg(long, value_name = "RATE", value_parser = rate, conflicts_with = "ramp")]
    rate: Option<Rate>,
    /// Go from one rate to the other in steps, like 100..5000/s
    #[arg(long, value_name = "LOW..HIGH", value_parser = ramp, conflicts_with = "find_max")]
    ramp: Option<(Rate, Rate)>,
    /// Look for the highest rate at which 99 % of the requests are answered within --p99
    #[arg(long, requires = "p99")]
    pub(super) find_max: bool,
    /// The bound of --find-max, counted from when a request is due
    #[arg(long, value_name = "TIME", value_parser = values::timeout, requires = "find_max")]
    p99: Option<Duration>,
    /// How long each rate is held [default: a tenth of -d with --ramp; 3s, or 120 requests, with --find-max]
    #[arg(long, value_name = "TIME", value_parser = values::timeout)]
    step: Option<Duration>,
    /// How the times between requests are spread [default: constant]
    #[arg(long, value_name = "KIND", value_enum)]
    arrivals: Option<Arrivals>,
    /// The seed of --arrivals poisson: the same seed, the same times [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Answer")]
pub(super) struct AnswerArgs {
    /// Answer in JSON (docs/guide/BENCH.md)
    #[arg(long)]
    pub(super) json: bool,
    /// Write what happened in each second to FILE (docs/guide/BENCH.md)
    #[arg(long, value_name = "FILE")]
    pub(super) csv: Option<PathBuf>,
    /// Write a page for a browser to FILE: charts, hosts, a timeline of some requests, failures (docs/guide/REPORT.md)
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Compare with an earlier --json answer in FILE, and say what a test shows
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ramp", "find_max"])]
    pub(super) against: Option<PathBuf>,
    /// A progress line in place of the live view, which is shown where the answer goes to a terminal (docs/guide/VIEW.md)
    #[arg(long)]
    no_tui: bool,
    /// Serve the load's numbers for Prometheus while it goes on: a port of this machine, or ADDR:PORT (docs/reference/METRICS.md)
    #[arg(long, value_name = "ADDR", value_parser = metrics::address)]
    pub(super) metrics: Option<SocketAddr>,
    /// No progress
    #[arg(short, long)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

impl AnswerArgs {
    /// Whether the load is shown while it goes on, where there is a terminal.
    pub(super) const fn has_view(&self) -> bool {
        !self.no_tui && !self.json && self.log.verbose == 0
    }
}

/// A load that was asked for neither by number nor by time lasts this long.
const DURATION: Duration = Duration::from_secs(10);
/// The same for a search, and for each of its rates at least.
const SEARCH: Duration = Duration::from_secs(60);
const TRIAL: Duration = Duration::from_secs(3);
/// A rate is held for as many requests, unless --step says how long: of random arrivals fewer than [`ENOUGH`] then come once in
/// thirty times.
const WANTED: f64 = 120.0;
/// Of fewer requests 99 % say little.
pub(super) const ENOUGH: u64 = 100;
const TRIAL_WARM_UP: Duration = Duration::from_millis(500);
/// The rate a search begins with.
const FIRST: f64 = 100.0;
const CONNECTIONS: NonZeroU32 = NonZeroU32::new(50).expect("not zero");
/// Enough for a rate of 1,000/s and a stall of a second.
const OPEN_CONNECTIONS: NonZeroU32 = NonZeroU32::new(1000).expect("not zero");
/// The most steps of a ramp: a longer table shows nothing more, and each step has two histograms.
const STEPS: u32 = 50;
/// Steps of a ramp that says nothing of them.
const STEPS_WANTED: u32 = 10;

/// What load to make.
#[derive(Clone, Debug)]
pub(super) enum LoadPlan {
    /// The next request starts when one ends.
    Closed { requests: Option<u64>, lasts: Option<Duration>, warm_up: Duration },
    /// Requests start when they are due.
    Open(OpenLoopPlan),
    /// Open loops, one after the other.
    FindMax(FindMaxPlan),
}

impl LoadPlan {
    /// The plan of an open loop; of a search, of its first.
    pub(super) const fn plan(&self) -> Option<&OpenLoopPlan> {
        match self {
            Self::Closed { .. } => None,
            Self::Open(plan) => Some(plan),
            Self::FindMax(sought) => Some(&sought.trial),
        }
    }

    pub(super) const fn warm_up(&self) -> Duration {
        match self {
            Self::Closed { warm_up, .. } => *warm_up,
            Self::Open(plan) => plan.warm_up,
            Self::FindMax(sought) => sought.trial.warm_up,
        }
    }
}

/// What to look for.
#[derive(Clone, Debug)]
pub(super) struct FindMaxPlan {
    pub(super) search: RateSearch,
    /// The load of the first rate; others differ by their rate, and by how long they last where that is not told.
    pub(super) trial: OpenLoopPlan,
    /// How long each rate is held, if that is told.
    pub(super) step: Option<Duration>,
    /// Within this 99 % have to be answered.
    pub(super) bound: Duration,
    /// The time there is for all rates.
    pub(super) lasts: Duration,
}

impl FindMaxPlan {
    /// The load that tries `rate`.
    pub(super) fn trial(&self, rate: Rate) -> OpenLoopPlan {
        let enough = Duration::try_from_secs_f64(WANTED / rate.per_second()).unwrap_or(Duration::MAX);
        let step = self.step.unwrap_or_else(|| enough.max(TRIAL));
        OpenLoopPlan { rates: vec![rate], step: Some(step), ..self.trial.clone() }
    }
}

/// An open loop to be.
#[derive(Clone, Debug)]
pub(super) struct OpenLoopPlan {
    /// One, or those of a ramp.
    pub(super) rates: Vec<Rate>,
    /// How long each is held; `None`: until there have been enough requests.
    pub(super) step: Option<Duration>,
    pub(super) requests: Option<u64>,
    pub(super) warm_up: Duration,
    pub(super) arrivals: Arrivals,
    pub(super) seed: u64,
}

impl OpenLoopPlan {
    /// Steps before those that count.
    pub(super) fn warm_up_steps(&self) -> usize {
        usize::from(!self.warm_up.is_zero())
    }

    pub(super) fn schedule(&self) -> Schedule {
        let warm_up = self.rates.iter().take(self.warm_up_steps()).map(|rate| (rate, Some(self.warm_up)));
        let steps = warm_up.chain(self.rates.iter().map(|rate| (rate, self.step)));
        let steps = steps.map(|(rate, lasts)| RateStep { rate: *rate, lasts }).collect();
        Schedule::new(steps, self.arrivals, self.seed, self.requests)
    }

    /// How long it goes on, warm-up included, unless a number ends it.
    pub(super) fn lasts(&self) -> Option<Duration> {
        let steps = u32::try_from(self.rates.len()).unwrap_or(u32::MAX);
        self.step.map(|step| self.warm_up.saturating_add(step.saturating_mul(steps)))
    }
}

impl BenchArgs {
    /// What load this asks for.
    ///
    /// # Errors
    /// What contradicts itself, and how to fix it.
    pub(super) fn plan(&self) -> Result<LoadPlan, String> {
        let (load, pace) = (&self.load, &self.pace);
        let requests = load.requests.map(NonZeroU64::get);
        let open = |rates, step, warm_up| OpenLoopPlan {
            rates,
            step,
            requests,
            warm_up,
            arrivals: pace.arrivals.unwrap_or(Arrivals::Constant),
            seed: pace.seed.unwrap_or_default(),
        };
        if pace.find_max {
            let first = pace.rate.or_else(|| Rate::new(FIRST)).expect("above zero");
            let trial = open(vec![first], None, load.warm_up.unwrap_or(TRIAL_WARM_UP));
            let (bound, lasts) = (pace.p99.expect("clap requires it"), load.duration.unwrap_or(SEARCH));
            let sought =
                FindMaxPlan { search: RateSearch::new(first.per_second()), trial, step: pace.step, bound, lasts };
            let first = sought.trial(first).lasts().unwrap_or_default();
            if lasts < first {
                return Err(format!(
                    "-d is shorter than the first rate takes, {first:?}; give more, or a shorter --step"
                ));
            }
            return Ok(LoadPlan::FindMax(sought));
        }
        if let Some((low, high)) = pace.ramp {
            let lasts = load.duration.unwrap_or(DURATION);
            let step = pace.step.unwrap_or(lasts / STEPS_WANTED);
            return Ok(LoadPlan::Open(open(ramp_rates(low, high, lasts, step)?, Some(step), load.warm_up())));
        }
        if pace.step.is_some() {
            return Err("--step needs --ramp or --find-max; how long a rate lasts is told with -d".to_owned());
        }
        match pace.rate {
            Some(rate) => Ok(LoadPlan::Open(open(vec![rate], load.lasts(), load.warm_up()))),
            None if pace.arrivals.is_some() || pace.seed.is_some() => {
                Err("--arrivals and --seed are of an open loop; give a --rate, like --rate 500/s".to_owned())
            }
            None => Ok(LoadPlan::Closed { requests, lasts: load.lasts(), warm_up: load.warm_up() }),
        }
    }

    pub(super) fn connections(&self) -> NonZeroU32 {
        let is_open = self.pace.rate.is_some() || self.pace.ramp.is_some() || self.pace.find_max;
        self.load.connections.unwrap_or(if is_open { OPEN_CONNECTIONS } else { CONNECTIONS })
    }
}

impl LoadArgs {
    pub(super) fn streams(&self) -> NonZeroU32 {
        self.streams.unwrap_or(NonZeroU32::MIN)
    }

    /// How long the load lasts, if it has no number.
    fn lasts(&self) -> Option<Duration> {
        self.duration.or_else(|| self.requests.is_none().then_some(DURATION))
    }

    fn warm_up(&self) -> Duration {
        self.warm_up.unwrap_or_default()
    }
}

/// A rate there can be a plan for.
fn rate(text: &str) -> Result<Rate, String> {
    let rate = values::rate(text)?;
    if rate.per_second() > MOST {
        return Err("more than 1000000/s; no client sends as many".to_owned());
    }
    Ok(rate)
}

/// `LOW..HIGH`, the unit behind the second or both.
fn ramp(text: &str) -> Result<(Rate, Rate), String> {
    const FORM: &str = "not a ramp; write it like 100..5000/s";
    let (low, high) = text.split_once("..").ok_or(FORM)?;
    let unit = high.split_once('/').map_or("s", |(_, unit)| unit);
    let low = if low.contains('/') { rate(low) } else { rate(&format!("{low}/{unit}")) };
    low.and_then(|low| Ok((low, rate(high)?))).map_err(|error| format!("{FORM}: {error}"))
}

/// The rates from one to the other, evenly, as many as there is time for.
fn ramp_rates(low: Rate, high: Rate, lasts: Duration, step: Duration) -> Result<Vec<Rate>, String> {
    let steps = (lasts.as_secs_f64() / step.as_secs_f64()).round();
    if !(2.0..=f64::from(STEPS)).contains(&steps) {
        return Err(format!(
            "a ramp has 2 to {STEPS} steps, and {lasts:?} in steps of {step:?} are {steps}; change -d or --step"
        ));
    }
    let (low, high) = (low.per_second(), high.per_second());
    let last = super::figures::whole(steps) - 1;
    let rate = |step| Rate::new(low + (high - low) * step as f64 / last as f64).expect("between two rates");
    Ok((0..=last).map(rate).collect())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct BenchCommandLine {
        #[command(flatten)]
        args: BenchArgs,
    }

    fn plan(flags: &str) -> Result<LoadPlan, String> {
        let words = ["bench", "http://a.test/"].into_iter().chain(flags.split_whitespace());
        let only = BenchCommandLine::try_parse_from(words).map_err(|error| error.to_string())?;
        only.args.plan()
    }

    fn open(flags: &str) -> OpenLoopPlan {
        match plan(flags) {
            Ok(LoadPlan::Open(plan)) => plan,
            other => panic!("{flags}: {other:?}"),
        }
    }

    const fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn no_load_is_without_an_end() {
        let closed = |flags| match plan(flags) {
            Ok(LoadPlan::Closed { requests, lasts, .. }) => (requests, lasts),
            other => panic!("{flags}: {other:?}"),
        };
        assert_eq!(closed(""), (None, seconds(10)));
        assert_eq!(closed("-n 5"), (Some(5), None));
        assert_eq!(closed("-n 5 -d 2s"), (Some(5), seconds(2)));
        assert_eq!(open("--rate 10").lasts(), seconds(10));
        assert_eq!((open("--rate 10 -n 5").lasts(), open("--rate 10 -n 5").requests), (None, Some(5)));
        assert_eq!(open("--ramp 1..10").lasts(), seconds(10));
        assert!(
            matches!(plan("--find-max --p99 1s"), Ok(LoadPlan::FindMax(sought)) if Some(sought.lasts) == seconds(60))
        );
    }

    #[test]
    fn a_ramp_goes_evenly_from_one_rate_to_the_other() {
        let rates = |flags| open(flags).rates.iter().map(|rate| rate.per_second()).collect::<Vec<_>>();
        assert_eq!(rates("--ramp 100..500/s -d 5s --step 1s"), [100.0, 200.0, 300.0, 400.0, 500.0]);
        assert_eq!(rates("--ramp 600..60/m -d 2s --step 1s"), [10.0, 1.0]);
        assert_eq!(rates("--ramp 6/s..60/m -d 2s --step 1s"), [6.0, 1.0]);
        assert_eq!(rates("--ramp 1..100").len(), 10);
        assert!(plan("--ramp 1..9 -d 1s --step 1s").expect_err("one step").contains("2 to 50 steps"));
        assert!(plan("--ramp 1..9 -d 1h --step 1s").is_err());
        assert!(plan("--ramp 5").expect_err("no ramp").contains("100..5000/s"));
        assert!(plan("--ramp 0..5").is_err() && plan("--ramp 1..2000000").is_err());
    }

    #[test]
    fn a_low_rate_is_tried_for_as_long_as_it_takes_to_say_something() {
        let held = |flags, rate| match plan(flags) {
            Ok(LoadPlan::FindMax(sought)) => sought.trial(Rate::new(rate).expect("a rate")).step,
            other => panic!("{flags}: {other:?}"),
        };
        let flags = "--find-max --p99 1s";
        assert_eq!((held(flags, 1000.0), held(flags, 40.0), held(flags, 4.0)), (seconds(3), seconds(3), seconds(30)));
        assert_eq!(held("--find-max --p99 1s --step 2s", 4.0), seconds(2));
        let refused = plan("--find-max --p99 1s --rate 1/s").expect_err("too short");
        assert!(refused.contains("120.5s") && refused.contains("shorter --step"), "{refused}");
        assert!(plan("--find-max --p99 1s --rate 1/s --step 5s").is_ok());
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for flags in [
            "--seed 1",
            "--arrivals poisson",
            "--step 1s",
            "--rate 1 --step 1s",
            "--find-max",
            "--p99 1s",
            "--rate 1 --p99 1s",
            "--rate 1 --ramp 1..2",
            "--ramp 1..2 -n 5",
            "--find-max --p99 1s -n 5",
            "--find-max --p99 1s -d 1s",
            "--find-max --p99 1s --against x",
            "--ramp 1..2 --against x",
            "--rate 0",
            "--rate 1000001",
        ] {
            assert!(plan(flags).is_err(), "{flags}");
        }
    }

    #[test]
    fn a_warm_up_has_the_first_rate() {
        let plan = open("--ramp 10..20 -d 2s --step 1s --warm-up 1s");
        assert_eq!((plan.warm_up_steps(), plan.lasts()), (1, seconds(3)));
        let schedule = plan.schedule();
        assert_eq!((schedule.planned(0), schedule.planned(1), schedule.planned(2)), (10, 10, 20));
    }
}

//! What is left of a run, and what keeps it from ending sooner: the shards' findings put together and judged.
//!
//! Pure: the facts are arguments. A shard looks at its hosts only while somebody asks, at most once a second, and less
//! often when that takes long: never more than about 1 % of its time.

use std::time::Duration;

use crate::model::{DeferReason, Time};
use crate::sched::{self, HostBottleneck};

/// The least time between two looks of a shard.
const EVERY: Duration = Duration::from_secs(1);

/// A look costs at most one part in so many of a shard's time.
const SHARE: u32 = 100;

/// When to look again after a look that began at `now` and took `took`.
pub(super) fn next_look(now: Time, took: Duration) -> Time {
    now + EVERY.max(took.saturating_mul(SHARE))
}

/// What is left of a run, and what bounds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Hosts with a job queued, waiting for its retry, or in flight.
    pub hosts_left: u64,
    /// Queued jobs by what keeps their host from starting one, in the order of [`DeferReason::ALL`].
    pub held: [u64; DeferReason::ALL.len()],
    /// Jobs waiting for their retry's time.
    pub retrying: u64,
    /// The host that needs the longest time.
    pub longest: Option<LongestHost>,
    /// How many hosts are about as long, for the same cause; 1 with only the one.
    pub alike: u64,
    /// Whether the input has been read to its end (or is not read any further, because the run is being stopped).
    pub input_ended: bool,
    /// What keeps the run from going faster.
    pub bound: Bottleneck,
}

/// The host that needs the longest time, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongestHost {
    /// Its origin, such as `https://example.com`.
    pub origin: Box<str>,
    /// About how long it still needs.
    pub left: Duration,
    /// What keeps it from being quicker.
    pub cause: HostBottleneck,
    /// Requests at once that the cause allows, or the host.
    pub at_once: u32,
    /// The pattern of the rule that holds for it, if one does.
    pub rule: Option<Box<str>>,
}

/// What keeps a run from going faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bottleneck {
    /// Its user has paused it.
    Paused,
    /// The sink is behind: records can't be written as fast as they come.
    Output,
    /// Nothing waits to be fetched, and more input would be.
    Input,
    /// Nothing waits to be fetched, and no more input is read because the window is full of finished jobs whose records
    /// are not safe.
    Window,
    /// The global limit on requests in flight.
    Concurrency,
    /// The global start rate.
    Rate,
    /// There are fewer sockets than the limits would use.
    Sockets,
    /// Names are being looked up.
    Names,
    /// Hosts: the longest of them, and those like it, need more time than all else.
    Hosts(HostBottleneck),
    /// All that is left is in flight: the servers' speed.
    Servers,
}

/// What one shard found.
#[derive(Clone, Debug)]
pub(super) struct ShardEstimate {
    pub(super) at: Time,
    pub(super) of_hosts: sched::RemainingWork,
    pub(super) longest: Option<LongestHost>,
}

/// What is known beside the hosts.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunFacts {
    pub(super) now: Time,
    pub(super) paused: bool,
    pub(super) sink_is_behind: bool,
    pub(super) input_ended: bool,
    pub(super) window_is_full: bool,
    pub(super) sockets_are_short: bool,
    pub(super) queued: u64,
    pub(super) in_flight: u64,
    pub(super) concurrency: u32,
    /// The mean time between two starts, if there is a start rate.
    pub(super) interval: Option<Duration>,
}

impl Estimate {
    /// The shards' findings together.
    pub(super) fn of(shards: Vec<ShardEstimate>, facts: RunFacts) -> Self {
        let mut all = sched::RemainingWork::default();
        let mut longest: Option<LongestHost> = None;
        for shard in &shards {
            add(&mut all, &shard.of_hosts);
            let aged = shard.longest.clone().map(|mut host| {
                host.left = host.left.saturating_sub(facts.now.since(shard.at));
                host
            });
            if aged.as_ref().is_some_and(|aged| longest.as_ref().is_none_or(|longest| aged.left > longest.left)) {
                longest = aged;
            }
        }
        let alike = longest.as_ref().map_or(0, |longest| {
            let like = |shard: &&ShardEstimate| {
                let theirs = shard.longest.as_ref();
                theirs.is_some_and(|theirs| theirs.cause == longest.cause && theirs.left >= longest.left / 2)
            };
            shards.iter().filter(like).map(|shard| shard.of_hosts.alike).sum()
        });
        let bound = bound(&all, longest.as_ref(), facts);
        Self {
            hosts_left: all.hosts_left,
            held: all.held,
            retrying: all.retrying,
            longest,
            alike,
            input_ended: facts.input_ended,
            bound,
        }
    }
}

fn add(all: &mut sched::RemainingWork, one: &sched::RemainingWork) {
    all.hosts_left += one.hosts_left;
    all.unresolved += one.unresolved;
    all.ready += one.ready;
    all.retrying += one.retrying;
    all.work = all.work.saturating_add(one.work);
    for (total, held) in all.held.iter_mut().zip(one.held) {
        *total += held;
    }
}

/// What bounds the run. Where the global limits hold jobs back, they do, unless the longest host needs longer than all the
/// work takes under them. Else every host that has work is held by something of its own, and the longest says by what.
fn bound(all: &sched::RemainingWork, longest: Option<&LongestHost>, facts: RunFacts) -> Bottleneck {
    if facts.paused {
        return Bottleneck::Paused;
    }
    if facts.sink_is_behind {
        return Bottleneck::Output;
    }
    if facts.queued == 0 {
        return match facts {
            RunFacts { input_ended: true, .. } => Bottleneck::Servers,
            RunFacts { in_flight, concurrency, .. } if in_flight >= u64::from(concurrency) => Bottleneck::Concurrency,
            RunFacts { window_is_full: true, .. } => Bottleneck::Window,
            _ => Bottleneck::Input,
        };
    }
    let left = longest.map_or(Duration::ZERO, |longest| longest.left);
    match by_the_run(all, facts) {
        Some((bound, needed)) if !facts.input_ended || needed >= left => return bound,
        _ => {}
    }
    match longest.map(|longest| longest.cause) {
        _ if all.unresolved * 2 > all.hosts_left => Bottleneck::Names,
        Some(HostBottleneck::Name) => Bottleneck::Names,
        Some(HostBottleneck::Service) | None => Bottleneck::Servers,
        Some(cause) => Bottleneck::Hosts(cause),
    }
}

/// The limit of the whole run that holds most jobs back, and how long all work takes under it.
fn by_the_run(all: &sched::RemainingWork, facts: RunFacts) -> Option<(Bottleneck, Duration)> {
    // A job that could start when the shard looked waits for its turn, and where starts are drawn, for the draw.
    let drawn = if facts.interval.is_some() { all.ready } else { 0 };
    let (limit, pace) = (all.held_for(DeferReason::GlobalLimit), all.held_for(DeferReason::GlobalPace) + drawn);
    match (limit.max(pace), facts.interval) {
        (0, _) => None,
        (_, Some(interval)) if pace >= limit => {
            Some((Bottleneck::Rate, interval.saturating_mul(u32::try_from(facts.queued).unwrap_or(u32::MAX))))
        }
        // A rest for want of descriptors is said like a pace.
        _ if facts.sockets_are_short || pace > limit => Some((Bottleneck::Sockets, Duration::MAX)),
        _ => Some((Bottleneck::Concurrency, all.work / facts.concurrency.max(1))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn facts() -> RunFacts {
        RunFacts {
            now: Time::from_millis(1000),
            paused: false,
            sink_is_behind: false,
            input_ended: true,
            window_is_full: false,
            sockets_are_short: false,
            queued: 100,
            in_flight: 10,
            concurrency: 10,
            interval: None,
        }
    }

    /// A shard whose longest host needs so many seconds, with so many jobs held by the global limit.
    fn shard(seconds: u32, cause: HostBottleneck, held: u64) -> ShardEstimate {
        let mut of_hosts =
            sched::RemainingWork { hosts_left: 4, alike: 2, work: SECOND * 50, ..sched::RemainingWork::default() };
        of_hosts.held[DeferReason::GlobalLimit as usize] = held;
        let longest = LongestHost {
            origin: format!("http://h{seconds}").into(),
            left: SECOND * seconds,
            cause,
            at_once: 8,
            rule: None,
        };
        ShardEstimate { at: Time::ZERO, of_hosts, longest: Some(longest) }
    }

    fn bound_of(shards: Vec<ShardEstimate>, facts: RunFacts) -> Bottleneck {
        Estimate::of(shards, facts).bound
    }

    #[test]
    fn shards_are_added_and_the_longest_of_all_is_named_as_it_is_by_now() {
        let shards = vec![
            shard(20, HostBottleneck::Delay, 0),
            shard(30, HostBottleneck::Delay, 0),
            shard(25, HostBottleneck::Rate, 0),
        ];
        let estimate = Estimate::of(shards, facts());
        let longest = estimate.longest.expect("one of three");
        assert_eq!((&*longest.origin, longest.left), ("http://h30", SECOND * 29));
        assert_eq!((estimate.hosts_left, estimate.alike), (12, 4), "the third has another cause");
        assert_eq!(estimate.bound, Bottleneck::Hosts(HostBottleneck::Delay));
    }

    #[test]
    fn what_stands_above_all_comes_first() {
        let shards = || vec![shard(20, HostBottleneck::Delay, 50)];
        assert_eq!(bound_of(shards(), RunFacts { paused: true, sink_is_behind: true, ..facts() }), Bottleneck::Paused);
        assert_eq!(bound_of(shards(), RunFacts { sink_is_behind: true, ..facts() }), Bottleneck::Output);
    }

    #[test]
    fn with_nothing_queued_it_is_the_input_or_the_servers() {
        let none = |change: fn(&mut RunFacts)| {
            let mut facts = RunFacts { queued: 0, ..facts() };
            change(&mut facts);
            bound_of(vec![shard(1, HostBottleneck::Service, 0)], facts)
        };
        assert_eq!(none(|_| {}), Bottleneck::Servers);
        assert_eq!(none(|facts| (facts.input_ended, facts.in_flight) = (false, 3)), Bottleneck::Input);
        assert_eq!(none(|facts| facts.input_ended = false), Bottleneck::Concurrency);
        let full = |facts: &mut RunFacts| (facts.input_ended, facts.in_flight, facts.window_is_full) = (false, 3, true);
        assert_eq!(none(full), Bottleneck::Window);
    }

    #[test]
    fn the_global_limit_bounds_a_run_unless_one_host_needs_longer_than_all_work() {
        // 50 s of work, ten at once: 5 s.
        assert_eq!(bound_of(vec![shard(4, HostBottleneck::Delay, 50)], facts()), Bottleneck::Concurrency);
        assert_eq!(
            bound_of(vec![shard(9, HostBottleneck::Delay, 50)], facts()),
            Bottleneck::Hosts(HostBottleneck::Delay)
        );
        let reading = RunFacts { input_ended: false, ..facts() };
        assert_eq!(
            bound_of(vec![shard(9, HostBottleneck::Delay, 50)], reading),
            Bottleneck::Concurrency,
            "more may come"
        );
        assert_eq!(bound_of(vec![shard(9, HostBottleneck::Service, 0)], reading), Bottleneck::Servers);
        let short = RunFacts { sockets_are_short: true, ..facts() };
        assert_eq!(bound_of(vec![shard(9, HostBottleneck::Delay, 50)], short), Bottleneck::Sockets);
    }

    #[test]
    fn a_start_rate_bounds_a_run_while_it_holds_most() {
        let mut paced = shard(9, HostBottleneck::Concurrency, 10);
        paced.of_hosts.held[DeferReason::GlobalPace as usize] = 50;
        let rate = |millis| RunFacts { interval: Some(Duration::from_millis(millis)), ..facts() };
        assert_eq!(bound_of(vec![paced.clone()], rate(100)), Bottleneck::Rate, "100 starts in 10 s");
        assert_eq!(bound_of(vec![paced.clone()], rate(10)), Bottleneck::Hosts(HostBottleneck::Concurrency));
        assert_eq!(bound_of(vec![paced], facts()), Bottleneck::Sockets, "a rest");
        let mut due = shard(9, HostBottleneck::Concurrency, 0);
        due.of_hosts.ready = 50;
        assert_eq!(bound_of(vec![due.clone()], rate(100)), Bottleneck::Rate, "between two starts");
        assert_eq!(bound_of(vec![due], facts()), Bottleneck::Hosts(HostBottleneck::Concurrency));
    }

    #[test]
    fn names_bound_a_run_when_most_hosts_wait_for_them() {
        let mut unresolved = shard(9, HostBottleneck::Concurrency, 0);
        unresolved.of_hosts.unresolved = 3;
        assert_eq!(bound_of(vec![unresolved], facts()), Bottleneck::Names);
        assert_eq!(bound_of(vec![shard(9, HostBottleneck::Name, 0)], facts()), Bottleneck::Names);
    }

    #[test]
    fn looking_takes_no_more_than_its_share() {
        let next = |took| next_look(Time::ZERO, Duration::from_millis(took)).since(Time::ZERO).as_millis();
        assert_eq!((next(0), next(5), next(200)), (1000, 1000, 20_000));
    }
}

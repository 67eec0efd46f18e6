//! Whether the client itself was what bounded a load, and by what. Pure.

use haul::model::FailureKind;

use super::trial::{ClientUsage, LoadResult};

/// From which part of a thread's time on the client itself is taken for the bottleneck.
const BUSY: f64 = 0.9;

/// From which part of the requests on, in percent, their late starts are put down to the client.
const LATE: u64 = 10;

/// Of fewer requests nothing is said.
const FEW: u64 = 20;

/// What the client ran out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    Processor,
    Ports,
    Descriptors,
    Timing,
}

impl Lack {
    /// What `done` lacked, of a load that might have had `connections`.
    pub(super) fn of(done: &LoadResult, connections: u64) -> Vec<Self> {
        let opened = done.run.totals.connections_opened;
        let is_open = done.tally.open.is_some();
        let ports = done.tally.failures.keys().any(|(_, kind)| *kind == FailureKind::NoPorts);
        // A closed loop uses all it is given; an open one as much as it needs.
        let descriptors = done.spent.descriptors_allow.is_some_and(|allow| !is_open || opened >= allow as u64);
        let late = done
            .tally
            .open
            .as_ref()
            .is_some_and(|open| open.late.len() >= FEW && open.sent_late * 100 > open.late.len() * LATE);
        let all = [
            (Self::Processor, is_busy(done)),
            (Self::Ports, ports),
            (Self::Descriptors, descriptors),
            // Where connections were left, nothing but the client held a request back.
            (Self::Timing, late && opened < connections && !descriptors),
        ];
        all.into_iter().filter(|(_, lacks)| *lacks).map(|(lack, _)| lack).collect()
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Processor => "processor",
            Self::Ports => "ports",
            Self::Descriptors => "descriptors",
            Self::Timing => "timing",
        }
    }

    /// What it means, and what helps.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Processor => {
                "This client had no processor time left, so the server may be able to do more\n\
                 than this. More threads (--shards) help when there is more than one host; so\n\
                 does a client on another machine."
            }
            Self::Ports => {
                "This client ran out of local ports: each connection keeps one, for a minute\n\
                 after its end, too. Keep connections alive, widen net.ipv4.ip_local_port_range\n\
                 or set net.ipv4.tcp_tw_reuse=1 (haul doctor tells)."
            }
            Self::Descriptors => {
                "The descriptor limit allowed fewer requests at once than asked for: raise it\n\
                 with ulimit -n (haul doctor tells how)."
            }
            Self::Timing => {
                "Requests started late although connections were left: this client could not\n\
                 keep to the rate. What it adds is the difference of response and service."
            }
        }
    }
}

/// Whether a thread had no time left. Where nothing is known of single ones: all those that fetch together.
fn is_busy(done: &LoadResult) -> bool {
    let ClientUsage { busiest, shards, .. } = &done.spent;
    busiest.as_ref().map_or_else(|| cores(done) / *shards as f64, |busiest| busiest.share) >= BUSY
}

/// Seconds of processor time per second.
pub(super) fn cores(done: &LoadResult) -> f64 {
    done.spent.processor.as_secs_f64() / done.spent.elapsed.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use haul::model::{Failure, Phase, Record};

    use super::*;
    use crate::commands::bench::busy::BusiestThread;
    use crate::commands::bench::load_stats::LoadStats;
    use crate::commands::bench::report::tests::{done, record, response};
    use crate::commands::bench::schedule::BEGIN;

    const NONE: Duration = Duration::ZERO;

    /// A hundred answers, so many of them late, and 70 connections opened, without much processor time.
    fn open(late: u64) -> LoadResult {
        let late = |n| if n < late { Duration::from_millis(2) } else { NONE };
        let records: Vec<Record> = (0..100).map(|n| record(BEGIN, late(n), NONE, Ok(response(200)))).collect();
        let mut done = done(LoadStats::open(NONE, 1, Duration::MAX, Duration::MAX), records);
        done.spent.processor = NONE;
        done
    }

    #[test]
    fn late_starts_are_the_clients_fault_while_connections_are_left() {
        assert_eq!((Lack::of(&open(10), 71), Lack::of(&open(11), 71)), (vec![], vec![Lack::Timing]));
        assert_eq!(Lack::of(&open(11), 70), []);
    }

    #[test]
    fn the_descriptor_limit_matters_where_it_is_reached() {
        let lacks = |allow, mut done: LoadResult| {
            done.spent.descriptors_allow = Some(allow);
            Lack::of(&done, 1000)
        };
        assert_eq!((lacks(71, open(0)), lacks(70, open(50))), (vec![], vec![Lack::Descriptors]));
        let mut closed = done(LoadStats::new(NONE), Vec::new());
        closed.spent.processor = NONE;
        assert_eq!(lacks(71, closed), [Lack::Descriptors]);
    }

    #[test]
    fn one_full_thread_is_enough_and_two_half_full_ones_are_not() {
        let lacks = |share| {
            let mut done = done(LoadStats::new(NONE), Vec::new());
            done.spent.shards = 2;
            assert_eq!(Lack::of(&done, 1), [], "a core of two");
            done.spent.busiest = Some(BusiestThread { name: "haul-shard-1".into(), share });
            Lack::of(&done, 1)
        };
        assert_eq!((lacks(0.89), lacks(0.9)), (vec![], vec![Lack::Processor]));
    }

    #[test]
    fn a_want_of_ports_and_of_processor_time_is_told() {
        let failure = Failure::new(Phase::Connect, FailureKind::NoPorts, "all in use");
        let done = done(LoadStats::new(NONE), vec![record(BEGIN, NONE, NONE, Err(failure))]);
        assert_eq!(Lack::of(&done, 1), [Lack::Processor, Lack::Ports], "all of a core, of which more is not known");
        for lack in [Lack::Processor, Lack::Ports, Lack::Descriptors, Lack::Timing] {
            assert!(lack.text().lines().all(|line| line.len() <= 80), "{lack:?}");
        }
    }
}

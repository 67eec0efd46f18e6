//! Whether the client itself was what bounded a load, and by what. Pure.

use haul::model::FailureKind;

use super::trial::Done;

/// From which part of its threads' time on the client itself is taken for the bottleneck.
const BUSY: f64 = 0.9;

/// From which part of the requests on, in percent, their late starts are put down to the client.
const LATE: u64 = 10;

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
    pub(super) fn of(done: &Done, connections: u64) -> Vec<Self> {
        let opened = done.run.totals.connections_opened;
        let is_open = done.tally.open.is_some();
        let ports = done.tally.failures.keys().any(|(_, kind)| *kind == FailureKind::NoPorts);
        // A closed loop uses all it is given; an open one as much as it needs.
        let descriptors = done.spent.descriptors_allow.is_some_and(|allow| !is_open || opened >= allow as u64);
        let late = done.tally.open.as_ref().is_some_and(|open| open.sent_late * 100 > open.late.len() * LATE);
        let all = [
            (Self::Processor, cores(done) >= BUSY * done.spent.shards as f64),
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

/// Seconds of processor time per second.
pub(super) fn cores(done: &Done) -> f64 {
    done.spent.processor.as_secs_f64() / done.spent.elapsed.as_secs_f64().max(1e-9)
}

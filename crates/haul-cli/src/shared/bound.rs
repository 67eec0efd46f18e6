//! What bounds a run, in words.

use std::num::NonZeroU32;

use haul::engine::{Bottleneck, Estimate, LongestHost};
use haul::sched::HostBottleneck;
use indicatif::HumanCount;

/// What bounds the run now, after the word `by`, with host names cut to `room` characters.
pub(crate) fn now(estimate: &Estimate, concurrency: NonZeroU32, room: usize, by: &str) -> String {
    match (estimate.bound, &estimate.longest) {
        (Bottleneck::Paused, _) => "paused".to_owned(),
        (Bottleneck::Hosts(_), Some(longest)) => format!("{by} {}", host(longest, estimate.alike, room)),
        (Bottleneck::Concurrency, _) => format!("{by} --concurrency {concurrency}"),
        (bound, _) => format!("{by} {}", general(bound)),
    }
}

/// A kind of bound, whatever the host.
pub(crate) fn general(bound: Bottleneck) -> String {
    match bound {
        Bottleneck::Concurrency => "--concurrency".to_owned(),
        Bottleneck::Hosts(HostBottleneck::Concurrency) => "hosts (limit per host)".to_owned(),
        Bottleneck::Hosts(cause) => format!("hosts ({})", name_of(cause)),
        Bottleneck::Paused => "a pause".to_owned(),
        Bottleneck::Output => "the output".to_owned(),
        Bottleneck::Input => "the input".to_owned(),
        // A full one has as many jobs as it may, or as many of their bytes, which the budget lowers.
        Bottleneck::Window => "--window or --max-memory".to_owned(),
        Bottleneck::Rate => "--rate".to_owned(),
        Bottleneck::Sockets => "open sockets (ulimit -n)".to_owned(),
        Bottleneck::Names => "names (DNS)".to_owned(),
        Bottleneck::Servers => "the servers' speed".to_owned(),
    }
}

/// The stable short name of a kind of bound.
pub(crate) const fn name(bound: Bottleneck) -> &'static str {
    match bound {
        Bottleneck::Paused => "paused",
        Bottleneck::Output => "output",
        Bottleneck::Input => "input",
        Bottleneck::Window => "window",
        Bottleneck::Concurrency => "concurrency",
        Bottleneck::Rate => "rate",
        Bottleneck::Sockets => "sockets",
        Bottleneck::Names => "names",
        Bottleneck::Servers => "servers",
        Bottleneck::Hosts(cause) => match cause {
            HostBottleneck::Name => "host_name",
            HostBottleneck::Robots => "host_robots",
            HostBottleneck::BackOff => "host_back_off",
            HostBottleneck::Delay => "host_delay",
            HostBottleneck::Rate => "host_rate",
            HostBottleneck::Throttle => "host_throttle",
            HostBottleneck::Concurrency => "host_concurrency",
            HostBottleneck::Connections => "host_connections",
            HostBottleneck::Adaptive => "host_adaptive",
            HostBottleneck::Probe => "host_probe",
            HostBottleneck::Group => "site_concurrency",
            HostBottleneck::Address => "address_concurrency",
            HostBottleneck::Service => "host_service",
        },
    }
}

const fn name_of(cause: HostBottleneck) -> &'static str {
    match cause {
        HostBottleneck::Name => "name",
        HostBottleneck::Robots => "robots.txt",
        HostBottleneck::BackOff => "back-off",
        HostBottleneck::Delay => "delay",
        HostBottleneck::Rate => "rate",
        HostBottleneck::Throttle => "the rate it takes",
        HostBottleneck::Concurrency => "limit",
        HostBottleneck::Connections => "connections",
        HostBottleneck::Adaptive => "as many as it takes",
        HostBottleneck::Probe => "probe after failures",
        HostBottleneck::Group => "--per-site",
        HostBottleneck::Address => "limit per address",
        HostBottleneck::Service => "speed",
    }
}

fn host(longest: &LongestHost, alike: u64, room: usize) -> String {
    if alike > 1 {
        return format!("{} on {} hosts", cause(longest), HumanCount(alike));
    }
    let cause = match longest.cause {
        HostBottleneck::BackOff => format!("back-off, {} left", super::times::short(longest.left)),
        _ => cause(longest),
    };
    let name = longest.origin.split_once("//").map_or(&*longest.origin, |(_, name)| name);
    format!("host {} ({cause})", cut(name, room))
}

/// What slows the host down: a flag, unless the host has a rule.
fn cause(longest: &LongestHost) -> String {
    let at_once = longest.at_once;
    match (longest.cause, &longest.rule) {
        (HostBottleneck::Concurrency, None) => format!("--per-host {at_once}"),
        (HostBottleneck::Concurrency, Some(_)) => format!("{at_once} at once"),
        (HostBottleneck::Connections, _) if at_once == 1 => "first connection".to_owned(),
        (HostBottleneck::Connections, _) => format!("{at_once} HTTP/2 streams"),
        (HostBottleneck::Delay, None) => "--delay".to_owned(),
        (HostBottleneck::Rate, None) => "--host-rate".to_owned(),
        (HostBottleneck::Adaptive, _) => format!("takes {at_once} at once"),
        (HostBottleneck::Group, _) => format!("--per-site {at_once}"),
        (HostBottleneck::Address, _) => format!("{at_once} per address"),
        (cause, _) => name_of(cause).to_owned(),
    }
}

/// `text`, or its beginning and its end with an ellipsis between.
pub(crate) fn cut(text: &str, room: usize) -> String {
    let count = text.chars().count();
    if count <= room {
        return text.to_owned();
    }
    let kept = room.saturating_sub(1);
    let (head, tail) = (kept - kept / 2, kept / 2);
    let head: String = text.chars().take(head).collect();
    let tail: String = text.chars().skip(count - tail).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;

    /// An estimate whose longest host is `host`.
    pub(crate) fn estimate(bound: Bottleneck, alike: u64, cause: HostBottleneck) -> Estimate {
        Estimate {
            hosts_left: 7,
            held: Default::default(),
            retrying: 0,
            longest: Some(LongestHost {
                origin: "https://a.rather.long-name-of-a-host.example:8443".into(),
                left: Duration::from_secs(130),
                cause,
                at_once: 8,
                rule: None,
            }),
            alike,
            input_ended: true,
            bound,
        }
    }

    fn words(estimate: &Estimate) -> String {
        now(estimate, NonZeroU32::new(256).expect("not zero"), 20, "bound by")
    }

    #[test]
    fn the_words_name_what_to_change() {
        let hosts = |alike, cause| words(&estimate(Bottleneck::Hosts(cause), alike, cause));
        assert_eq!(hosts(1, HostBottleneck::Delay), "bound by host a.rather.l…mple:8443 (--delay)");
        assert_eq!(hosts(3, HostBottleneck::Concurrency), "bound by --per-host 8 on 3 hosts");
        assert_eq!(hosts(1200, HostBottleneck::BackOff), "bound by back-off on 1,200 hosts");
        let general = |bound| words(&estimate(bound, 1, HostBottleneck::Delay));
        assert_eq!(general(Bottleneck::Concurrency), "bound by --concurrency 256");
        assert_eq!(general(Bottleneck::Names), "bound by names (DNS)");
        assert_eq!(general(Bottleneck::Paused), "paused");
    }

    #[test]
    fn a_host_with_a_rule_is_not_told_of_flags() {
        let mut ruled = estimate(Bottleneck::Hosts(HostBottleneck::Concurrency), 1, HostBottleneck::Concurrency);
        ruled.longest.as_mut().expect("set").rule = Some("*.example".into());
        ruled.longest.as_mut().expect("set").origin = "http://a.example".into();
        assert_eq!(words(&ruled), "bound by host a.example (8 at once)");
        ruled.longest.as_mut().expect("set").cause = HostBottleneck::Delay;
        assert_eq!(words(&ruled), "bound by host a.example (delay)");
    }
}

//! What bounds a run, in words.

use std::num::NonZeroU32;

use haul::engine::{Bound, LongestHost, Outlook};
use haul::sched::Cause;
use indicatif::HumanCount;

/// What bounds the run now, after the word `by`, with host names cut to `room` characters.
pub(crate) fn now(outlook: &Outlook, concurrency: NonZeroU32, room: usize, by: &str) -> String {
    match (outlook.bound, &outlook.longest) {
        (Bound::Paused, _) => "paused".to_owned(),
        (Bound::Hosts(_), Some(longest)) => format!("{by} {}", host(longest, outlook.alike, room)),
        (Bound::Concurrency, _) => format!("{by} --concurrency {concurrency}"),
        (bound, _) => format!("{by} {}", general(bound)),
    }
}

/// A kind of bound, whatever the host.
pub(crate) fn general(bound: Bound) -> String {
    match bound {
        Bound::Concurrency => "--concurrency".to_owned(),
        Bound::Hosts(Cause::Concurrency) => "hosts (limit per host)".to_owned(),
        Bound::Hosts(cause) => format!("hosts ({})", name_of(cause)),
        Bound::Paused => "a pause".to_owned(),
        Bound::Output => "the output".to_owned(),
        Bound::Input => "the input".to_owned(),
        // A full one has as many jobs as it may, or as many of their bytes, which the budget lowers.
        Bound::Window => "--window or --max-memory".to_owned(),
        Bound::Rate => "--rate".to_owned(),
        Bound::Sockets => "open sockets (ulimit -n)".to_owned(),
        Bound::Names => "names (DNS)".to_owned(),
        Bound::Servers => "the servers' speed".to_owned(),
    }
}

/// The stable short name of a kind of bound.
pub(crate) const fn name(bound: Bound) -> &'static str {
    match bound {
        Bound::Paused => "paused",
        Bound::Output => "output",
        Bound::Input => "input",
        Bound::Window => "window",
        Bound::Concurrency => "concurrency",
        Bound::Rate => "rate",
        Bound::Sockets => "sockets",
        Bound::Names => "names",
        Bound::Servers => "servers",
        Bound::Hosts(cause) => match cause {
            Cause::Name => "host_name",
            Cause::Robots => "host_robots",
            Cause::BackOff => "host_back_off",
            Cause::Delay => "host_delay",
            Cause::Rate => "host_rate",
            Cause::Throttle => "host_throttle",
            Cause::Concurrency => "host_concurrency",
            Cause::Connections => "host_connections",
            Cause::Adaptive => "host_adaptive",
            Cause::Probe => "host_probe",
            Cause::Group => "site_concurrency",
            Cause::Address => "address_concurrency",
            Cause::Service => "host_service",
        },
    }
}

const fn name_of(cause: Cause) -> &'static str {
    match cause {
        Cause::Name => "name",
        Cause::Robots => "robots.txt",
        Cause::BackOff => "back-off",
        Cause::Delay => "delay",
        Cause::Rate => "rate",
        Cause::Throttle => "the rate it takes",
        Cause::Concurrency => "limit",
        Cause::Connections => "connections",
        Cause::Adaptive => "as many as it takes",
        Cause::Probe => "probe after failures",
        Cause::Group => "--per-site",
        Cause::Address => "limit per address",
        Cause::Service => "speed",
    }
}

fn host(longest: &LongestHost, alike: u64, room: usize) -> String {
    if alike > 1 {
        return format!("{} on {} hosts", cause(longest), HumanCount(alike));
    }
    let cause = match longest.cause {
        Cause::BackOff => format!("back-off, {} left", super::times::short(longest.left)),
        _ => cause(longest),
    };
    let name = longest.origin.split_once("//").map_or(&*longest.origin, |(_, name)| name);
    format!("host {} ({cause})", cut(name, room))
}

/// What slows the host down: a flag, unless the host has a rule.
fn cause(longest: &LongestHost) -> String {
    let at_once = longest.at_once;
    match (longest.cause, &longest.rule) {
        (Cause::Concurrency, None) => format!("--per-host {at_once}"),
        (Cause::Concurrency, Some(_)) => format!("{at_once} at once"),
        (Cause::Connections, _) if at_once == 1 => "first connection".to_owned(),
        (Cause::Connections, _) => format!("{at_once} HTTP/2 streams"),
        (Cause::Delay, None) => "--delay".to_owned(),
        (Cause::Rate, None) => "--host-rate".to_owned(),
        (Cause::Adaptive, _) => format!("takes {at_once} at once"),
        (Cause::Group, _) => format!("--per-site {at_once}"),
        (Cause::Address, _) => format!("{at_once} per address"),
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

    /// An outlook whose longest host is `host`.
    pub(crate) fn outlook(bound: Bound, alike: u64, cause: Cause) -> Outlook {
        Outlook {
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

    fn words(outlook: &Outlook) -> String {
        now(outlook, NonZeroU32::new(256).expect("not zero"), 20, "bound by")
    }

    #[test]
    fn the_words_name_what_to_change() {
        let hosts = |alike, cause| words(&outlook(Bound::Hosts(cause), alike, cause));
        assert_eq!(hosts(1, Cause::Delay), "bound by host a.rather.l…mple:8443 (--delay)");
        assert_eq!(hosts(3, Cause::Concurrency), "bound by --per-host 8 on 3 hosts");
        assert_eq!(hosts(1200, Cause::BackOff), "bound by back-off on 1,200 hosts");
        let general = |bound| words(&outlook(bound, 1, Cause::Delay));
        assert_eq!(general(Bound::Concurrency), "bound by --concurrency 256");
        assert_eq!(general(Bound::Names), "bound by names (DNS)");
        assert_eq!(general(Bound::Paused), "paused");
    }

    #[test]
    fn a_host_with_a_rule_is_not_told_of_flags() {
        let mut ruled = outlook(Bound::Hosts(Cause::Concurrency), 1, Cause::Concurrency);
        ruled.longest.as_mut().expect("set").rule = Some("*.example".into());
        ruled.longest.as_mut().expect("set").origin = "http://a.example".into();
        assert_eq!(words(&ruled), "bound by host a.example (8 at once)");
        ruled.longest.as_mut().expect("set").cause = Cause::Delay;
        assert_eq!(words(&ruled), "bound by host a.example (delay)");
    }
}

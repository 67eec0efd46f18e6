//! What the facts mean for a run. Pure: a function from facts to findings.

use std::time::{Duration, SystemTime};

use haul_net::dial::TrustedRoots;
use indicatif::{BinaryBytes, HumanCount};

use super::facts::{
    ClockReading, Conntrack, Cores, Descriptors, MachineFacts, Memory, NameServer, NameServerAnswer, Ports,
    TemporaryDirectory,
};
use crate::shared::times::short;

/// How well something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Ok,
    /// A run goes slower than it could, or fails in some cases.
    Warning,
    /// The run that is thought of fails or is cut down.
    Problem,
}

/// One thing that was judged.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: &'static str,
    pub(super) level: Level,
    /// What was found.
    pub(super) found: String,
    /// What it means for a run.
    pub(super) means: String,
    /// The command or flag that fixes it; none where nothing is wrong.
    pub(super) fix: Option<String>,
}

/// A URL waiting in the window takes about this many bytes.
const PER_URL: u64 = 150;

/// A request in flight takes about this many bytes beside its body.
const PER_REQUEST: u64 = 40 << 10;

/// How long a closed connection holds its local port, and its entry among the tracked ones.
const TIME_WAIT: u64 = 60;
const TRACKED_AFTER: u64 = 120;

/// An answer that takes longer than this is slow.
const SLOW: Duration = Duration::from_millis(250);

/// No clock is right that says an earlier time than this: 2026-01-01, before this was written.
const WRITTEN: Duration = Duration::from_secs(1_767_225_600);

const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Judges everything that could be seen.
pub(super) fn judge(facts: &MachineFacts) -> Vec<Finding> {
    let concurrency = u64::from(facts.limits.concurrency.get());
    let mut findings = Vec::new();
    findings.extend(facts.descriptors.map(|found| descriptors(found, concurrency)));
    findings.extend(facts.ports.map(|found| ports(found, concurrency)));
    findings.extend(facts.conntrack.map(|found| conntrack(found, concurrency)));
    findings.extend(name_servers(facts));
    findings.push(clock(facts.clock));
    findings.push(roots(facts.roots));
    findings.extend(facts.memory.map(|found| memory(found, facts)));
    findings.push(cores(facts.cores));
    findings.push(temporary(&facts.temporary));
    findings
}

fn descriptors(found: Descriptors, concurrency: u64) -> Finding {
    let Descriptors { soft, hard, budget } = found;
    let sockets = budget.sockets as u64;
    let raises = if soft < hard { format!("; {} now, haul raises it", HumanCount(soft)) } else { String::new() };
    let (level, means) = if sockets < concurrency {
        (
            Level::Problem,
            format!("haul would lower the concurrency from {} to {}", HumanCount(concurrency), HumanCount(sockets)),
        )
    } else if sockets < concurrency.saturating_mul(4) {
        let means = format!(
            "{} connections at once: those kept for later are closed early, and fewer are used again",
            HumanCount(sockets)
        );
        (Level::Warning, means)
    } else {
        (
            Level::Ok,
            format!(
                "{} connections at once, and {} look-ups",
                HumanCount(sockets),
                HumanCount(budget.lookups as u64 * budget.shards as u64)
            ),
        )
    };
    let wanted = concurrency.saturating_mul(8).max(65_536);
    Finding {
        check: "descriptors",
        level,
        found: format!("at most {}{raises}", HumanCount(hard)),
        means,
        fix: (level > Level::Ok)
            .then(|| format!("sudo prlimit --pid $$ --nofile={wanted}:{wanted}   (for this shell)")),
    }
}

fn ports(found: Ports, concurrency: u64) -> Finding {
    let count = u64::from(found.high.saturating_sub(found.low)) + 1;
    let reuse = found.reuse.map(|value| format!(", tcp_tw_reuse {value}")).unwrap_or_default();
    let level = if count < concurrency.saturating_mul(2) { Level::Warning } else { Level::Ok };
    let closed = if found.reuse == Some(1) {
        "ports of closed ones are used again".to_owned()
    } else {
        format!(
            "with --no-reuse about {} new ones a second, as closed ones hold their port for a minute",
            HumanCount(count / TIME_WAIT)
        )
    };
    Finding {
        check: "ports",
        level,
        found: format!("{} local ports, {} to {}{reuse}", HumanCount(count), found.low, found.high),
        means: format!("about {} connections to one address and port; {closed}", HumanCount(count)),
        fix: (level > Level::Ok)
            .then(|| "sudo sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\" net.ipv4.tcp_tw_reuse=1".to_owned()),
    }
}

fn conntrack(found: Conntrack, concurrency: u64) -> Finding {
    let free = found.most.saturating_sub(found.used);
    let level = if free < concurrency.saturating_mul(2) {
        Level::Problem
    } else if found.most < 65_536 {
        Level::Warning
    } else {
        Level::Ok
    };
    let per_second = HumanCount(found.most / TRACKED_AFTER);
    Finding {
        check: "conntrack",
        level,
        found: format!("{} of {} connections tracked", HumanCount(found.used), HumanCount(found.most)),
        means: format!(
            "over all programs about {per_second} new connections a second; beyond the table's end they time out"
        ),
        fix: (level > Level::Ok).then(|| {
            let wanted = found.most.saturating_mul(4).max(262_144);
            format!("sudo sysctl -w net.netfilter.nf_conntrack_max={wanted}")
        }),
    }
}

fn name_servers(facts: &MachineFacts) -> Vec<Finding> {
    let another = || Some("haul get --dns-server ADDR, or fix /etc/resolv.conf".to_owned());
    let servers = match &facts.name_servers {
        Ok(servers) if !servers.is_empty() => servers,
        none => {
            let why = none.as_ref().err().cloned().unwrap_or_else(|| "/etc/resolv.conf names none".to_owned());
            return vec![Finding {
                check: "name server",
                level: Level::Problem,
                found: format!("none: {why}"),
                means: "only addresses, localhost and names in /etc/hosts can be fetched".to_owned(),
                fix: another(),
            }];
        }
    };
    let works = |server: &NameServer| matches!(server.answer, Some(NameServerAnswer::After(_)));
    let any_works = servers.iter().any(works);
    let lookups = facts.descriptors.map_or(1, |found| found.budget.lookups as u64 * found.budget.shards as u64);
    let judged = servers.iter().map(|server| {
        let (level, found, means) = name_server(server, any_works, lookups);
        let fix = if level > Level::Ok { another() } else { None };
        Finding { check: "name server", level, found, means, fix }
    });
    judged.collect()
}

fn name_server(server: &NameServer, any_works: bool, lookups: u64) -> (Level, String, String) {
    let address = server.address;
    let stub = if address.ip().is_loopback() { " (on this machine: all look-ups go through it)" } else { "" };
    match &server.answer {
        None => (Level::Ok, format!("{address}{stub}, not asked"), "whether it answers is not known".to_owned()),
        Some(NameServerAnswer::NotNeeded(name)) => (
            Level::Ok,
            format!("{address}{stub}, not asked"),
            format!("'{name}' is known here without it; give another --name to ask for"),
        ),
        Some(NameServerAnswer::After(took)) => {
            let found = format!("{address}{stub} answered after {}", short(*took));
            let means = "a host's first request waits as long";
            if *took <= SLOW {
                return (Level::Ok, found, means.to_owned());
            }
            let per_second = u128::from(lookups) * 1_000_000_000 / took.as_nanos();
            let per_second = HumanCount(u64::try_from(per_second).unwrap_or(u64::MAX));
            (Level::Warning, found, format!("{means}, and a run gets to know at most {per_second} new hosts a second"))
        }
        Some(NameServerAnswer::None(what)) if any_works => (
            Level::Warning,
            what.clone(),
            format!("{address}{stub} is asked in turn with the others: its share of look-ups waits for a time-out"),
        ),
        Some(NameServerAnswer::None(what)) => {
            (Level::Problem, what.clone(), "names can't be looked up, so that their hosts fail in phase dns".to_owned())
        }
    }
}

fn clock(found: ClockReading) -> Finding {
    let written = SystemTime::UNIX_EPOCH + WRITTEN;
    let program = found.program.filter(|time| *time > written).unwrap_or(written);
    let (level, means) = if found.now < written {
        (Level::Problem, "earlier than this program was written: certificates will seem not yet valid")
    } else if found.now < program {
        (Level::Warning, "earlier than this program's file: certificates may seem not yet valid")
    } else if found.now > program + 10 * YEAR {
        (Level::Warning, "ten years after this program's file: if it is wrong, certificates will seem expired")
    } else {
        (Level::Ok, "plausible, as certificates need it")
    };
    Finding {
        check: "clock",
        level,
        found: humantime::format_rfc3339_seconds(found.now.max(SystemTime::UNIX_EPOCH)).to_string(),
        means: means.to_owned(),
        fix: (level > Level::Ok)
            .then(|| "sudo timedatectl set-ntp true   (or: sudo date -s '2026-01-31 12:00')".to_owned()),
    }
}

fn roots(found: TrustedRoots) -> Finding {
    let (level, found, means) = match found {
        TrustedRoots::Platform(count) if count < 20 => {
            (Level::Warning, format!("{count} of this system"), "most public sites will seem untrusted")
        }
        TrustedRoots::Platform(count) => (Level::Ok, format!("{count} of this system"), "public sites are trusted"),
        TrustedRoots::Bundled(count) => (
            Level::Ok,
            format!("none of this system; {count} bundled ones"),
            "public sites are trusted; a company's own authority needs --cacert FILE",
        ),
    };
    let fix =
        (level > Level::Ok).then(|| "sudo apt-get install ca-certificates   (or: haul get --cacert FILE)".to_owned());
    Finding { check: "roots", level, found, means: means.to_owned(), fix }
}

fn memory(found: Memory, facts: &MachineFacts) -> Finding {
    let limits = &facts.limits;
    let concurrency = u64::from(limits.concurrency.get());
    let needed = limits.window as u64 * PER_URL + concurrency * PER_REQUEST + limits.sink_backlog as u64;
    let free = found.group.map_or(found.available, |left| left.min(found.available));
    let level = if free < needed {
        Level::Problem
    } else if free < needed + limits.window_bytes {
        Level::Warning
    } else {
        Level::Ok
    };
    let group = if free < found.available { ", by a control group's limit" } else { "" };
    let large = match level {
        Level::Warning => format!(", and input lines with large bodies {} more", BinaryBytes(limits.window_bytes)),
        _ => ". Bodies kept (--body) come on top".to_owned(),
    };
    Finding {
        check: "memory",
        level,
        found: format!("{} free{group}", BinaryBytes(free)),
        means: format!(
            "a window full of {} URLs and {} requests take about {}{large}",
            HumanCount(limits.window as u64),
            HumanCount(concurrency),
            BinaryBytes(needed),
        ),
        fix: (level > Level::Ok)
            .then(|| format!("haul get --window {}", (free / 2 / PER_URL).clamp(1000, limits.window as u64 / 2))),
    }
}

fn cores(found: Cores) -> Finding {
    let starved = found.quota.filter(|quota| *quota < 1.0);
    let quota = found.quota.map(|quota| format!(", a control group allows {quota:.1}")).unwrap_or_default();
    Finding {
        check: "cores",
        level: if starved.is_some() { Level::Warning } else { Level::Ok },
        found: format!("{} usable{quota}", found.usable),
        means: match starved {
            Some(_) => "the run stands still for a part of each tenth of a second, which adds to every time measured"
                .to_owned(),
            None => format!("one shard on each, {} in all; each host is fetched by one of them", found.usable),
        },
        fix: starved.map(|_| "raise the control group's cpu.max (docker run --cpus 2)".to_owned()),
    }
}

fn temporary(found: &TemporaryDirectory) -> Finding {
    let place = if found.in_memory { " (in memory)" } else { "" };
    let path = found.path.display();
    let (level, state) = match &found.free {
        Ok(free) if *free >= 1 << 30 => (Level::Ok, format!("{} free in {path}{place}", BinaryBytes(*free))),
        Ok(free) => (Level::Warning, format!("only {} free in {path}{place}", BinaryBytes(*free))),
        Err(error) => (Level::Warning, format!("{path} can't be written to: {error}")),
    };
    Finding {
        check: "temporary",
        level,
        found: state,
        means: "with --order input, records over 64 MiB that wait for an earlier one go there".to_owned(),
        fix: (level > Level::Ok).then(|| "TMPDIR=/a/larger/disk haul get --order input …".to_owned()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use haul::config::Limits;
    use haul::engine::SocketBudget;

    use super::*;

    fn server(answer: Option<NameServerAnswer>) -> NameServer {
        NameServer { address: ([192, 0, 2, 53], 53).into(), answer }
    }

    fn descriptors_of(sockets: usize) -> Descriptors {
        Descriptors { soft: 1024, hard: 20_000, budget: SocketBudget { sockets, lookups: 256, shards: 2 } }
    }

    /// A machine on which nothing is wrong.
    pub(in crate::commands::doctor) fn healthy() -> MachineFacts {
        let now = SystemTime::UNIX_EPOCH + WRITTEN + YEAR;
        MachineFacts {
            limits: Limits::default(),
            descriptors: Some(descriptors_of(18_848)),
            ports: Some(Ports { low: 32_768, high: 60_999, reuse: Some(2) }),
            name_servers: Ok(vec![server(Some(NameServerAnswer::After(Duration::from_millis(4))))]),
            clock: ClockReading { now, program: Some(now - Duration::from_secs(5)) },
            roots: TrustedRoots::Platform(140),
            memory: Some(Memory { available: 8 << 30, group: None }),
            cores: Cores { usable: 2, quota: None },
            conntrack: Some(Conntrack { used: 12, most: 262_144 }),
            temporary: TemporaryDirectory { path: "/tmp".into(), free: Ok(9 << 30), in_memory: false },
        }
    }

    /// The findings of this check on a healthy machine after `change`.
    fn after(check: &str, change: impl FnOnce(&mut MachineFacts)) -> Vec<Finding> {
        let mut facts = healthy();
        change(&mut facts);
        judge(&facts).into_iter().filter(|finding| finding.check == check).collect()
    }

    /// That the only finding of this check has this level, these words, and advice if it is needed.
    fn check(check: &str, level: Level, words: &str, change: impl FnOnce(&mut MachineFacts)) {
        let findings = after(check, change);
        let [finding] = &*findings else { panic!("{findings:?}") };
        let text = format!("{} {}", finding.found, finding.means);
        assert!(finding.level == level && text.contains(words), "{finding:?}");
        assert_eq!(finding.fix.is_some(), level > Level::Ok, "{finding:?}");
    }

    #[test]
    fn a_healthy_machine_has_nothing_to_fix() {
        let findings = judge(&healthy());
        assert_eq!(findings.len(), 9);
        assert!(findings.iter().all(|finding| finding.level == Level::Ok && finding.fix.is_none()), "{findings:?}");
    }

    #[test]
    fn what_can_t_be_seen_is_left_out() {
        let mut facts = healthy();
        (facts.descriptors, facts.ports, facts.conntrack, facts.memory) = (None, None, None, None);
        let checks: Vec<_> = judge(&facts).iter().map(|finding| finding.check).collect();
        assert_eq!(checks, ["name server", "clock", "roots", "cores", "temporary"]);
    }

    #[test]
    fn descriptors_and_ports_are_judged_by_the_concurrency() {
        let sockets = |count| move |facts: &mut MachineFacts| facts.descriptors = Some(descriptors_of(count));
        check("descriptors", Level::Ok, "18,848 connections at once", |_| {});
        check("descriptors", Level::Ok, "1,024 connections", sockets(1024));
        check("descriptors", Level::Warning, "closed early", sockets(1023));
        check("descriptors", Level::Problem, "from 256 to 255", sockets(255));
        let range = |low, high, reuse| move |facts: &mut MachineFacts| facts.ports = Some(Ports { low, high, reuse });
        check("ports", Level::Ok, "about 28,232 connections to one address and port", |_| {});
        check("ports", Level::Ok, "about 470 new ones a second", |_| {});
        check("ports", Level::Ok, "used again", range(32_768, 60_999, Some(1)));
        check("ports", Level::Warning, "about 511 connections", range(1024, 1534, None));
        check("ports", Level::Ok, "about 512 connections", range(1024, 1535, None));
    }

    #[test]
    fn a_full_table_of_tracked_connections_is_a_problem() {
        let table = |used, most| move |facts: &mut MachineFacts| facts.conntrack = Some(Conntrack { used, most });
        check("conntrack", Level::Ok, "about 2,184 new connections a second", |_| {});
        check("conntrack", Level::Warning, "12 of 4,096", table(12, 4096));
        check("conntrack", Level::Problem, "65,025 of 65,536", table(65_025, 65_536));
    }

    #[test]
    fn name_servers_are_judged_one_by_one() {
        let answers = |answers: Vec<Option<NameServerAnswer>>| {
            move |facts: &mut MachineFacts| facts.name_servers = Ok(answers.into_iter().map(server).collect())
        };
        let silent = || Some(NameServerAnswer::None("no answer".to_owned()));
        let quick = || Some(NameServerAnswer::After(Duration::from_millis(1)));
        check("name server", Level::Ok, "answered after 1.00ms", answers(vec![quick()]));
        check(
            "name server",
            Level::Warning,
            "after 300ms",
            answers(vec![Some(NameServerAnswer::After(Duration::from_millis(300)))]),
        );
        check("name server", Level::Ok, "not asked", answers(vec![None]));
        check(
            "name server",
            Level::Ok,
            "give another --name",
            answers(vec![Some(NameServerAnswer::NotNeeded("x".into()))]),
        );
        check("name server", Level::Problem, "phase dns", answers(vec![silent()]));
        check("name server", Level::Problem, "names none", answers(vec![]));
        check("name server", Level::Problem, "none: gone", |facts| facts.name_servers = Err("gone".into()));
        let levels: Vec<_> = after("name server", answers(vec![quick(), silent()])).iter().map(|f| f.level).collect();
        assert_eq!(levels, [Level::Ok, Level::Warning]);
        check("name server", Level::Ok, "on this machine", |facts| {
            facts.name_servers = Ok(vec![NameServer { address: ([127, 0, 0, 53], 53).into(), answer: quick() }]);
        });
    }

    #[test]
    fn a_clock_that_can_t_be_right_is_told() {
        let program = SystemTime::UNIX_EPOCH + WRITTEN + YEAR;
        let at = |now, program| move |facts: &mut MachineFacts| facts.clock = ClockReading { now, program };
        let second = Duration::from_secs(1);
        check("clock", Level::Problem, "1970-01-01T00:00:00Z", at(SystemTime::UNIX_EPOCH, None));
        check("clock", Level::Problem, "1970-01-01", at(SystemTime::UNIX_EPOCH - second, None));
        check("clock", Level::Warning, "earlier than this program's file", at(program - second, Some(program)));
        check("clock", Level::Ok, "plausible", at(program, Some(program)));
        check("clock", Level::Ok, "plausible", at(program, Some(SystemTime::UNIX_EPOCH)));
        check("clock", Level::Ok, "plausible", at(program + 10 * YEAR, Some(program)));
        check("clock", Level::Warning, "seem expired", at(program + 10 * YEAR + second, Some(program)));
    }

    #[test]
    fn roots_memory_cores_and_disk() {
        check("roots", Level::Ok, "147 bundled", |facts| facts.roots = TrustedRoots::Bundled(147));
        check("roots", Level::Warning, "untrusted", |facts| facts.roots = TrustedRoots::Platform(3));
        let group = |left: u64| {
            move |facts: &mut MachineFacts| facts.memory = Some(Memory { available: 8 << 30, group: Some(left) })
        };
        check("memory", Level::Ok, "8.00 GiB free a window full of 1,000,000 URLs", group(1 << 63));
        check("memory", Level::Warning, "512.00 MiB free, by a control group's limit", group(512 << 20));
        check("memory", Level::Problem, "take about 217.05 MiB", group(100 << 20));
        assert_eq!(after("memory", group(100 << 20))[0].fix.as_deref(), Some("haul get --window 349525"));
        check("cores", Level::Warning, "allows 0.5", |facts| facts.cores.quota = Some(0.5));
        check("cores", Level::Ok, "allows 1.5", |facts| facts.cores.quota = Some(1.5));
        check("temporary", Level::Warning, "only 1.00 MiB free in /tmp", |facts| facts.temporary.free = Ok(1 << 20));
        check("temporary", Level::Warning, "can't be written to: no", |facts| facts.temporary.free = Err("no".into()));
        check("temporary", Level::Ok, "in memory", |facts| facts.temporary.in_memory = true);
    }
}

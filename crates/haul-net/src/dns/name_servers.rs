//! The state of the name servers: whether each answers, and whether it understands EDNS. Pure.
//!
//! The order is the file's, as glibc keeps it, because servers may know different names. One that is silent while it is
//! asked goes to the end for a while, so that not every name waits for it; then one look-up finds out whether it is back.

use std::net::SocketAddr;
use std::time::Duration;

use haul_core::model::Time;

/// How long a silent server is asked last.
const AVOIDED: Duration = Duration::from_secs(30);
/// How soon a question may be sent again at the earliest.
const LEAST_WAIT: Duration = Duration::from_millis(200);
/// The others' time while one look-up finds out whether it is back.
const PROBED: Duration = Duration::from_secs(2);

/// Whether a server understands EDNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EdnsSupport {
    Unknown,
    Spoken,
    /// It refused it, or was silent to it and answered without.
    Not,
}

#[derive(Debug)]
struct NameServerState {
    address: SocketAddr,
    heard: Option<Time>,
    /// How long its answers take, smoothed, and how far they are from that.
    usual: Option<(Duration, Duration)>,
    avoided_until: Time,
    edns: EdnsSupport,
}

/// The servers of a configuration.
#[derive(Debug)]
pub(super) struct NameServers {
    all: Vec<NameServerState>,
    rotate: bool,
    turn: usize,
}

impl NameServers {
    pub(super) fn new(addresses: Vec<SocketAddr>, rotate: bool) -> Self {
        let server = |address| NameServerState {
            address,
            heard: None,
            usual: None,
            avoided_until: Time::ZERO,
            edns: EdnsSupport::Unknown,
        };
        Self { all: addresses.into_iter().map(server).collect(), rotate, turn: 0 }
    }

    pub(super) fn address(&self, server: usize) -> SocketAddr {
        self.all[server].address
    }

    /// The order for one question.
    pub(super) fn order(&mut self, now: Time) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        if self.rotate {
            order.rotate_left(self.turn % self.all.len().max(1));
            self.turn = self.turn.wrapping_add(1);
        }
        order.sort_by_key(|server| self.all[*server].avoided_until > now);
        if let Some(first) = order.first().map(|first| &mut self.all[*first])
            && first.avoided_until > Time::ZERO
            && first.avoided_until <= now
        {
            first.avoided_until = now + PROBED;
        }
        order
    }

    /// Whether to ask it with EDNS. `repeated`: it was silent to this question before.
    pub(super) fn edns(&self, server: usize, repeated: bool) -> bool {
        match self.all[server].edns {
            EdnsSupport::Spoken => true,
            EdnsSupport::Unknown => !repeated,
            EdnsSupport::Not => false,
        }
    }

    /// How long after a question its answer is overdue, so that one of the two was lost (RFC 6298's time-out); `None` before
    /// anything is known.
    pub(super) fn overdue_after(&self, server: usize) -> Option<Duration> {
        let (smooth, off) = self.all[server].usual?;
        Some((smooth + off * 4).max(LEAST_WAIT))
    }

    /// It has answered; `edns` says whether with EDNS, `took` how long it took, if the question was sent only once.
    pub(super) fn heard(&mut self, server: usize, edns: bool, took: Option<Duration>, now: Time) {
        let server = &mut self.all[server];
        if let Some(took) = took {
            server.usual = Some(match server.usual {
                None => (took, took / 2),
                Some((smooth, off)) => (smooth * 7 / 8 + took / 8, off * 3 / 4 + smooth.abs_diff(took) / 4),
            });
        }
        (server.heard, server.avoided_until) = (Some(now), Time::ZERO);
        if edns {
            server.edns = EdnsSupport::Spoken;
        }
    }

    /// It understands no EDNS.
    pub(super) fn no_edns(&mut self, server: usize) {
        if self.all[server].edns == EdnsSupport::Unknown {
            self.all[server].edns = EdnsSupport::Not;
        }
    }

    /// It has not answered a question asked at `asked`, nor any other since.
    pub(super) fn silent(&mut self, server: usize, asked: Time, now: Time) {
        let server = &mut self.all[server];
        if server.heard.is_none_or(|heard| heard < asked) {
            server.avoided_until = now + AVOIDED;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Time {
        Time::from_millis(secs * 1000)
    }

    fn servers(rotate: bool) -> NameServers {
        NameServers::new((1..=3).map(|port| ([127, 0, 0, 1], port).into()).collect(), rotate)
    }

    #[test]
    fn the_order_is_the_file_s_or_turns() {
        let mut fixed = servers(false);
        assert_eq!([fixed.order(at(0)), fixed.order(at(0))], [[0, 1, 2], [0, 1, 2]]);
        let mut turns = servers(true);
        assert_eq!([turns.order(at(0)), turns.order(at(0)), turns.order(at(0))], [[0, 1, 2], [1, 2, 0], [2, 0, 1]]);
        assert!(NameServers::new(Vec::new(), true).order(at(0)).is_empty());
    }

    #[test]
    fn a_silent_server_goes_last_until_one_look_up_finds_it_back() {
        let mut servers = servers(false);
        servers.silent(0, at(1), at(2));
        assert_eq!(servers.order(at(3)), [1, 2, 0]);
        assert_eq!(servers.order(at(31)), [1, 2, 0]);
        assert_eq!(servers.order(at(32)), [0, 1, 2], "one asks it");
        assert_eq!(servers.order(at(32)), [1, 2, 0], "the others don't wait for that");
        servers.heard(0, false, None, at(33));
        assert_eq!(servers.order(at(33)), [0, 1, 2]);
    }

    #[test]
    fn a_lost_packet_is_no_silence() {
        let mut servers = servers(false);
        servers.heard(0, true, None, at(2));
        servers.silent(0, at(1), at(3));
        assert_eq!(servers.order(at(3)), [0, 1, 2]);
        servers.silent(0, at(3), at(4));
        assert_eq!(servers.order(at(4)), [1, 2, 0]);
    }

    #[test]
    fn edns_is_left_out_for_who_does_not_know_it() {
        let mut servers = servers(false);
        assert!(servers.edns(0, false) && !servers.edns(0, true));
        servers.no_edns(0);
        assert!(!servers.edns(0, false));
        servers.heard(1, true, None, at(0));
        servers.no_edns(1);
        assert!(servers.edns(1, false) && servers.edns(1, true), "it has spoken it");
    }

    #[test]
    fn an_answer_is_overdue_by_what_is_usual() {
        let mut servers = servers(false);
        let mut heard = |millis: u64| {
            servers.heard(0, false, Some(Duration::from_millis(millis)), at(0));
            servers.overdue_after(0).unwrap().as_millis()
        };
        assert_eq!(heard(2), 200, "at the least");
        assert_eq!(heard(2000), 2252, "2000 ms once among answers of 2 ms");
        let later = (0..50).map(|_| heard(400)).last().unwrap();
        assert!((400..450).contains(&later), "{later}");
        assert_eq!(servers.overdue_after(1), None);
    }
}

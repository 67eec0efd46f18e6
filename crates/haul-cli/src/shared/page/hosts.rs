//! What became of each host's requests: a bounded number of hosts, the others together. Pure.
//!
//! Invariant: the rows and the others together are all requests. When there are too many hosts, the half with the fewest
//! requests is folded into the others; a host that comes back begins anew, so a row may lack what was folded before.

use std::cmp::Reverse;
use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::series::RequestSpan;

/// Hosts told apart at the most, about 250 bytes each.
const MOST: usize = 2048;

/// What became of a host's requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HostRow {
    pub(super) requests: u64,
    pub(super) failed: u64,
    /// Attempts beyond each request's first: retries and redirects.
    pub(super) again: u64,
    /// Last attempts that came over a connection that had served before.
    pub(super) reused: u64,
    pub(super) wire_bytes: u64,
    /// Nanoseconds of all last attempts, and of the longest.
    pub(super) total: u64,
    pub(super) longest: u64,
}

impl HostRow {
    pub(super) fn of(request: &RequestSpan, attempts: u32, reused: bool) -> Self {
        let total = super::series::nanoseconds(request.end.since(request.start));
        Self {
            requests: 1,
            failed: u64::from(request.failed),
            again: u64::from(attempts.saturating_sub(1)),
            reused: u64::from(reused),
            wire_bytes: request.wire_bytes,
            total,
            longest: total,
        }
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.again += other.again;
        self.reused += other.reused;
        self.wire_bytes += other.wire_bytes;
        self.total = self.total.saturating_add(other.total);
        self.longest = self.longest.max(other.longest);
    }

    /// Nanoseconds of the mean attempt.
    pub(super) const fn mean(&self) -> u64 {
        match self.requests {
            0 => 0,
            requests => self.total / requests,
        }
    }
}

/// Rows by origin.
#[derive(Debug, Default)]
pub(super) struct HostTable {
    rows: HashMap<Box<str>, HostRow, FixedState>,
    /// Those that are not told apart any more.
    pub(super) others: HostRow,
}

impl HostTable {
    pub(super) fn add(&mut self, origin: &str, request: &HostRow) {
        if let Some(row) = self.rows.get_mut(origin) {
            row.add(request);
            return;
        }
        if self.rows.len() == MOST {
            self.fold();
        }
        self.rows.insert(origin.into(), *request);
    }

    fn fold(&mut self) {
        let mut rows: Vec<(Box<str>, HostRow)> = self.rows.drain().collect();
        rows.select_nth_unstable_by_key(MOST / 2, |(_, row)| Reverse(row.requests));
        for (_, row) in rows.drain(MOST / 2..) {
            self.others.add(&row);
        }
        self.rows.extend(rows);
    }

    /// Whether all requests were of one host.
    pub(super) fn is_one(&self) -> bool {
        self.rows.len() == 1 && self.others.requests == 0
    }

    /// The `most` with the most requests, and all others together.
    pub(super) fn top(&self, most: usize) -> (Vec<(&str, HostRow)>, HostRow) {
        let mut rows: Vec<(&str, HostRow)> = self.rows.iter().map(|(origin, row)| (&**origin, *row)).collect();
        rows.sort_unstable_by_key(|(origin, row)| (Reverse(row.requests), *origin));
        let mut others = self.others;
        for (_, row) in rows.drain(most.min(rows.len())..) {
            others.add(&row);
        }
        (rows, others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: HostRow = HostRow { requests: 1, failed: 0, again: 1, reused: 1, wire_bytes: 10, total: 5, longest: 5 };

    #[test]
    fn big_hosts_stay_and_nothing_is_lost() {
        let mut hosts = HostTable::default();
        for n in 0..3 * MOST {
            hosts.add("http://big.test", &ONE);
            hosts.add(&format!("http://{n}.test"), &ONE);
        }
        assert!(hosts.rows.len() <= MOST);
        let (rows, others) = hosts.top(3);
        assert_eq!((rows.len(), rows[0].0, rows[0].1.requests), (3, "http://big.test", 3 * MOST as u64));
        assert_eq!(rows.iter().map(|(_, row)| row.requests).sum::<u64>() + others.requests, 6 * MOST as u64);
        assert_eq!((others.longest, others.mean()), (5, 5));
    }

    #[test]
    fn the_order_is_by_requests_then_name() {
        let mut hosts = HostTable::default();
        for origin in ["http://b.test", "http://c.test", "http://a.test", "http://c.test"] {
            hosts.add(origin, &ONE);
        }
        let (rows, others) = hosts.top(10);
        assert_eq!(
            rows.iter().map(|(origin, _)| *origin).collect::<Vec<_>>(),
            ["http://c.test", "http://a.test", "http://b.test"]
        );
        assert_eq!(others, HostRow::default());
    }
}

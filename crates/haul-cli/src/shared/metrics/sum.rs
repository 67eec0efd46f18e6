//! The counts of runs that follow each other. Pure.

use haul::engine::Snapshot;

/// The run that is `now`, its counters beginning where those of the runs `before` it ended. What is not a counter is its own.
pub(super) fn after(before: &Snapshot, now: Snapshot) -> Snapshot {
    let mut status = now.status;
    status.iter_mut().zip(before.status).for_each(|(count, before)| *count += before);
    Snapshot {
        accepted: before.accepted + now.accepted,
        rejected: before.rejected + now.rejected,
        succeeded: before.succeeded + now.succeeded,
        failed: before.failed + now.failed,
        cancelled: before.cancelled + now.cancelled,
        connections_opened: before.connections_opened + now.connections_opened,
        connections_reused: before.connections_reused + now.connections_reused,
        retries: before.retries + now.retries,
        redirects: before.redirects + now.redirects,
        wire_bytes: before.wire_bytes + now.wire_bytes,
        body_bytes: before.body_bytes + now.body_bytes,
        status,
        queued: now.queued,
        in_flight: now.in_flight,
        hosts: now.hosts,
        elapsed: now.elapsed,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn counters_add_up_and_gauges_are_those_of_now() {
        let run = Snapshot {
            accepted: 10,
            succeeded: 7,
            wire_bytes: 100,
            status: [0, 0, 5, 0, 2, 0],
            queued: 3,
            in_flight: 2,
            elapsed: Duration::from_secs(4),
            ..Snapshot::default()
        };
        let both = after(&run, run);
        assert_eq!((both.accepted, both.succeeded, both.wire_bytes), (20, 14, 200));
        assert_eq!(both.status, [0, 0, 10, 0, 4, 0]);
        assert_eq!((both.queued, both.in_flight, both.elapsed), (3, 2, run.elapsed));
    }
}

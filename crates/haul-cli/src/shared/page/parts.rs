//! What the time of a request went into. Pure.

use std::time::Duration;

use haul::model::Timings;

use super::series::nanoseconds;

/// One part of a request's time, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// From the reading of its line until its last attempt was dispatched; earlier attempts are in it.
    Wait,
    Dns,
    Connect,
    Tls,
    /// What no other part explains: waiting for a connection that another request opens, or the part that failed.
    Other,
    FirstByte,
    Body,
}

impl Part {
    pub(super) const ALL: [Self; 7] =
        [Self::Wait, Self::Dns, Self::Connect, Self::Tls, Self::Other, Self::FirstByte, Self::Body];
    /// Those of an attempt: all but the wait before it.
    pub(super) const OF_ATTEMPT: [Self; 6] =
        [Self::Dns, Self::Connect, Self::Tls, Self::Other, Self::FirstByte, Self::Body];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Wait => "waiting",
            Self::Dns => "name",
            Self::Connect => "connect",
            Self::Tls => "TLS",
            Self::Other => "other",
            Self::FirstByte => "first byte",
            Self::Body => "body",
        }
    }
}

/// Nanoseconds of each part; of one request, or added up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts([u64; Part::ALL.len()]);

impl Parts {
    pub(super) fn of(timings: &Timings) -> Self {
        let Timings { queued, backed_off: _, dns, connect, tls, first_byte, body, total } = *timings;
        let known = [dns, connect, tls, first_byte, body].into_iter().flatten().sum();
        let other = total.saturating_sub(known);
        let or_none = |time: Option<Duration>| nanoseconds(time.unwrap_or_default());
        Self([
            nanoseconds(queued),
            or_none(dns),
            or_none(connect),
            or_none(tls),
            nanoseconds(other),
            or_none(first_byte),
            or_none(body),
        ])
    }

    pub(super) const fn get(&self, part: Part) -> u64 {
        self.0[part as usize]
    }

    /// All but the wait.
    pub(super) fn attempt(&self) -> u64 {
        Part::OF_ATTEMPT.iter().fold(0, |sum, part| sum.saturating_add(self.get(*part)))
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_explained_is_other() {
        let ms = Duration::from_millis;
        let timings = Timings {
            queued: ms(7),
            connect: Some(ms(1)),
            first_byte: Some(ms(2)),
            body: Some(ms(3)),
            total: ms(10),
            ..Timings::default()
        };
        let parts = Parts::of(&timings);
        let millis = Part::ALL.map(|part| parts.get(part) / 1_000_000);
        assert_eq!(millis, [7, 0, 1, 0, 4, 2, 3]);
        let rounded_up = Parts::of(&Timings { total: ms(5), ..timings });
        assert_eq!(rounded_up.get(Part::Other), 0);
    }
}

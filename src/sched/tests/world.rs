//! Scripted hosts: how long they take and what they answer.

use std::time::Duration;

use crate::model::{FailureKind, Time};
use crate::sched::{HostRules, Verdict};

/// How long an attempt takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Latency {
    Fixed(Duration),
    /// Evenly between the two.
    Between(Duration, Duration),
    /// Mostly the first; one in ten takes twenty times as long.
    HeavyTail(Duration),
}

impl Latency {
    pub(super) fn draw(self, rng: &mut fastrand::Rng) -> Duration {
        match self {
            Self::Fixed(latency) => latency,
            Self::Between(least, most) => {
                Duration::from_nanos(rng.u64(least.as_nanos() as u64..=most.as_nanos() as u64))
            }
            Self::HeavyTail(latency) => latency * if rng.u8(..10) == 0 { 20 } else { 1 },
        }
    }
}

/// What a host answers.
#[derive(Clone, Debug)]
pub(super) enum Mood {
    /// Every time a good response.
    Fine,
    /// One in so many attempts ends in one of these.
    Flaky(u32, Vec<Verdict>),
    /// All attempts begun in this span end like this, the others well.
    Outage(Time, Time, Verdict),
    /// More than so many at once are pushed back.
    Strict(u32, Option<Duration>),
    /// One in so many kept-alive connections turns out to be closed.
    Stale(u32),
    /// One in so many attempts can't be sent for lack of descriptors.
    Starved(u32),
    /// Every attempt is redirected to this host.
    Moved(usize),
}

/// How the host's name behaves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name {
    Known,
    /// The first so many look-ups fail.
    FailsFirst(u32, FailureKind),
    FailsAlways(FailureKind),
}

/// What its connections turn out to carry once the first attempt has ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Protocol {
    Http1,
    Http2(u32),
}

#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) rules: HostRules,
    pub(super) latency: Latency,
    pub(super) mood: Mood,
    pub(super) name: Name,
    pub(super) protocol: Protocol,
    /// The last number of its address.
    pub(super) address: u8,
}

/// What an attempt brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Verdict(Verdict),
    /// A kept-alive connection was closed under the request.
    Stale,
    /// It was not even sent.
    Unsent,
    /// A response that sends the job to another host.
    Redirect(usize),
}

impl Script {
    /// The answer to an attempt begun now while `flying` are in flight, this one included.
    pub(super) fn answer(&self, flying: u32, now: Time, rng: &mut fastrand::Rng) -> Answer {
        const FINE: Answer = Answer::Verdict(Verdict::Fine);
        match &self.mood {
            Mood::Fine => FINE,
            Mood::Flaky(one_in, verdicts) if rng.u32(..*one_in) == 0 => {
                Answer::Verdict(verdicts[rng.usize(..verdicts.len())])
            }
            Mood::Outage(from, to, verdict) if (*from..*to).contains(&now) => Answer::Verdict(*verdict),
            Mood::Strict(most, pause) if flying > *most => Answer::Verdict(Verdict::PushedBack(*pause)),
            Mood::Stale(one_in) if rng.u32(..*one_in) == 0 => Answer::Stale,
            Mood::Starved(one_in) if rng.u32(..*one_in) == 0 => Answer::Unsent,
            Mood::Moved(to) => Answer::Redirect(*to),
            _ => FINE,
        }
    }
}

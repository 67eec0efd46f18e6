//! Scripted hosts: how long they take and what they answer.

use std::time::Duration;

use crate::model::{FailureKind, Time};
use crate::sched::{Gates, HostRules, Verdict};

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
    pub(super) fn longest(self) -> Duration {
        match self {
            Self::Fixed(latency) | Self::Between(_, latency) => latency,
            Self::HeavyTail(latency) => latency * 20,
        }
    }

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
    /// The same, but a part of the response has been handed over: the job is done all the same.
    Shown(u32, Vec<Verdict>),
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
    /// The last number of its address; `None`: a name that needs none.
    pub(super) address: Option<u8>,
    /// Which group it is in.
    pub(super) group: Option<usize>,
}

/// What an attempt brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Verdict(Verdict),
    /// The same, and nothing can be tried again.
    Shown(Verdict),
    /// A kept-alive connection was closed under the request.
    Stale,
    /// It was not even sent.
    Unsent,
    /// A response that sends the job to another host.
    Redirect(usize),
}

impl Script {
    /// A host without any peculiarity, under `rules`.
    pub(super) fn plain(rules: &HostRules) -> Self {
        Self {
            rules: HostRules { gates: Gates::NONE, ..rules.clone() },
            latency: Latency::Fixed(Duration::ZERO),
            mood: Mood::Fine,
            name: Name::Known,
            protocol: Protocol::Http1,
            address: Some(0),
            group: None,
        }
    }

    /// The answer to an attempt begun now while `flying` are in flight, this one included. `rng` is that attempt's own:
    /// what a job meets does not depend on what others do, but for outages and strict hosts.
    pub(super) fn answer(&self, flying: u32, now: Time, rng: &mut fastrand::Rng) -> Answer {
        const FINE: Answer = Answer::Verdict(Verdict::Fine);
        match &self.mood {
            Mood::Fine => FINE,
            Mood::Flaky(one_in, verdicts) if rng.u32(..*one_in) == 0 => Answer::Verdict(one_of(verdicts, rng)),
            Mood::Shown(one_in, verdicts) if rng.u32(..*one_in) == 0 => Answer::Shown(one_of(verdicts, rng)),
            Mood::Outage(from, to, verdict) if (*from..*to).contains(&now) => Answer::Verdict(*verdict),
            Mood::Strict(most, pause) if flying > *most => Answer::Verdict(Verdict::PushedBack(*pause)),
            Mood::Stale(one_in) if rng.u32(..*one_in) == 0 => Answer::Stale,
            Mood::Starved(one_in) if rng.u32(..*one_in) == 0 => Answer::Unsent,
            Mood::Moved(to) => Answer::Redirect(*to),
            _ => FINE,
        }
    }

    /// Every answer that the attempt may get, whenever it is made and whatever else is in flight.
    pub(super) fn may_answer(&self, rng: &mut fastrand::Rng) -> Vec<Answer> {
        const FINE: Answer = Answer::Verdict(Verdict::Fine);
        match &self.mood {
            Mood::Outage(_, _, verdict) => vec![FINE, Answer::Verdict(*verdict)],
            Mood::Strict(_, pause) => vec![FINE, Answer::Verdict(Verdict::PushedBack(*pause))],
            _ => vec![self.answer(0, Time::ZERO, rng)],
        }
    }

    /// Every verdict that it may ever bring, good ones aside.
    pub(super) fn bad_verdicts(&self) -> Vec<Verdict> {
        match &self.mood {
            Mood::Flaky(_, verdicts) | Mood::Shown(_, verdicts) => verdicts.clone(),
            Mood::Outage(_, _, verdict) => vec![*verdict],
            Mood::Strict(_, pause) => vec![Verdict::PushedBack(*pause)],
            Mood::Stale(_) => vec![Verdict::Failed(FailureKind::Closed)],
            Mood::Fine | Mood::Starved(_) | Mood::Moved(_) => vec![],
        }
    }
}

fn one_of(verdicts: &[Verdict], rng: &mut fastrand::Rng) -> Verdict {
    verdicts[rng.usize(..verdicts.len())]
}

/// The dice of the `nth` of something of `whose`: its own, so that leaving out one thing changes no other.
pub(super) fn dice(seed: u64, whose: u64, nth: u64) -> fastrand::Rng {
    let mut rng = fastrand::Rng::with_seed(seed ^ whose.rotate_left(24) ^ nth.rotate_left(48));
    // Neighbouring seeds begin alike.
    fastrand::Rng::with_seed(rng.u64(..) ^ rng.u64(..).rotate_left(32))
}

//! Values as words of a line of text and back, so that a plan can be saved, read by people, and cut down line by line.

use std::num::NonZeroU32;
use std::str::{FromStr, SplitWhitespace};
use std::time::Duration;

use crate::config::{Rate, RetrySettings};
use crate::model::{FailureKind, Time};
use crate::sched::{Capacity, Gate, Gates, HostLimits, HostRules, SchedulerSettings, Verdict};

use super::ops::Disturbance;
use super::world::{Latency, Mood, Name, Protocol, Script};

/// A value that is one word or a few.
pub(super) trait Words: Sized {
    fn tell(&self) -> String;
    fn read(words: &mut SplitWhitespace<'_>) -> Option<Self>;
}

/// A value whose parts have names and plain values, so that only those that differ from the plain need to be told.
pub(super) trait Parts {
    /// Each part that differs from that of `plain`: its name and its value.
    fn told(&self, plain: &Self) -> Vec<String>;
    /// Sets a part by its name and value.
    fn set(&mut self, name: &str, words: &mut SplitWhitespace<'_>) -> Option<()>;
}

fn parsed<T: FromStr>(words: &mut SplitWhitespace<'_>) -> Option<T> {
    words.next()?.parse().ok()
}

macro_rules! one_word {
    ($($type:ty),*) => {$(
        impl Words for $type {
            fn tell(&self) -> String {
                self.to_string()
            }
            fn read(words: &mut SplitWhitespace<'_>) -> Option<Self> {
                parsed(words)
            }
        }
    )*};
}

/// As the number of requests that it stands for.
impl Words for Capacity {
    fn tell(&self) -> String {
        self.most().tell()
    }
    fn read(words: &mut SplitWhitespace<'_>) -> Option<Self> {
        Some(match parsed(words)? {
            1 => Self::Unknown,
            u32::MAX => Self::OneEach,
            streams => Self::Streams(NonZeroU32::new(streams)?),
        })
    }
}

one_word!(bool, u8, u32, u64, usize, f64, NonZeroU32);

/// A choice, told by its name and its fields in order.
macro_rules! choice {
    ($type:ty { $($name:ident { $($index:tt: $field:ident),* })* }) => {
        impl Words for $type {
            fn tell(&self) -> String {
                match self {
                    $(Self::$name { $($index: $field),* } => {
                        [stringify!($name).to_owned(), $($field.tell()),*].join(" ")
                    })*
                }
            }
            fn read(words: &mut SplitWhitespace<'_>) -> Option<Self> {
                match words.next()? {
                    $(stringify!($name) => Some(Self::$name { $($index: Words::read(words)?),* }),)*
                    _ => None,
                }
            }
        }
    };
}

choice!(Latency { Fixed { 0: latency } Between { 0: least, 1: most } HeavyTail { 0: latency } });
choice!(Mood {
    Fine {}
    Flaky { 0: one_in, 1: verdicts }
    Shown { 0: one_in, 1: verdicts }
    Outage { 0: from, 1: to, 2: verdict }
    Strict { 0: most, 1: pause }
    Stale { 0: one_in }
    Starved { 0: one_in }
    Moved { 0: to }
});
choice!(Name { Known {} FailsFirst { 0: count, 1: kind } FailsAlways { 0: kind } });
choice!(Protocol { Http1 {} Http2 { 0: streams } });
choice!(Verdict { Fine {} Troubled { 0: pause } PushedBack { 0: pause } Failed { 0: kind } Stalled { 0: kind } });
choice!(Disturbance {
    Arrive { 0: host, 1: key }
    Capacity { 0: host, 1: slots }
    Address { 0: host, 1: address }
    Limits { 0: host, 1: limits }
    Concurrency { 0: limit }
    Drought { 0: span }
    NotBefore { 0: span }
    Shut { 0: span }
    Pause { 0: span }
    Stop {}
});

macro_rules! parts {
    ($type:ty { $($field:ident),* }) => {
        impl Parts for $type {
            fn told(&self, plain: &Self) -> Vec<String> {
                let parts = [$((stringify!($field), self.$field.tell(), plain.$field.tell())),*];
                let told = parts.into_iter().filter(|(_, value, plain)| value != plain);
                told.map(|(name, value, _)| format!("{name} {value}")).collect()
            }
            fn set(&mut self, name: &str, words: &mut SplitWhitespace<'_>) -> Option<()> {
                match name {
                    $(stringify!($field) => self.$field = Words::read(words)?,)*
                    _ => return None,
                }
                Some(())
            }
        }
    };
}

parts!(SchedulerSettings { concurrency, places, interval, adaptive });
parts!(RetrySettings {
    retries,
    unsafe_methods,
    backoff_base,
    backoff_max,
    retry_after_max,
    budget_ratio,
    budget_floor,
    dead_after,
    dead_for,
    outage,
    host_memory,
    max_idle_hosts
});
parts!(HostRules { concurrency, delay, rate, per_address, gates, capacity });
parts!(Script { latency, mood, name, protocol, address, group });

impl Words for HostLimits {
    fn tell(&self) -> String {
        [self.concurrency.tell(), self.delay.tell(), self.rate.tell()].join(" ")
    }
    fn read(words: &mut SplitWhitespace<'_>) -> Option<Self> {
        Some(Self { concurrency: Words::read(words)?, delay: Words::read(words)?, rate: Words::read(words)? })
    }
}

impl<T: Words> Words for Option<T> {
    fn tell(&self) -> String {
        self.as_ref().map_or_else(|| "none".into(), |value| format!("some {}", value.tell()))
    }
    fn read(words: &mut SplitWhitespace<'_>) -> Option<Self> {
        match words.next()? {
            "none" => Some(None),
            "some" => T::read(words).map(Some),
            _ => None,
        }
    }
}

/// Their number, then each.
impl<T: Words> Words for Vec<T> {
    fn tell(&self) -> String {
        std::iter::once(self.len().tell()).chain(self.iter().map(Words::tell)).collect::<Vec<_>>().join(" ")
    }
    fn read(words: &mut SplitWhitespace<'_>) -> Option<Self> {
        (0..parsed(words)?).map(|_| T::read(words)).collect()
    }
}

impl Words for FailureKind {
    fn tell(&self) -> String {
        self.name().into()
    }
    fn read(words: &mut SplitWhitespace<'_>) -> Option<Self> {
        let name = words.next()?;
        Self::ALL.iter().find(|kind| kind.name() == name).copied()
    }
}

/// Their names, with a plus between them.
impl Words for Gates {
    fn tell(&self) -> String {
        let names: Vec<_> = Gate::ALL.iter().filter(|gate| self.has(**gate)).map(|gate| format!("{gate:?}")).collect();
        if names.is_empty() { "none".to_owned() } else { names.join("+") }
    }
    fn read(words: &mut SplitWhitespace<'_>) -> Option<Self> {
        let word = words.next()?;
        let gate = |name: &str| Gate::ALL.into_iter().find(|gate| format!("{gate:?}") == name);
        let names = word.split('+').filter(|_| word != "none");
        names.map(gate).try_fold(Self::NONE, |gates, gate| gate.map(|gate| gates.with(gate)))
    }
}

impl Words for Rate {
    fn tell(&self) -> String {
        self.per_second().tell()
    }
    fn read(words: &mut SplitWhitespace<'_>) -> Option<Self> {
        Self::new(parsed(words)?)
    }
}

/// Whole milliseconds, or nanoseconds where those don't do.
impl Words for Duration {
    fn tell(&self) -> String {
        let nanos = self.as_nanos();
        if nanos.is_multiple_of(1_000_000) { format!("{}ms", nanos / 1_000_000) } else { format!("{nanos}ns") }
    }
    fn read(words: &mut SplitWhitespace<'_>) -> Option<Self> {
        let word = words.next()?;
        let (number, unit) = match word.strip_suffix("ms") {
            Some(number) => (number, 1_000_000),
            None => (word.strip_suffix("ns")?, 1),
        };
        let nanos = number.parse::<u128>().ok()?.checked_mul(unit)?;
        let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
        Some(Self::new(seconds, u32::try_from(nanos % 1_000_000_000).ok()?))
    }
}

impl Words for Time {
    fn tell(&self) -> String {
        self.since(Self::ZERO).tell()
    }
    fn read(words: &mut SplitWhitespace<'_>) -> Option<Self> {
        Duration::read(words).map(|since| Self::ZERO + since)
    }
}

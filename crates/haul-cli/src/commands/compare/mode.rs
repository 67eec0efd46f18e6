//! The ways of fetching a list that are compared, and the settings that make the one engine fetch in each of them. Pure.

use std::num::NonZeroU32;

use clap::ValueEnum;
use haul::config::{Config, Limits, PoolSettings};

use crate::shared::experiment::never_again;

/// A way of fetching a list of URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(super) enum Mode {
    /// One by one, a new connection each.
    Serial,
    /// One by one, connections kept.
    SerialReuse,
    /// Threads that each fetch one by one from a common list, a new connection each.
    Threads,
    /// The same, each thread keeping its connections.
    ThreadsReuse,
    /// All at once, results in the order of the list.
    Gather,
    /// The same, never more than a limit at once.
    Limited,
    /// So many at once, and the next ones when all of these have ended.
    Batches,
    /// haul's scheduler with its own limits.
    Pooled,
    /// All at once over one HTTP/2 connection per host.
    H2,
}

/// The numbers in the modes' definitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Knobs {
    /// Threads of the thread modes.
    pub(super) workers: NonZeroU32,
    /// Requests at once in `limited`.
    pub(super) limit: NonZeroU32,
    /// Requests in a batch.
    pub(super) batch: NonZeroU32,
}

/// In which order a mode gives its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResultOrder {
    /// As they complete.
    Completion,
    /// As their URLs stand in the list.
    List,
}

impl Mode {
    /// All of them, slowest first where the network is what takes time.
    pub(super) const ALL: [Self; 9] = [
        Self::Serial,
        Self::SerialReuse,
        Self::Threads,
        Self::ThreadsReuse,
        Self::Gather,
        Self::Limited,
        Self::Batches,
        Self::Pooled,
        Self::H2,
    ];

    /// What it is called, on the command line too.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::SerialReuse => "serial-reuse",
            Self::Threads => "threads",
            Self::ThreadsReuse => "threads-reuse",
            Self::Gather => "gather",
            Self::Limited => "limited",
            Self::Batches => "batches",
            Self::Pooled => "pooled",
            Self::H2 => "h2",
        }
    }

    /// What it does, in a few words.
    pub(super) fn about(self, knobs: Knobs) -> String {
        let Knobs { workers, limit, batch } = knobs;
        match self {
            Self::Serial => "one by one, a new connection each".to_owned(),
            Self::SerialReuse => "one by one, connections kept".to_owned(),
            Self::Threads => format!("{workers} threads, a new connection each"),
            Self::ThreadsReuse => format!("{workers} threads that keep their connections"),
            Self::Gather => "all at once, results in order".to_owned(),
            Self::Limited => format!("at most {limit} at once, results in order"),
            Self::Batches => format!("batches of {batch}, each waited for"),
            Self::Pooled => "haul's scheduler, its own limits".to_owned(),
            Self::H2 => "all at once, one HTTP/2 connection per host".to_owned(),
        }
    }

    /// Whether connections are used again.
    const fn reuses(self) -> bool {
        !matches!(self, Self::Serial | Self::Threads)
    }

    /// The order of its results.
    pub(super) const fn order(self) -> ResultOrder {
        match self {
            Self::Gather | Self::Limited | Self::Batches => ResultOrder::List,
            _ => ResultOrder::Completion,
        }
    }

    /// The engines that share the list, each with a thread of its own.
    pub(super) const fn engines(self, knobs: Knobs) -> u32 {
        match self {
            Self::Threads | Self::ThreadsReuse => knobs.workers.get(),
            _ => 1,
        }
    }

    /// How many URLs each of its engines is given before it has to be done with all of them; `None`: the whole list, of which
    /// the settings say how much is under way at once.
    pub(super) const fn portion(self, knobs: Knobs) -> Option<NonZeroU32> {
        match self {
            Self::Threads | Self::ThreadsReuse => Some(NonZeroU32::MIN),
            Self::Batches => Some(knobs.batch),
            _ => None,
        }
    }

    /// The settings of each of its engines for a list of so many URLs; `base` has what all modes share.
    pub(super) fn config(self, base: &Config, knobs: Knobs, urls: usize) -> Config {
        let defaults = Limits::default();
        let all = u32::try_from(urls).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX);
        let one = NonZeroU32::MIN;
        let (concurrency, per_host, shards) = match self {
            Self::Serial | Self::SerialReuse | Self::Threads | Self::ThreadsReuse => (one, one, 1),
            Self::Gather | Self::H2 => (all, all, 1),
            Self::Limited => (knobs.limit, knobs.limit, 1),
            Self::Batches => (knobs.batch, knobs.batch, 1),
            Self::Pooled => (defaults.concurrency, defaults.per_host, 0),
        };
        let mut config = base.clone();
        config.limits = Limits { concurrency, per_host, shards, window: urls.max(1), ..defaults };
        // All modes do the same work.
        config.retries = never_again();
        config.pool = PoolSettings { reuse: self.reuses(), ..PoolSettings::default() };
        if !self.reuses() {
            // A connection that resumes a session is half a kept one.
            config.tls.session_hosts = 0;
        }
        match self {
            Self::H2 => {
                config.network.http2_prior_knowledge = true;
                config.pool.max_h2_connections = 1;
            }
            Self::Pooled => {}
            _ => {
                config.network.http1_only = true;
                config.network.http2_prior_knowledge = false;
            }
        }
        config
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The numbers that the command has without flags.
    pub(in crate::commands::compare) fn knobs() -> Knobs {
        let count = |count| NonZeroU32::new(count).expect("not zero");
        Knobs { workers: count(8), limit: count(5), batch: count(5) }
    }

    #[test]
    fn the_command_line_knows_each_mode_by_its_name() {
        for mode in Mode::ALL {
            assert_eq!(Mode::from_str(mode.name(), false), Ok(mode));
        }
        assert_eq!(Mode::value_variants(), Mode::ALL);
    }

    #[test]
    fn each_mode_has_the_settings_that_its_name_promises() {
        let at_once = |mode: Mode| {
            let config = mode.config(&Config::default(), knobs(), 100);
            (config.limits.concurrency.get(), config.limits.per_host.get())
        };
        let all = Mode::ALL.map(at_once);
        assert_eq!(
            all,
            [(1, 1), (1, 1), (1, 1), (1, 1), (100, 100), (5, 5), (5, 5), (256, 8), (100, 100)],
            "requests at once, in all and per host"
        );
        for mode in Mode::ALL {
            let config = mode.config(&Config::default(), knobs(), 100);
            let may_be_h2 = matches!(mode, Mode::Pooled | Mode::H2);
            assert_eq!(config.network.http1_only, !may_be_h2, "{mode:?}");
            assert_eq!(config.pool.reuse, config.tls.session_hosts > 0, "{mode:?}: new means wholly new");
            assert_eq!(config.retries.retries, 0);
        }
    }
}

//! A plan as lines of text, one fact a line, and back. What is not said is plain, so any line can be left out: this is
//! what failing plans are cut down by, and how they are kept.
//!
//! ```text
//! seed 7
//! run concurrency 1
//! retries dead_after 1
//! host 0 mood Outage 0ms 5000ms Failed refused
//! at 0ms Arrive 0 1
//! ```

use std::num::NonZeroU32;
use std::str::SplitWhitespace;

use crate::config::{Limits, RetrySettings};
use crate::sched::SchedulerSettings;

use super::ops::{Disturbance, Plan};
use super::words::{Parts, Words};
use super::world::{Mood, Script};

/// Hosts and groups that a text may speak of.
const MOST: usize = 10_000;

impl Plan {
    /// Nothing at all.
    pub(super) fn plain() -> Self {
        Self {
            seed: 0,
            batched: false,
            window: None,
            settings: SchedulerSettings::new(&Limits::default(), &RetrySettings::default()),
            groups: Vec::new(),
            hosts: Vec::new(),
            disturbances: Vec::new(),
        }
    }

    /// All that is not plain.
    pub(super) fn lines(&self) -> Vec<String> {
        let plain = Self::plain();
        let mut lines = vec![format!("seed {}", self.seed)];
        if self.batched {
            lines.push("batched true".into());
        }
        lines.extend(self.window.map(|window| format!("window {window}")));
        let run = self.settings.told(&plain.settings);
        let retries = self.settings.retries.told(&plain.settings.retries);
        lines.extend(run.into_iter().map(|part| format!("run {part}")));
        lines.extend(retries.into_iter().map(|part| format!("retries {part}")));
        lines.extend(self.groups.iter().zip(0..).map(|(limit, group)| format!("group {group} {limit}")));
        let script = Script::plain(&plain.settings.host);
        for (host, at) in self.hosts.iter().zip(0..) {
            let parts = [host.rules.told(&script.rules), host.told(&script)].concat();
            lines.extend(parts.into_iter().map(|part| format!("host {at} {part}")));
        }
        lines.extend(self.disturbances.iter().map(|(at, what)| format!("at {} {}", at.tell(), what.tell())));
        lines
    }

    /// The plan that these lines tell; blank ones and those that begin with `#` say nothing. An error names the line.
    pub(super) fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut plan = Self::plain();
        for line in lines.into_iter().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            let read = plan.read_line(&mut words);
            if read.is_none() || words.next().is_some() {
                return Err(format!("no fact of a plan: {line}"));
            }
        }
        plan.complete();
        Ok(plan)
    }

    fn read_line(&mut self, words: &mut SplitWhitespace<'_>) -> Option<()> {
        match words.next()? {
            "seed" => self.seed = Words::read(words)?,
            "batched" => self.batched = Words::read(words)?,
            "window" => self.window = NonZeroU32::read(words).map(Some)?,
            "run" => self.settings.set(words.next()?, words)?,
            "retries" => self.settings.retries.set(words.next()?, words)?,
            "group" => {
                let group = usize::read(words).filter(|group| *group < MOST)?;
                self.need_groups(group + 1);
                self.groups[group] = NonZeroU32::read(words)?;
            }
            "host" => {
                let host = usize::read(words).filter(|host| *host < MOST)?;
                self.need_hosts(host + 1);
                let (part, host) = (words.next()?, &mut self.hosts[host]);
                host.rules.set(part, words).or_else(|| host.set(part, words))?;
            }
            "at" => self.disturbances.push((Words::read(words)?, Words::read(words)?)),
            _ => return None,
        }
        Some(())
    }

    fn need_hosts(&mut self, count: usize) {
        let plain = Script::plain(&self.settings.host);
        self.hosts.resize(self.hosts.len().max(count), plain);
    }

    fn need_groups(&mut self, count: usize) {
        self.groups.resize(self.groups.len().max(count), NonZeroU32::MAX);
    }

    /// Hosts and groups that are only mentioned are plain ones.
    fn complete(&mut self) {
        let visited = self.disturbances.iter().filter_map(|(_, what)| what.host());
        let moved = self.hosts.iter().filter_map(|host| match host.mood {
            Mood::Moved(to) => Some(to),
            _ => None,
        });
        let hosts = visited.chain(moved).map(|host| host.min(MOST) + 1).max().unwrap_or(0);
        self.need_hosts(hosts);
        let groups = self.hosts.iter().filter_map(|host| host.group).map(|group| group.min(MOST) + 1).max();
        self.need_groups(groups.unwrap_or(0));
        self.disturbances.sort_by_key(|(at, _)| *at);
    }
}

impl Disturbance {
    /// The host it concerns, if it is one host.
    pub(super) const fn host(&self) -> Option<usize> {
        match self {
            Self::Arrive(host, _) | Self::Capacity(host, _) | Self::Address(host, _) | Self::Limits(host, _) => {
                Some(*host)
            }
            _ => None,
        }
    }
}

#[test]
fn every_plan_is_told_and_read_again() {
    for seed in 0..500 {
        let lines = super::ops::plan(seed).lines();
        let again = Plan::read(lines.iter().map(String::as_str)).expect("its own words").lines();
        assert_eq!(again, lines, "seed {seed}");
    }
}

#[test]
fn what_is_no_fact_is_refused_by_name() {
    for line in ["host", "host x mood Fine", "host 99999 mood Fine", "at 5 Stop", "at 5ms Stop now", "run retries 3"] {
        assert_eq!(Plan::read([line]).err(), Some(format!("no fact of a plan: {line}")));
    }
}

//! What is due and what can be done now.

use std::time::Duration;

use crate::model::{DeferReason, GiveUpReason, Time};

use super::Scheduler;
use super::event::{Action, HostId, Wake};
use super::host::{Host, Place};
use super::ready::{FreedPermit, Pick};
use super::retries::Comeback;

/// Due hosts and retries looked at before actions are given out again, so that no call grows with the number of hosts
/// whose time has come at once.
const BATCH: usize = 16;

/// Where more retries of a host wait than these, those that it can't afford don't wait for its good answers to pay for them.
const MOST_UNPAID: u32 = 1024;

/// And how long each waits at the least before it asks again.
const LEAST_WAIT: Duration = Duration::from_secs(1);

impl<J> Scheduler<J> {
    /// Moves what is due to where it can be taken; says whether there may be more.
    pub(super) fn take_due(&mut self, now: Time) -> bool {
        for _ in 0..BATCH {
            if !(self.take_due_host(now) || self.take_due_retry(now)) {
                return false;
            }
        }
        true
    }

    fn take_due_host(&mut self, now: Time) -> bool {
        let Some((_, id)) = self.timers.first().filter(|(at, _)| *at <= now) else { return false };
        self.timers.disarm_first();
        if self.hosts[id as usize].is_live() {
            self.settle(id, now);
        }
        true
    }

    fn take_due_retry(&mut self, now: Time) -> bool {
        let Some((_, id)) = self.retries.first().filter(|(due, _)| *due <= now) else { return false };
        let host = &mut self.hosts[id as usize];
        match self.retries.take_first(&mut host.retries) {
            // Where nothing comes back well, others are to show whether it is the host or the job.
            Some((job, Comeback::First)) if !host.health.is_in_trouble() => self.enqueue_first(HostId(id), job, now),
            Some((job, Comeback::Paying { failed })) if !host.budget.spend(failed, &self.settings.retries) => {
                let may_earn = host.may_earn();
                let patience = self.settings.retries.outage;
                if may_earn && host.retries.len() < MOST_UNPAID && host.health.may_wait_unpaid(patience, now) {
                    let due = now + self.settings.job_backoff().wait(1, &mut self.rng);
                    self.retries.insert(id, &mut host.retries, job, due + LEAST_WAIT, Comeback::Paying { failed });
                    return true;
                }
                // What was kept for others is of use to nobody else.
                if !may_earn && host.budget.spend_any() {
                    host.health.comes_again();
                    self.enqueue(id, job, now);
                    return true;
                }
                self.given_up.push_back((HostId(id), job, GiveUpReason::BudgetEmpty));
                self.settle(id, now);
            }
            Some((job, _)) => {
                host.health.comes_again();
                self.enqueue(id, job, now);
            }
            None => {}
        }
        true
    }

    /// One action, if there is any.
    pub(super) fn take_action(&mut self, now: Time) -> Option<Action<J>> {
        if let Some((host, job, reason)) = self.given_up.pop_front() {
            return Some(Action::GiveUp { host, job, reason });
        }
        self.give_up_one(now)
            .or_else(|| self.ask_one(now))
            .or_else(|| self.start_one(now))
            .or_else(|| self.forget_one(now))
    }

    /// One job of a host whose jobs are all given up.
    fn give_up_one(&mut self, now: Time) -> Option<Action<J>> {
        while let Some(id) = self.dying.first() {
            let host = &mut self.hosts[id as usize];
            let reason = match host.health.dead(now) {
                _ if self.stopped => GiveUpReason::Stopped,
                Some(cause) => GiveUpReason::HostDead(cause),
                // Its time was over before all were given up: the rest is tried again.
                None => {
                    self.settle(id, now);
                    continue;
                }
            };
            let queued = host.queue.pop_front();
            self.queued -= usize::from(queued.is_some());
            let job = queued.or_else(|| self.retries.take_of_host(&mut host.retries));
            self.settle(id, now);
            if let Some(job) = job {
                return Some(Action::GiveUp { host: HostId(id), job, reason });
            }
        }
        None
    }

    fn ask_one(&mut self, now: Time) -> Option<Action<J>> {
        let id = self.asking.first()?;
        let gate = self.hosts[id as usize].shut.ask();
        self.settle(id, now);
        gate.map(|gate| Action::Open { host: HostId(id), gate })
    }

    fn start_one(&mut self, now: Time) -> Option<Action<J>> {
        while let Some(pick) = self.next_ready() {
            let id = pick.id;
            if self.held_by_the_run(now).is_some() {
                return None;
            }
            let host = &self.hosts[id as usize];
            if host.listed.wants_more() && !self.places_held.allows_more(host.listed) {
                // Others were quicker.
                self.leave(id);
                self.wait_unanswered(id, now);
                continue;
            }
            if self.limits.is_full(host.group) || self.limits.is_full(host.address) {
                // Another host moved to its address with requests in flight and took what was reserved.
                self.leave(id);
                self.settle(id, now);
                self.rouse_limits_of(id, now);
                self.rouse_unanswered(now);
                continue;
            }
            return self.start(pick, now);
        }
        None
    }

    /// What keeps every host from starting.
    pub(super) fn held_by_the_run(&self, now: Time) -> Option<DeferReason> {
        if self.paused {
            Some(DeferReason::Paused)
        } else if self.in_flight >= self.limit {
            Some(DeferReason::GlobalLimit)
        } else if self.next_start() > now || self.grants == Some(0) {
            Some(DeferReason::GlobalPace)
        } else {
            None
        }
    }

    /// When the global pace, and the caller's, allow the next start, if that needs no grant.
    pub(super) fn next_start(&self) -> Time {
        self.pace.next().max(self.not_before)
    }

    /// The next host, its first choice the one that gave the last permit back, if that has answered and is ready to take it again.
    fn next_ready(&self) -> Option<Pick> {
        self.ready.next(self.freed(), self.places_held.allows_silent())
    }

    fn freed(&self) -> Option<FreedPermit> {
        let id = self.freed?;
        let host = &self.hosts[id as usize];
        match host.place {
            Place::Ready(bucket) if !host.listed.is_silent() => Some(FreedPermit { id, bucket, stays: host.stay > 0 }),
            _ => None,
        }
    }

    fn start(&mut self, pick: Pick, now: Time) -> Option<Action<J>> {
        let id = pick.id;
        let host = &mut self.hosts[id as usize];
        let job = host.take(&mut self.rng)?;
        if let Place::Ready(bucket) = host.place {
            host.stay = if pick.in_turn { host.turn() } else { host.stay.max(1) };
            self.ready.dispatched(pick, host.stay);
            host.stay -= 1;
            self.ready.remove(&mut self.places, id, bucket, host.listed.is_silent());
            if host.listed.wants_more() {
                self.places_held.set_ready(false);
            }
            self.limits.commit(host.group);
            self.limits.commit(host.address);
        }
        host.place = Place::Busy;
        host.pace.started(now);
        self.change_held(id, now, |host| host.in_flight += 1);
        self.pace.started(now);
        self.grants = self.grants.map(|grants| grants - 1);
        self.in_flight += 1;
        self.queued -= 1;
        self.freed = None;
        self.settle(id, now);
        Some(Action::Start { host: HostId(id), job })
    }

    fn forget_one(&mut self, now: Time) -> Option<Action<J>> {
        let id = loop {
            let (at, id) = self.first_expiry()?;
            let kept_until = self.kept_until(&self.hosts[id as usize]);
            if at <= now && kept_until <= now {
                break id;
            }
            if at > now && !self.is_crowded() {
                return None;
            }
            // Its clocks are no reason to keep those behind it.
            self.rest(id, kept_until);
        };
        self.leave(id);
        let host = &mut self.hosts[id as usize];
        host.place = Place::Vacant;
        self.limits.leave(host.group, 0);
        self.limits.leave(host.address, 0);
        self.vacant.push(id);
        Some(Action::Forget { host: HostId(id) })
    }

    /// The host that has been idle for longest, and when it is forgotten. A host whose clocks run on past that is not
    /// in this list. When too many are idle it is forgotten as soon as its clocks allow, dead or not.
    pub(super) fn first_expiry(&self) -> Option<(Time, u32)> {
        let id = self.idle.first()?;
        let host = &self.hosts[id as usize];
        Some((
            if self.is_crowded() { host.rested_at() } else { host.idle_since + self.settings.retries.host_memory },
            id,
        ))
    }

    /// Whether more hosts are idle than are remembered.
    const fn is_crowded(&self) -> bool {
        self.idling > self.settings.retries.max_idle_hosts
    }

    /// Until when an idle host is not forgotten.
    pub(super) fn kept_until(&self, host: &Host<J>) -> Time {
        if self.is_crowded() { host.rested_at() } else { host.clear_at() }
    }

    /// The first host that waits for a point in time. Timers of hosts that no longer wait, or wait longer, are brought
    /// up to date on the way; each is passed once.
    pub(super) fn first_wait(&mut self) -> Option<(Time, Wake)> {
        loop {
            let (at, id) = self.timers.first()?;
            let host = &self.hosts[id as usize];
            let (until, wake) = match host.place {
                Place::Waiting(Wake::BackOff) => (host.held_until(), Wake::BackOff),
                Place::Waiting(wake) => (host.pace.next(), wake),
                Place::Resting => (self.kept_until(host), Wake::Expiry),
                _ => (Time::NEVER, Wake::Expiry),
            };
            if until <= at {
                return Some((at, wake));
            }
            self.timers.disarm_first();
            self.timers.arm(id, until);
        }
    }
}

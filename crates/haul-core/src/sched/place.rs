//! Where does a host belong now? Works it out and moves the host there.

use crate::model::Time;

use super::event::Wake;
use super::host::{Place, Work};
use super::list::NONE;
use super::ready::Ready;
use super::{Host, Scheduler};

impl<J> Scheduler<J> {
    /// Moves the host to where it belongs. To be called after every change of a host; calling it once more does nothing.
    pub(super) fn settle(&mut self, id: u32, now: Time) {
        self.note_work(id, now);
        let from = self.hosts[id as usize].place;
        let (to, until) = self.belongs(id, now);
        match (from, to) {
            (Place::Waiting(_) | Place::Resting, _) if from == to => self.timers.arm(id, until),
            (Place::Ready(old), Place::Ready(new)) => self.relist(id, old, new, now),
            _ if from == to => {
                if from == Place::Unanswered && self.stands_otherwise(id) {
                    self.leave(id);
                    self.enter(id, to, until, now);
                }
            }
            _ => {
                self.leave(id);
                self.enter(id, to, until, now);
                if matches!(from, Place::Ready(_)) {
                    self.rouse_limits_of(id, now);
                    self.rouse_unanswered(now);
                }
            }
        }
    }

    /// Whether a host that waits for more places has come to answer, or to be silent, since it does.
    fn stands_otherwise(&self, id: u32) -> bool {
        let host = &self.hosts[id as usize];
        host.listed.is_silent() != host.next().is_silent()
    }

    /// Whoever waits for more places waits for a reason, and where it belongs.
    #[cfg(test)]
    pub(super) fn check_waiting(&self) {
        assert!(!self.places_held.keeps_out_for_nothing(), "a host waits for more places though there are some");
        for host in self.hosts.iter().filter(|host| host.place == Place::Unanswered) {
            assert_eq!(host.listed.is_silent(), host.next().is_silent(), "a host waits among those of the other kind");
        }
    }

    /// Keeps count of the hosts that have work, and of those of them that answer.
    fn note_work(&mut self, id: u32, now: Time) {
        let host = &mut self.hosts[id as usize];
        let after = match (host.has_work(), host.answers()) {
            (false, _) => Work::Idle,
            (true, false) => Work::Silent,
            (true, true) => Work::Answering,
        };
        let before = std::mem::replace(&mut host.work, after);
        if before == after {
            return;
        }
        let changes = |is: fn(Work) -> bool| (is(before) != is(after)).then_some(is(after));
        if let Some(busy) = changes(|work| work != Work::Idle) {
            self.places_held.set_busy(busy);
        }
        if let Some(works) = changes(|work| work == Work::Answering) {
            self.places_held.set_working(works);
        }
        self.rouse_unanswered(now);
    }

    /// The place for a host as it is now, and until when, for places that have an end.
    fn belongs(&self, id: u32, now: Time) -> (Place, Time) {
        let host = &self.hosts[id as usize];
        if (self.stopped || !host.health.is_clear())
            && let Some(kept_back) = self.kept_back(host, now)
        {
            return kept_back;
        }
        if host.queue.is_empty() {
            return self.without_work(host, now);
        }
        if !host.shut.is_none() {
            return (if host.shut.is_asked() { Place::Busy } else { Place::Asking }, Time::NEVER);
        }
        if host.full(self.settings.adaptive, now).is_some() {
            return (Place::Busy, Time::NEVER);
        }
        if host.pace.next() > now {
            return (Place::Waiting(Wake::HostPace), host.pace.next());
        }
        (self.among_others(host, now), Time::NEVER)
    }

    /// The place for a host with jobs that are given up, or that trouble keeps back. Most hosts are never asked.
    #[cold]
    fn kept_back(&self, host: &Host<J>, now: Time) -> Option<(Place, Time)> {
        let (queued, until) = (!host.queue.is_empty(), host.held_until());
        let dead = self.stopped || host.health.dead(now).is_some();
        if dead && (queued || host.retries.len() > 0) {
            Some((Place::Dying, Time::NEVER))
        } else if queued && until > now {
            Some((Place::Waiting(Wake::BackOff), until))
        } else {
            None
        }
    }

    fn without_work(&self, host: &Host<J>, now: Time) -> (Place, Time) {
        if host.in_flight > 0 || host.retries.len() > 0 || host.shut.is_asked() {
            return (Place::Busy, Time::NEVER);
        }
        let clear = host.clear_at();
        let memory = self.settings.retries.host_memory;
        match host.place {
            Place::Idle if clear <= host.idle_since + memory => (Place::Idle, Time::NEVER),
            // Its delay was made longer: it must not be forgotten before that has passed.
            Place::Idle => (Place::Resting, clear),
            Place::Resting if self.kept_until(host) > now => (Place::Resting, self.kept_until(host)),
            Place::Resting => (Place::Idle, Time::NEVER),
            _ if clear > now + memory => (Place::Resting, clear),
            _ => (Place::Idle, Time::NEVER),
        }
    }

    /// The place for a host that could start a job as far as it alone is concerned.
    fn among_others(&self, host: &Host<J>, now: Time) -> Place {
        let reserved = matches!(host.place, Place::Ready(_));
        let next = host.next();
        if !reserved && next.wants_more() && !self.places_held.has_room(next) {
            Place::Unanswered
        } else if !reserved && !self.limits.has_room(host.group) {
            Place::InGroup
        } else if !reserved && !self.limits.has_room(host.address) {
            Place::OnAddress
        } else {
            Place::Ready(Ready::bucket(host.remaining(self.settings.adaptive, self.usual_service, now)))
        }
    }

    /// Takes the host out of where it is; it is busy then. Does not rouse those who wait for what it had reserved.
    pub(super) fn leave(&mut self, id: u32) {
        let host = &mut self.hosts[id as usize];
        match host.place {
            // Timers are left to come up: looking at a host once too often does no harm.
            Place::Vacant | Place::Busy | Place::Waiting(_) => {}
            Place::Resting => self.idling -= 1,
            Place::Idle => {
                self.idle.remove(&mut self.places, id);
                self.idling -= 1;
            }
            Place::Asking => self.asking.remove(&mut self.places, id),
            Place::Dying => self.dying.remove(&mut self.places, id),
            Place::InGroup => self.limits.unpark(&mut self.places, host.group, id),
            Place::OnAddress => self.limits.unpark(&mut self.places, host.address, id),
            Place::Unanswered => self.places_held.unpark(&mut self.places, id, host.listed),
            Place::Ready(bucket) => {
                if host.listed.wants_more() {
                    self.places_held.set_ready(false);
                }
                self.ready.remove(&mut self.places, id, bucket, host.listed.is_silent());
                self.limits.unreserve(host.group);
                self.limits.unreserve(host.address);
            }
        }
        host.place = Place::Busy;
    }

    fn enter(&mut self, id: u32, place: Place, until: Time, now: Time) {
        let host = &mut self.hosts[id as usize];
        host.place = place;
        match place {
            Place::Vacant | Place::Busy => {}
            Place::Idle | Place::Resting => {
                host.idle_since = now;
                host.queue.shrink_to_fit();
                host.health.forgive(now);
                self.idling += 1;
                match place {
                    Place::Idle => self.idle.push(&mut self.places, id),
                    _ => self.timers.arm(id, until),
                }
            }
            Place::Asking => self.asking.push(&mut self.places, id),
            Place::Dying => self.dying.push(&mut self.places, id),
            Place::Waiting(_) => self.timers.arm(id, until),
            Place::InGroup => self.limits.park(&mut self.places, host.group, id),
            Place::OnAddress => self.limits.park(&mut self.places, host.address, id),
            Place::Unanswered => {
                host.listed = host.next();
                self.places_held.park(&mut self.places, id, host.listed);
            }
            Place::Ready(bucket) => {
                host.listed = host.next();
                if host.listed.wants_more() {
                    self.places_held.set_ready(true);
                }
                self.limits.reserve(host.group);
                self.limits.reserve(host.address);
                self.ready.insert(&mut self.places, id, bucket, host.listed.is_silent());
            }
        }
    }

    /// Hosts that wait for the limits of `id` take what has become free.
    pub(super) fn rouse_limits_of(&mut self, id: u32, now: Time) {
        let host = &self.hosts[id as usize];
        let (group, address) = (host.group, host.address);
        self.rouse(group, now);
        self.rouse(address, now);
    }

    /// Hosts that wait for a limit take what has become free, longest-waiting first. Ends: each waiter is taken off the
    /// list, and while there is room none is put back on it.
    pub(super) fn rouse(&mut self, limit: u32, now: Time) {
        if limit == NONE {
            return;
        }
        while let Some(waiter) = self.limits.next_waiter(&mut self.places, limit) {
            self.hosts[waiter as usize].place = Place::Busy;
            self.settle(waiter, now);
        }
    }

    /// A ready host that wants one more place than it has earned, and has been taken out, finds that others were quicker.
    pub(super) fn wait_unanswered(&mut self, id: u32, now: Time) {
        self.enter(id, Place::Unanswered, Time::NEVER, now);
        self.rouse_limits_of(id, now);
        // The place that was kept for it may do for one that may have more.
        self.rouse_unanswered(now);
    }

    /// Hosts that want more places than they have earned take those that have become free for them, longest-waiting first. Ends as
    /// [`Self::rouse`] does.
    pub(super) fn rouse_unanswered(&mut self, now: Time) {
        while let Some(waiter) = self.places_held.next_waiter(&mut self.places) {
            self.hosts[waiter as usize].place = Place::Busy;
            self.settle(waiter, now);
        }
    }

    /// A ready host stays ready, under another bucket, or with another standing of its next request.
    fn relist(&mut self, id: u32, from: u8, to: u8, now: Time) {
        let host = &mut self.hosts[id as usize];
        let (before, after) = (host.listed, host.next());
        (host.listed, host.place) = (after, Place::Ready(to));
        if before.is_silent() != after.is_silent() {
            self.ready.remove(&mut self.places, id, from, before.is_silent());
            self.ready.insert(&mut self.places, id, to, after.is_silent());
        } else if from != to {
            self.ready.refile(&mut self.places, id, from, to, after.is_silent());
        }
        if before.wants_more() != after.wants_more() {
            self.places_held.set_ready(after.wants_more());
            self.rouse_unanswered(now);
        }
    }

    /// A change of what the host's requests hold.
    pub(super) fn change_held(&mut self, id: u32, now: Time, change: impl FnOnce(&mut Host<J>)) {
        let host = &mut self.hosts[id as usize];
        let before = host.holds();
        change(host);
        if self.places_held.replace(before, host.holds()) {
            self.rouse_unanswered(now);
        }
    }

    /// An idle host is not looked at before `until`.
    pub(super) fn rest(&mut self, id: u32, until: Time) {
        self.idle.remove(&mut self.places, id);
        self.hosts[id as usize].place = Place::Resting;
        self.timers.arm(id, until);
    }
}

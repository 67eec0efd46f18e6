//! Names of hosts: their look-ups, before anything is started for them.

use std::rc::Rc;
use std::time::Duration;

use super::Shard;
use super::log::log_lack;
use crate::dial::{Route, Target};
use crate::model::{Clock, Failure, FailureKind, GiveUpReason, Resolve, Resolved, WebUrl};
use crate::sched::{Event, Gate, HostId};

/// The waits before a look-up is begun again that this machine had nothing for. Each has tried for seconds before.
const LACKING: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

impl Shard {
    /// Looks a name up. What this machine lacks for that is no fact about the host: it is asked again, a few times.
    async fn look_up(&self, name: &str) -> Result<Resolved, Failure> {
        for wait in LACKING {
            match self.resolver.resolve(name).await {
                Err(failure) if failure.kind == FailureKind::Io => {
                    log_lack(name, &failure, wait);
                    tokio::time::sleep(wait).await;
                }
                answer => return answer,
            }
        }
        self.resolver.resolve(name).await
    }

    /// Finds a host's address, so that its first connection finds it cached.
    pub(super) async fn resolve(self: Rc<Self>, host: HostId) {
        let known = self.hosts.with(host, |host| (WebUrl::root_of(&host.origin), host.generation));
        let Some((url, generation)) = known else { return };
        let started = self.clock.now();
        self.log_resolving(url.origin());
        let answer = match self.connections.dialer().route(&Target::of(&url), false) {
            Route::Name { host: name, .. } => self.look_up(name).await,
            _ => return,
        };
        let now = self.clock.now();
        self.log_resolved(url.origin(), &answer, now.since(started));
        // Meanwhile a job has come that needs no address; and when that was done the host may have been forgotten.
        let waits = self.hosts.with(host, |host| host.generation == generation) == Some(true)
            && self.sched.borrow().host_gate(host) == Some(Gate::Address);
        if !waits {
            return;
        }
        let before = self.held_before(host, now);
        let event = match answer {
            Ok(resolved) => {
                self.hosts.change(host, |host| host.note_lookup(now.since(started)));
                Event::Resolved { host, address: resolved.addresses.first().copied() }
            }
            Err(failure) => {
                let kind = failure.kind;
                self.note_trouble(host, failure);
                Event::Unresolved { host, kind }
            }
        };
        self.sched.borrow_mut().handle(event, now);
        self.log_host(host, before, now);
        self.turn(now);
    }

    /// Remembers what was wrong with a host last, for its jobs that are given up without being tried.
    pub(super) fn note_trouble(&self, id: HostId, failure: Failure) {
        self.hosts.change(id, |host| host.note_trouble(failure, self.resolver.generation()));
    }

    /// Whether the host is given up for its name alone, and the machine has changed what it says of names since.
    pub(super) fn may_be_named_now(&self, id: HostId, reason: GiveUpReason) -> bool {
        let Some(names) = self.hosts.with(id, |host| host.nameless_since(reason)).flatten() else { return false };
        self.resolver.look();
        names != self.resolver.generation()
    }
}

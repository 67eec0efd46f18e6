//! The cache of TLS sessions that connections resume.
//!
//! Owns what is kept of each server name, and the bounds: so many names, so many tickets of each. How large a ticket is, and the
//! chain of certificates that goes with it, is for the server to say: up to 64 KiB each. So a memory budget keeps few.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls_pki_types::ServerName;

/// The sessions of all shards.
pub(super) struct SessionCache {
    names: usize,
    tickets: usize,
    state: Mutex<SessionEntries>,
}

#[derive(Default)]
struct SessionEntries {
    by_name: HashMap<ServerName<'static>, ServerSessions>,
    /// As they came; the first is forgotten first.
    order: VecDeque<ServerName<'static>>,
}

/// What is known of a server.
#[derive(Default)]
struct ServerSessions {
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    /// The last one is used first.
    tls13: VecDeque<Tls13ClientSessionValue>,
}

impl SessionCache {
    /// Room for so many server names, each with so many tickets of TLS 1.3.
    pub(super) fn new(names: usize, tickets: usize) -> Self {
        Self { names: names.max(1), tickets: tickets.max(1), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, SessionEntries> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Changes what is known of a server, and forgets another where it is one more.
    fn learn(&self, name: ServerName<'static>, change: impl FnOnce(&mut ServerSessions)) {
        let mut state = self.state();
        if let Some(known) = state.by_name.get_mut(&name) {
            return change(known);
        }
        if state.by_name.len() >= self.names
            && let Some(first) = state.order.pop_front()
        {
            state.by_name.remove(&first);
        }
        state.order.push_back(name.clone());
        change(state.by_name.entry(name).or_default());
    }
}

impl fmt::Debug for SessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("names", &self.names).field("tickets", &self.tickets).finish_non_exhaustive()
    }
}

impl ClientSessionStore for SessionCache {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.learn(name, |known| known.group = Some(group));
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.state().by_name.get(name).and_then(|known| known.group)
    }

    fn set_tls12_session(&self, name: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.learn(name, |known| known.tls12 = Some(session));
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.state().by_name.get(name).and_then(|known| known.tls12.clone())
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        if let Some(known) = self.state().by_name.get_mut(name) {
            known.tls12 = None;
        }
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.learn(name, |known| {
            if known.tls13.len() >= self.tickets {
                known.tls13.pop_front();
            }
            known.tls13.push_back(ticket);
        });
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.state().by_name.get_mut(name)?.tls13.pop_back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_came_first_is_forgotten_first() {
        let name = |n: usize| ServerName::try_from(format!("h{n}.test")).expect("a name");
        let sessions = SessionCache::new(3, 1);
        for n in 0..5 {
            sessions.set_kx_hint(name(n), NamedGroup::X25519);
            sessions.set_kx_hint(name(n), NamedGroup::secp256r1);
        }
        let known: Vec<bool> = (0..5).map(|n| sessions.kx_hint(&name(n)) == Some(NamedGroup::secp256r1)).collect();
        assert_eq!(known, [false, false, true, true, true]);
        let state = sessions.state();
        assert_eq!((state.by_name.len(), state.order.len()), (3, 3));
    }
}

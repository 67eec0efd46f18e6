//! Names to addresses: a stub resolver behind a small cache.
//!
//! Owns the way from a name to a list of addresses: the cache, look-ups shared by all who ask for the same name, the
//! cap on look-ups in flight, the race of A and AAAA, the search list, the tries of each question. hickory reads names
//! in messages; what is asked, of whom, when, and what the answers mean is decided here in pure files, as glibc decides
//! it, so that haul connects where curl does. One [`Resolver`] per shard; nothing is shared between shards.
//!
//! Invariants: at most one look-up per name is in flight; at most [`haul_core::config::DnsSettings::max_lookups`] in
//! all, the others wait in the order they were asked for (at most one per name); who stops waiting disturbs nobody.
//!
//! It must not know hosts, jobs or connections.

mod cache;
mod exchange;
mod families;
mod hosts_file;
mod message;
mod name_servers;
mod query_schedule;
mod resolv_conf;
mod search;
mod upstream;
mod words;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

pub use self::upstream::system_servers;

use self::cache::{CacheLookup, CachedAnswer, DnsCache};
use self::families::{AddressFamily, AddressSet, FamilyAnswers, LookupError, LookupProgress};
use self::upstream::{ResolverConfig, Upstream};
use haul_core::config::{Config, FamilyPreference};
use haul_core::model::{Failure, FailureKind, Phase, Resolve, Resolved, Time};

/// How soon to ask again for an answer past its time.
const STALE_VALID: Duration = Duration::from_secs(5);

/// What a resolver has done so far. Counts only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DnsStats {
    /// Questions asked of the resolver.
    pub asked: u64,
    /// Of these, answered from memory: fresh answers, remembered failures, `localhost`, the hosts file.
    pub hits: u64,
    /// Of these, answered from memory with an answer past its time, while a fresh one was looked up.
    pub stale: u64,
    /// Of these, joined to a look-up already in flight.
    pub joined: u64,
    /// Look-ups begun. Each asks for A and AAAA, as far as both families are used.
    pub lookups: u64,
    /// Look-ups that brought no address.
    pub failed: u64,
    /// Time all look-ups together took, without waiting for their turn.
    pub lookup_time: Duration,
}

/// Looks names up, for one thread. Cloning gives another handle to the same one.
///
/// Look-ups run as local tasks: [`Resolve::resolve`] has to be called inside a `LocalSet`.
#[derive(Clone)]
pub struct Resolver(Rc<ResolverInner>);

struct ResolverInner {
    upstream: Upstream,
    /// The user's own resolver, in the place of `upstream`.
    own: Option<Arc<dyn Resolve + Send + Sync>>,
    family: FamilyPreference,
    /// Bounds one look-up, all tries and both families together.
    timeout: Duration,
    cache: RefCell<DnsCache>,
    /// Who waits for each look-up in flight.
    flights: RefCell<HashMap<Rc<str>, Vec<oneshot::Sender<CachedAnswer>>>>,
    turns: Semaphore,
    stats: Cell<DnsStats>,
    /// How often what was read of the machine has changed.
    generation: Cell<u64>,
    clock: Box<dyn Fn() -> Time>,
}

impl Resolver {
    /// A resolver with the DNS settings, address family and DNS time-out of `config`. Nothing is read or sent before
    /// the first name is asked for. `clock` is the run's clock.
    pub fn new(config: &Config, clock: impl Fn() -> Time + 'static) -> Self {
        Self::with(config, None, clock)
    }

    /// The same, with `own` asked instead of the system's name servers, hosts file and `localhost`.
    pub fn with(
        config: &Config,
        own: Option<Arc<dyn Resolve + Send + Sync>>,
        clock: impl Fn() -> Time + 'static,
    ) -> Self {
        Self(Rc::new(ResolverInner {
            upstream: Upstream::new(&config.dns, config.timeouts.dns),
            own,
            family: config.network.family,
            timeout: config.timeouts.dns,
            cache: RefCell::new(DnsCache::new(&config.dns)),
            flights: RefCell::default(),
            turns: Semaphore::new(config.dns.max_lookups.clamp(1, Semaphore::MAX_PERMITS)),
            stats: Cell::default(),
            generation: Cell::default(),
            clock: Box::new(clock),
        }))
    }

    /// A number that is another one since the machine's files were seen to have changed: what was said of names before no longer holds.
    pub fn generation(&self) -> u64 {
        self.0.generation.get()
    }

    /// Looks at the machine's files, every few seconds at most.
    pub fn look(&self) {
        self.0.look();
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> DnsStats {
        self.0.stats.get()
    }

    async fn answer(&self, name: &str) -> CachedAnswer {
        let inner = &self.0;
        inner.count(|stats| stats.asked += 1);
        if let Some(known) = inner.known(name) {
            return known;
        }
        let receiver = self.join(name);
        receiver
            .await
            .unwrap_or_else(|_| Err(LookupError::new(FailureKind::Cancelled, "the run was stopped".to_owned())))
    }

    /// Waits with the others for this name's look-up, which is begun if there is none.
    fn join(&self, name: &str) -> oneshot::Receiver<CachedAnswer> {
        let (sender, receiver) = oneshot::channel();
        let mut flights = self.0.flights.borrow_mut();
        if let Some(waiting) = flights.get_mut(name) {
            waiting.push(sender);
            self.0.count(|stats| stats.joined += 1);
        } else {
            let name: Rc<str> = name.into();
            flights.insert(Rc::clone(&name), vec![sender]);
            self.0.launch(name);
        }
        receiver
    }
}

impl Resolve for Resolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = Result<Resolved, Failure>> + 'a>> {
        let bare = name.strip_suffix('.').unwrap_or(name);
        Box::pin(async move {
            self.0.look();
            match self.answer(if self.0.keeps_dot(name) { name } else { bare }).await {
                Ok((addresses, until)) => {
                    let left = until.since((self.0.clock)());
                    let valid_for = if left.is_zero() { STALE_VALID } else { left };
                    Ok(Resolved { addresses, valid_for })
                }
                Err(error) => Err(Failure::new(Phase::Dns, error.kind, &*error.message)),
            }
        })
    }
}

impl ResolverInner {
    fn count(&self, add: impl FnOnce(&mut DnsStats)) {
        let mut stats = self.stats.get();
        add(&mut stats);
        self.stats.set(stats);
    }

    /// Forgets what was remembered if the machine's files have changed.
    fn look(&self) {
        if self.own.is_none() && self.upstream.look((self.clock)()) {
            self.cache.borrow_mut().clear();
            self.generation.set(self.generation.get() + 1);
        }
    }

    /// Whether a final dot makes a name another one.
    fn keeps_dot(&self, name: &str) -> bool {
        self.own.is_none() && self.upstream.dot_counts(name)
    }

    /// The answer, when it takes no look-up.
    fn known(self: &Rc<Self>, name: &str) -> Option<CachedAnswer> {
        let now = (self.clock)();
        if self.own.is_none() && is_localhost(name) {
            self.count(|stats| stats.hits += 1);
            return Some(Ok((loopback(self.family), Time::NEVER)));
        }
        match self.cache.borrow_mut().get(name, now) {
            CacheLookup::Missing => {}
            CacheLookup::Fresh(answer) => {
                self.count(|stats| stats.hits += 1);
                return Some(answer);
            }
            CacheLookup::Stale { addresses, refresh } => {
                self.count(|stats| stats.stale += 1);
                if refresh {
                    self.refresh(name);
                }
                return Some(Ok((addresses, now)));
            }
        }
        if self.own.is_some() {
            return None;
        }
        let found = self.upstream.known_locally(name, self.family)?;
        self.count(|stats| stats.hits += 1);
        Some(self.cache.borrow_mut().put(name.into(), Ok(found), now))
    }

    /// Begins a look-up nobody waits for, unless one is in flight.
    fn refresh(self: &Rc<Self>, name: &str) {
        let mut flights = self.flights.borrow_mut();
        if !flights.contains_key(name) {
            let name: Rc<str> = name.into();
            flights.insert(Rc::clone(&name), Vec::new());
            self.launch(name);
        }
    }

    fn launch(self: &Rc<Self>, name: Rc<str>) {
        let inner = Rc::clone(self);
        tokio::task::spawn_local(async move { inner.look_up(&name).await });
    }

    /// One look-up, from its turn to its answer. Ends `timeout` after its turn has come at the latest.
    async fn look_up(&self, name: &Rc<str>) {
        let _turn = self.turns.acquire().await;
        let begun = (self.clock)();
        self.count(|stats| stats.lookups += 1);
        let end = begun + self.timeout;
        let generation = self.generation.get();
        // Boxed, so that those who wait for their turn do not carry the room that asking needs.
        let mut result = match &self.own {
            Some(own) => Box::pin(self.ask_own(own.as_ref(), name)).await,
            None => Box::pin(self.search(name, end)).await,
        };
        // Others were asked than would be now. Once more, in what is left of its time.
        if generation != self.generation.get() && (self.clock)() < end {
            result = match self.upstream.known_locally(name, self.family) {
                Some(found) => Ok(found),
                None => Box::pin(self.search(name, end)).await,
            };
        }
        let took = (self.clock)().since(begun);
        self.count(|stats| {
            stats.failed += u64::from(result.is_err());
            stats.lookup_time += took;
        });
        self.deliver(name, result);
        self.flights.borrow_mut().remove(name);
    }

    /// Asks the user's own resolver, within the time-out.
    async fn ask_own(&self, own: &dyn Resolve, name: &str) -> Result<AddressSet, LookupError> {
        match tokio::time::timeout(self.timeout, own.resolve(name)).await {
            Ok(Ok(Resolved { addresses, valid_for })) => {
                let addresses: Vec<_> = addresses.iter().copied().filter(|ip| self.family.allows(*ip)).collect();
                if addresses.is_empty() {
                    let message = format!("the resolver gave no address of the wanted family for '{name}'");
                    return Err(LookupError::new(FailureKind::NoAddress, message));
                }
                Ok(AddressSet { addresses, ttl: valid_for })
            }
            Ok(Err(failure)) => Err(LookupError::new(failure.kind, failure.message.into())),
            Err(_) => {
                let message = format!("the resolver gave no answer for '{name}' within {:?}", self.timeout);
                Err(LookupError::new(FailureKind::Timeout, message))
            }
        }
    }

    /// Asks for the name, and for those that the search list makes of it, until one has an address.
    async fn search(&self, name: &Rc<str>, end: Time) -> Result<AddressSet, LookupError> {
        let config = self.upstream.config();
        let Some(family) = config.families(self.family) else {
            let message = format!("'{name}' is not asked for: the machine's resolv.conf forbids IPv6 (no-aaaa)");
            return Err(LookupError::new(FailureKind::NoAddress, message));
        };
        // No domain makes a name of what is none.
        let bare = name.strip_suffix('.').unwrap_or(name);
        if let Some(error) = self.upstream.unspeakable(&config, name, bare) {
            return Err(error);
        }
        let mut search = config.search(name);
        let (mut tried, mut skipped) = (Vec::new(), 0);
        while let Some(candidate) = search.next() {
            let left = search.left();
            // The time that they have together is over: this one would not be asked for.
            if (self.clock)() >= end {
                skipped += left + 1;
                break;
            }
            let answer = match self.upstream.unspeakable(&config, name, &candidate) {
                None => self.ask_both(&config, name, &candidate, family, end).await,
                Some(error) => Err(error),
            };
            match answer {
                Ok(found) => return Ok(found),
                Err(error) => {
                    tried.push((candidate, error.brief.clone()));
                    search.failed(error);
                    skipped += left - search.left();
                }
            }
        }
        let error = search.error().unwrap_or_else(|| self.upstream.timed_out(&config, name));
        Err(words::searched(error, &tried, skipped))
    }

    /// Asks for both families, as far as they are used, and delivers the first when the second is late.
    async fn ask_both(
        &self,
        config: &ResolverConfig,
        name: &Rc<str>,
        candidate: &str,
        family: FamilyPreference,
        end: Time,
    ) -> Result<AddressSet, LookupError> {
        let mut families = FamilyAnswers::new(family, end);
        let mut v6 = pin!(self.upstream.ask(config, candidate, AddressFamily::V6, end, &self.clock));
        let mut v4 = pin!(self.upstream.ask(config, candidate, AddressFamily::V4, end, &self.clock));
        loop {
            let until = match families.progress((self.clock)()) {
                LookupProgress::Whole(result) => {
                    return result.map_err(|error| error.unwrap_or_else(|| self.upstream.timed_out(config, candidate)));
                }
                LookupProgress::Partial(found) => {
                    self.deliver(name, Ok(found));
                    continue;
                }
                LookupProgress::Wait(until) => until,
            };
            let wait = until.since((self.clock)());
            let v6_too =
                families.awaits(AddressFamily::V6) && !(config.one_by_one() && families.awaits(AddressFamily::V4));
            tokio::select! {
                biased;
                answer = &mut v6, if v6_too => families.arrived(AddressFamily::V6, answer, (self.clock)()),
                answer = &mut v4, if families.awaits(AddressFamily::V4) => families.arrived(AddressFamily::V4, answer, (self.clock)()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Remembers the result and answers everyone who waits for it.
    fn deliver(&self, name: &Rc<str>, result: Result<AddressSet, LookupError>) {
        let answer = self.cache.borrow_mut().put(Rc::clone(name), result, (self.clock)());
        let waiting = self.flights.borrow_mut().get_mut(name).map(std::mem::take).unwrap_or_default();
        for sender in waiting {
            // Who no longer waits has dropped the other end.
            let _ = sender.send(answer.clone());
        }
    }
}

/// Names that mean this machine without asking anyone (RFC 6761 §6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// The loopback addresses. IPv4 first: most local servers listen there, and a refused `::1` costs a socket a time.
fn loopback(family: FamilyPreference) -> Arc<[IpAddr]> {
    let both = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
    both.into_iter().filter(|ip| family.allows(*ip)).collect()
}

#[cfg(test)]
mod tests {
    use tokio::net::UdpSocket;
    use tokio::task::{LocalSet, spawn_local};

    use super::*;

    #[tokio::test]
    async fn a_name_that_comes_into_the_hosts_file_while_it_is_looked_up_is_found_there() {
        let looking_up = async {
            let server = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
            let mut config = Config::default();
            config.dns.servers = vec![server.local_addr().expect("bound")];
            let directory = tempfile::tempdir().expect("a temporary directory");
            let hosts = directory.path().join("hosts");
            let now = Rc::new(Cell::new(Time::ZERO));
            let clock = Rc::clone(&now);
            let mut resolver = Resolver::new(&config, move || clock.get());
            Rc::get_mut(&mut resolver.0).expect("ours alone").upstream.hosts_file.clone_from(&hosts);
            let asking = resolver.clone();
            let mut answer = spawn_local(async move { asking.resolve("a.test").await.map(|found| found.addresses) });

            let mut message = [0; 512];
            let (mut length, mut from) = server.recv_from(&mut message).await.expect("a question");
            std::fs::write(&hosts, "127.0.0.7 a.test").expect("the directory is ours");
            now.set(Time::from_millis(4000));
            resolver.look();
            loop {
                // NXDOMAIN.
                message[2..4].copy_from_slice(&[0x81, 0x83]);
                server.send_to(&message[..length], from).await.expect("sent");
                tokio::select! {
                    answer = &mut answer => break answer.expect("it does not panic"),
                    question = server.recv_from(&mut message) => (length, from) = question.expect("a question"),
                }
            }
        };
        let found = LocalSet::new().run_until(looking_up).await.expect("an address");
        assert_eq!(*found, [IpAddr::from([127, 0, 0, 7])]);
    }
}

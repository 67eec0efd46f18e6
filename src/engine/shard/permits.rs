//! The shard's part of the limits that hold for the whole run: requests in flight, sockets, starts a second.
//!
//! Permits and sockets that one shard does not need go to those that want them. A rate of the run is drawn start by start.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::Sched;
use super::connections::Connections;
use crate::engine::message::Message;
use crate::engine::shared::Shared;
use crate::engine::steering::LiveLimits;
use crate::model::{CloseReason, Job, Time};
use crate::sched::{Action, Event};

/// How long nothing is started when no request is in flight whose end could free a descriptor: another shard, or
/// another process, has them all.
const REST: Duration = Duration::from_millis(100);

/// The least time between two warnings.
const QUIET: Duration = Duration::from_secs(1);

/// What a shard has of the run's limits.
pub(super) struct Permits {
    index: usize,
    shared: Arc<Shared>,
    /// The limits that hosts were last told.
    live: Cell<LiveLimits>,
    /// Whether the scheduler's starts have to be granted.
    paced: Cell<bool>,
    /// Whether the limit may be less than the share, because others want permits.
    curbed: Cell<bool>,
    /// Whether this shard has asked for more permits than there were.
    asked: Cell<bool>,
    /// Whether it has asked for more sockets than there were.
    asked_for_sockets: Cell<bool>,
    /// Nothing is started before this time, for want of descriptors.
    rest: Cell<Time>,
    /// There is no warning of that before this time.
    quiet: Cell<Time>,
}

/// A shard's part of the places of the run, whatever it lends or borrows.
pub(super) fn part(places: NonZeroU32, shards: usize) -> NonZeroU32 {
    let part = places.get() / u32::try_from(shards).unwrap_or(u32::MAX);
    NonZeroU32::new(part).unwrap_or(NonZeroU32::MIN)
}

impl Permits {
    pub(super) fn new(index: usize, shared: &Arc<Shared>) -> Self {
        Self {
            index,
            shared: Arc::clone(shared),
            live: Cell::new(*shared.steering.limits()),
            paced: Cell::new(false),
            curbed: Cell::new(false),
            asked: Cell::new(false),
            asked_for_sockets: Cell::new(false),
            rest: Cell::new(Time::ZERO),
            quiet: Cell::new(Time::ZERO),
        }
    }

    /// The limits that hold, as far as this shard knows.
    pub(super) fn limits(&self) -> LiveLimits {
        self.live.get()
    }

    /// Other limits hold from now on; says which did.
    pub(super) fn replace_limits(&self, limits: LiveLimits) -> LiveLimits {
        self.live.replace(limits)
    }

    /// Tells the other shards that there may be something to take, or to give.
    fn tell_others(&self) {
        self.shared.send_all(Some(self.index), || Message::Traded);
    }

    /// Sets the scheduler's limit to the shard's share.
    pub(super) fn take_share(&self, sched: &Sched, now: Time) {
        let share = self.shared.permit_pool.share(self.index);
        sched.borrow_mut().handle(Event::Concurrency(share), now);
    }

    /// Asks for more permits when they are what holds this shard; true when it got some. A single shard asks too: it
    /// may have given some up for want of sockets.
    pub(super) fn take_more(&self, sched: &Sched, connections: &Connections, now: Time) -> bool {
        // Asked once, it is known to want more; nothing has to be locked until there is something to take.
        let sockets_came = self.asked_for_sockets.get() && self.shared.spare.has_free();
        let known = self.asked.get() && !self.shared.permit_pool.has_free() && !sockets_came;
        if known || !sched.borrow().wants_more() {
            return false;
        }
        let mut sockets = connections.pool().budget();
        if sched.borrow().limit() as usize >= sockets {
            sockets += self.take_more_sockets(connections);
        }
        let sockets = u32::try_from(sockets).unwrap_or(u32::MAX);
        let (share, tell) = self.shared.permit_pool.acquire(self.index, sockets);
        self.asked.set(share.is_none());
        if tell {
            self.tell_others();
        }
        match share {
            Some(share) => {
                sched.borrow_mut().handle(Event::Concurrency(share), now);
                true
            }
            None => false,
        }
    }

    /// Asks for more sockets, where these are what holds this shard; says how many it got.
    pub(super) fn take_more_sockets(&self, connections: &Connections) -> usize {
        let spare = &self.shared.spare;
        if self.shared.shards == 1 || (self.asked_for_sockets.get() && !spare.has_free()) {
            return 0;
        }
        let (taken, tell) = spare.take(self.index, spare.batch());
        self.asked_for_sockets.set(taken == 0);
        connections.pool_mut().gain(taken);
        if tell {
            self.tell_others();
        }
        taken
    }

    /// Gives up sockets that others want, and the wish for more when there is none any longer.
    fn trade_sockets(&self, sched: &Sched, connections: &Connections) {
        let spare = &self.shared.spare;
        if self.asked_for_sockets.get() && !sched.borrow().wants_more() {
            spare.content(self.index);
            self.asked_for_sockets.set(false);
        }
        let wanted = spare.wanted_by_others(self.index);
        if wanted == 0 {
            return;
        }
        let (in_flight, queued) = {
            let sched = sched.borrow();
            (sched.in_flight(), sched.queued())
        };
        // What its permits are for, as far as it has work for them.
        let keep =
            in_flight.max(self.shared.permit_pool.share(self.index).min(u32::try_from(queued).unwrap_or(u32::MAX)));
        let (given, evicted) = connections.pool_mut().part_with(wanted, keep as usize);
        connections.dismiss_all(evicted, CloseReason::Evicted);
        if given > 0 {
            spare.give(given);
            self.tell_others();
        }
    }

    /// Gives up permits that are owed or that others want, and the wish for more when there is none any longer; `true`
    /// when this shard may start more than before.
    pub(super) fn trade(&self, sched: &Sched, connections: &Connections, now: Time) -> bool {
        let permit_pool = &self.shared.permit_pool;
        if permit_pool.is_owed() && !self.repay(sched, now) {
            return false;
        }
        if self.shared.shards == 1 {
            return self.uncurb(sched, now);
        }
        if self.shared.spare.is_wanted() {
            self.trade_sockets(sched, connections);
        }
        if permit_pool.wanted() && !sched.borrow().wants_more() {
            permit_pool.content(self.index);
            self.asked.set(false);
        }
        if !permit_pool.wanted() {
            return self.uncurb(sched, now);
        }
        self.curbed.set(true);
        let (in_flight, idle) = {
            let sched = sched.borrow();
            (sched.in_flight(), sched.in_flight() == 0 && sched.queued() == 0)
        };
        let (limit, given) = permit_pool.release(self.index, in_flight, idle);
        let before = sched.borrow().limit();
        sched.borrow_mut().handle(Event::Concurrency(limit), now);
        if given {
            self.tell_others();
        }
        limit > before
    }

    /// Pays of what is owed, since the limit was lowered, what this shard does not use; while anything is left it starts
    /// nothing. `true` when all is paid.
    fn repay(&self, sched: &Sched, now: Time) -> bool {
        self.curbed.set(true);
        let in_flight = sched.borrow().in_flight();
        let paid = self.shared.permit_pool.repay(self.index, in_flight);
        if paid {
            self.tell_others();
        } else {
            sched.borrow_mut().handle(Event::Concurrency(0), now);
        }
        paid
    }

    /// The limit is the share again, if it was less; `true` if so.
    fn uncurb(&self, sched: &Sched, now: Time) -> bool {
        let curbed = self.curbed.replace(false);
        if curbed {
            self.take_share(sched, now);
        }
        curbed
    }

    /// There are no sockets for more than is in flight: lowers the limit to that, and leaves the rest to the others.
    pub(super) fn release_above(&self, sched: &Sched, now: Time) {
        let mut sched = sched.borrow_mut();
        let limit = sched.in_flight().max(1);
        sched.handle(Event::Concurrency(limit), now);
        drop(sched);
        if self.shared.permit_pool.release_above(self.index, limit) {
            self.tell_others();
        }
    }

    /// What to do next. Where shards keep a common rate each start is drawn.
    pub(super) fn next_action(&self, sched: &Sched, now: Time) -> Option<Action<Job>> {
        let mut sched = sched.borrow_mut();
        let is_paced = self.shared.permit_pool.is_paced();
        if self.paced.replace(is_paced) != is_paced {
            sched.handle(Event::Paced(is_paced), now);
        }
        let action = sched.next_action(now);
        if action.is_some() || !is_paced || !sched.could_start() {
            return action;
        }
        match self.draw(now) {
            Ok(()) => {
                sched.handle(Event::NotBefore(now), now);
                sched.handle(Event::Granted, now);
                let action = sched.next_action(now);
                if !matches!(action, Some(Action::Start { .. })) {
                    // Kept, it would come on top of a later one.
                    sched.handle(Event::Paced(true), now);
                }
                action
            }
            Err(again) => {
                sched.handle(Event::NotBefore(again), now);
                None
            }
        }
    }

    fn draw(&self, now: Time) -> Result<(), Time> {
        let rest = self.rest.get();
        if rest > now { Err(rest) } else { self.shared.permit_pool.draw(now) }
    }

    /// The rate of the run has changed: what was drawn for by the old one is drawn for again.
    pub(super) fn pace_anew(&self, sched: &Sched, now: Time) {
        sched.borrow_mut().handle(Event::NotBefore(self.rest.get()), now);
    }

    /// The system has no descriptor left. Where no request is in flight whose end could free one, nothing is started for a while.
    pub(super) fn rest_without_descriptors(&self, sched: &Sched, now: Time) {
        let mut sched = sched.borrow_mut();
        if sched.in_flight() == 0 {
            let until = now + REST;
            self.rest.set(until);
            sched.handle(Event::NotBefore(until), now);
        }
    }

    /// Whether a warning of that is due.
    pub(super) fn is_news(&self, now: Time) -> bool {
        let news = now >= self.quiet.get();
        if news {
            self.quiet.set(now + QUIET);
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::config::Config;
    use crate::dns::Resolver;
    use crate::engine::Engine;
    use crate::model::{Clock, WebUrl};
    use crate::sched::{Gates, HostRules, Scheduler, SchedulerSettings};

    /// Two shards' permits, schedulers and connections under a limit for both.
    struct Pair {
        permits: [Permits; 2],
        scheds: [Sched; 2],
        connections: [Connections; 2],
    }

    fn pair(concurrency: u32) -> Pair {
        let mut config = Config::default();
        (config.limits.shards, config.limits.concurrency) = (2, NonZeroU32::new(concurrency).expect("some"));
        let shared = Engine::new(config).expect("a machine that can run haul").shared;
        let settings = SchedulerSettings::new(&shared.config.limits, &shared.config.retries);
        let clock = shared.clock;
        let resolver = Rc::new(Resolver::with(&shared.config, None, move || clock.now()));
        let pair = Pair {
            permits: [0, 1].map(|index| Permits::new(index, &shared)),
            scheds: [0, 1].map(|seed| RefCell::new(Scheduler::new(settings.clone(), seed))),
            connections: [0, 1].map(|seed| Connections::new(&shared, &resolver, seed)),
        };
        pair.permits.iter().zip(&pair.scheds).for_each(|(permits, sched)| permits.take_share(sched, Time::ZERO));
        pair
    }

    impl Pair {
        /// So many jobs arrive at a shard, all for one host.
        fn arrive(&self, shard: usize, jobs: u64) {
            let mut sched = self.scheds[shard].borrow_mut();
            let usual = SchedulerSettings::from(&Config::default()).host;
            let concurrency = NonZeroU32::new(1000).expect("some");
            let host = sched.add_host(&HostRules { gates: Gates::NONE, concurrency, ..usual }, Time::ZERO);
            for seq in 0..jobs {
                let url = WebUrl::parse("http://a.example/").expect("a URL").0;
                sched.handle(Event::Arrived { host, job: Job::new(seq, url, Time::ZERO) }, Time::ZERO);
            }
        }

        /// Starts what may be started; says how much.
        fn start(&self, shard: usize) -> usize {
            let (permits, sched, connections) = (&self.permits[shard], &self.scheds[shard], &self.connections[shard]);
            let mut started = 0;
            loop {
                match permits.next_action(sched, Time::ZERO) {
                    Some(Action::Start { .. }) => started += 1,
                    Some(_) => {}
                    None if permits.take_more(sched, connections, Time::ZERO) => {}
                    None => return started,
                }
            }
        }

        fn trade(&self, shard: usize) -> bool {
            self.permits[shard].trade(&self.scheds[shard], &self.connections[shard], Time::ZERO)
        }
    }

    #[test]
    fn what_one_shard_does_not_use_goes_to_the_one_that_wants_it() {
        let pair = pair(8);
        pair.arrive(0, 20);
        assert_eq!(pair.start(0), 4, "its share");
        assert!(!pair.trade(1), "it may not start more, and gives");
        assert_eq!(pair.start(0), 4, "the other's share");
        pair.arrive(1, 20);
        assert_eq!(pair.start(1), 0, "all are in use");
    }

    #[test]
    fn who_has_no_sockets_for_its_permits_leaves_them_to_the_others() {
        let pair = pair(8);
        pair.permits[1].release_above(&pair.scheds[1], Time::ZERO);
        assert_eq!(pair.scheds[1].borrow().limit(), 1);
        pair.arrive(0, 20);
        assert_eq!(pair.start(0), 7);
    }

    #[test]
    fn without_descriptors_and_requests_nothing_is_started_for_a_while() {
        let pair = pair(8);
        pair.permits[0].rest_without_descriptors(&pair.scheds[0], Time::ZERO);
        pair.arrive(0, 1);
        assert_eq!(pair.start(0), 0);
        let deadline = pair.scheds[0].borrow_mut().next_deadline().map(|(at, _)| at);
        assert_eq!(deadline, Some(Time::ZERO + REST));
    }

    #[test]
    fn one_warning_a_second() {
        let pair = pair(8);
        let warned = (0..3000).filter(|ms| pair.permits[0].is_news(Time::from_millis(*ms))).count();
        assert_eq!(warned, 3);
    }

    #[test]
    fn a_part_of_the_places_is_one_at_least() {
        for (places, shards, expected) in [(256, 1, 256), (256, 3, 85), (2, 4, 1)] {
            assert_eq!(part(NonZeroU32::new(places).expect("some"), shards).get(), expected);
        }
    }
}

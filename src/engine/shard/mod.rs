//! A shard: one thread that owns whole hosts and everything of theirs.
//!
//! It ties the pure scheduler and pool to lanes and dials. Everything here runs on one thread and never holds a borrow
//! across an await; a lane that ends a request reports, lets the scheduler decide, and takes the next job in the same
//! turn.
//!
//! Owns: the host table, the lanes, the outbox. Must not know: sources, sinks, other shards' hosts.

mod act;
mod alarm;
mod arrive;
mod carrier;
mod connections;
mod deliver;
mod end;
mod flight;
mod habits;
mod host;
mod hosts;
mod keepsakes;
mod lane;
mod log;
mod look;
mod open;
mod outbox;
mod recipient;
mod requests;
mod resolve;
mod scarcity;
mod stowage;
mod trade;

use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;

use tokio::runtime::Builder;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::LocalSet;

use self::alarm::Alarm;
use self::connections::Connections;
use self::hosts::Hosts;
use self::keepsakes::Keepsakes;
use self::outbox::Outbox;
pub(super) use self::outbox::{ShardReport, cost};
use self::requests::Requests;
use self::scarcity::Scarcity;
use self::stowage::Stowage;
use super::clock::SystemClock;
use super::message::Message;
use super::shared::Shared;
use super::steering::LiveLimits;
use crate::dns::Resolver;
use crate::model::{Clock, Job, Time};
use crate::sched::{Action, Event, Scheduler, SchedulerSettings};

/// One shard, shared by the tasks of its thread.
pub(super) struct Shard {
    index: usize,
    shared: Arc<Shared>,
    clock: SystemClock,
    sched: RefCell<Scheduler<Job>>,
    hosts: Hosts,
    connections: Connections,
    outbox: Outbox,
    /// Responses that are to be tried again.
    keepsakes: Keepsakes,
    alarm: Alarm,
    resolver: Rc<Resolver>,
    requests: Requests,
    /// Whether nothing is done because the sink is behind.
    paused: Cell<bool>,
    /// Whether nothing is started because the user has paused the run.
    held: Cell<bool>,
    /// The limits that hosts were last told.
    live: Cell<LiveLimits>,
    /// Whether the limit may be less than the share, because others want permits.
    curbed: Cell<bool>,
    /// Whether this shard has asked for more permits than there were.
    asked: Cell<bool>,
    /// Whether it has asked for more sockets than there were.
    asked_for_sockets: Cell<bool>,
    scarcity: Scarcity,
    /// Jobs that redirects have made large.
    stowage: Stowage,
    /// When the next look at what is left may be taken.
    look_at: Cell<Time>,
}

/// Runs a shard on this thread until it is told to end.
pub(super) fn run(index: usize, shared: &Arc<Shared>, mut inbox: UnboundedReceiver<Message>) -> ShardReport {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a shard can't live without its runtime; the system refused an epoll descriptor");
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let shard = Rc::new(Shard::new(index, Arc::clone(shared)));
        tokio::task::spawn_local(Rc::clone(&shard).alarm_loop());
        tokio::task::spawn_local(Rc::clone(&shard).delivery_loop());
        shard.inbox_loop(&mut inbox).await;
        shard.finish(&mut inbox).await;
        shard.report()
    })
}

/// A shard's part of the places of the run, whatever it lends or borrows.
fn part(places: NonZeroU32, shards: usize) -> NonZeroU32 {
    let part = places.get() / u32::try_from(shards).unwrap_or(u32::MAX);
    NonZeroU32::new(part).unwrap_or(NonZeroU32::MIN)
}

impl Shard {
    fn new(index: usize, shared: Arc<Shared>) -> Self {
        let config = &shared.config;
        let clock = shared.clock;
        let resolver = Rc::new(Resolver::with(config, shared.extensions.resolver.clone(), move || clock.now()));
        let mut settings = SchedulerSettings::new(&config.limits, &config.retries);
        // The rate of the run is kept by the lease.
        settings.interval = None;
        settings.places = part(settings.places, shared.shards);
        let live = *shared.steering.limits();
        let seed = config.seed.wrapping_add(index as u64);
        let shard = Self {
            index,
            clock,
            sched: RefCell::new(Scheduler::new(settings, seed)),
            hosts: Hosts::default(),
            connections: Connections::new(&shared, &resolver, seed),
            outbox: Outbox::new(index, &shared),
            keepsakes: Keepsakes::new(shared.keepsakes / shared.shards),
            alarm: Alarm::default(),
            resolver,
            requests: Requests::new(&shared),
            paused: Cell::new(false),
            held: Cell::new(false),
            live: Cell::new(live),
            curbed: Cell::new(false),
            asked: Cell::new(false),
            asked_for_sockets: Cell::new(false),
            scarcity: Scarcity::default(),
            stowage: Stowage::new(&shared),
            look_at: Cell::new(Time::ZERO),
            shared,
        };
        shard.take_share();
        shard.steered(clock.now());
        shard
    }

    async fn inbox_loop(self: &Rc<Self>, inbox: &mut UnboundedReceiver<Message>) {
        while let Some(message) = inbox.recv().await {
            let now = self.clock.now();
            match message {
                Message::Jobs(jobs) => jobs.into_iter().for_each(|job| self.arrived(job, now)),
                Message::Continued(job) => self.continued(job, now),
                Message::Traded => {
                    self.trade(now);
                }
                Message::Steered => self.steered(now),
                Message::Look => self.look(now),
                Message::SinkCaughtUp => self.resume(now),
                Message::Stop => self.stop(now),
                Message::End => break,
            }
            self.turn(now);
        }
    }

    fn stop(&self, now: Time) {
        self.sched.borrow_mut().handle(Event::Stopped, now);
    }

    fn resume(&self, now: Time) {
        let was_paused = self.paused.replace(false);
        if was_paused {
            self.log_pause(false, "the sink has caught up");
        }
        if was_paused && !self.held.get() {
            self.sched.borrow_mut().handle(Event::Resumed, now);
        }
    }

    /// Stops the start of requests while the sink is too far behind.
    fn pause_if_sink_is_behind(&self, now: Time) {
        if !self.paused.get() && self.shared.backlog.is_over() {
            self.paused.set(true);
            self.log_pause(true, "the sink is behind");
            self.sched.borrow_mut().handle(Event::Paused, now);
            // The sink may have caught up between the two lines above; it tells only those it sees waiting.
            if self.shared.backlog.wait() {
                self.resume(now);
            }
        }
    }

    /// The end of the shard. Whatever is still under way, when the run is stopped at once, is counted as cancelled: what
    /// is in the inbox, in the queues, in flight.
    async fn finish(&self, inbox: &mut UnboundedReceiver<Message>) {
        inbox.close();
        // Until the last who has begun to send is done: a look that finds nothing yet would lose his message.
        while let Some(message) = inbox.recv().await {
            self.outbox.cancelled(message.jobs());
        }
        let now = self.clock.now();
        self.stop(now);
        while let Some(action) = self.next_action(now) {
            if let Action::GiveUp { host, job, reason } = action {
                self.give_up(host, job, reason);
            }
        }
        self.check_books();
        self.outbox.cut_off(self.sched.borrow().in_flight());
        self.outbox.flush();
    }
}

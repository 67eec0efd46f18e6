//! A shard: one thread that owns whole hosts and everything of theirs.
//!
//! It ties the pure scheduler and pool to lanes and dials. Everything here runs on one thread and never holds a borrow
//! across an await; a lane that ends a request reports, lets the scheduler decide, and takes the next job in the same
//! turn.
//!
//! Made of rooms, each with its own state: [`permits`] (what it has of the run's limits), [`connections`], [`hosts`], [`requests`]
//! (what they say, and hooks), [`outbox`]; besides [`keepsakes`] and [`stowage`] (what waiting jobs hold), [`pauses`], [`alarm`],
//! [`look`]. What happens to a job is told by the other files, in this order: [`arrive`], [`resolve`], [`turn`], [`start`], [`open`],
//! [`lane`], [`recipient`], [`release`], [`habits`], [`end`], [`deliver`]. Each uses three rooms at the most: tests/project/layers.rs.
//!
//! Must not know: sources, sinks, other shards' hosts.

mod alarm;
mod arrive;
mod connection_handle;
mod connections;
mod deliver;
mod end;
mod flight;
mod habits;
mod hooks;
mod host;
mod hosts;
mod keepsakes;
mod lane;
mod log;
mod look;
mod open;
mod outbox;
mod pauses;
mod permits;
mod recipient;
mod release;
mod requests;
mod resolve;
mod scarcity;
mod start;
mod steer;
mod stowage;
mod tee;
mod turn;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::runtime::Builder;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::LocalSet;

use self::alarm::Alarm;
use self::connections::Connections;
use self::hosts::Hosts;
use self::keepsakes::Keepsakes;
use self::look::Look;
use self::outbox::Outbox;
pub(super) use self::outbox::{ShardReport, cost};
use self::pauses::Pauses;
use self::permits::Permits;
use self::requests::Requests;
use self::stowage::Stowage;
use super::clock::SystemClock;
use super::message::Message;
use super::shared::Shared;
use crate::dns::Resolver;
use crate::model::{Clock, Job, Time};
use crate::sched::{Action, Event, Scheduler, SchedulerSettings};

type Sched = RefCell<Scheduler<Job>>;

/// One shard, shared by the tasks of its thread.
pub(super) struct Shard {
    index: usize,
    shared: Arc<Shared>,
    clock: SystemClock,
    sched: Sched,
    hosts: Hosts,
    connections: Connections,
    outbox: Outbox,
    /// Responses that are to be tried again.
    keepsakes: Keepsakes,
    alarm: Alarm,
    resolver: Rc<Resolver>,
    requests: Requests,
    pauses: Pauses,
    permits: Permits,
    /// Jobs that redirects have made large.
    stowage: Stowage,
    look: Look,
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

impl Shard {
    fn new(index: usize, shared: Arc<Shared>) -> Self {
        let config = &shared.config;
        let clock = shared.clock;
        let resolver = Rc::new(Resolver::with(config, shared.extensions.resolver.clone(), move || clock.now()));
        let mut settings = SchedulerSettings::new(&config.limits, &config.retries);
        // The rate of the run is kept by the permit pool.
        settings.interval = None;
        settings.places = permits::part(settings.places, shared.shards);
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
            pauses: Pauses::default(),
            permits: Permits::new(index, &shared),
            stowage: Stowage::new(&shared),
            look: Look::default(),
            shared,
        };
        let now = clock.now();
        shard.permits.take_share(&shard.sched, now);
        shard.steered(now);
        shard
    }

    async fn inbox_loop(self: &Rc<Self>, inbox: &mut UnboundedReceiver<Message>) {
        while let Some(message) = inbox.recv().await {
            let now = self.clock.now();
            match message {
                Message::Jobs(jobs) => jobs.into_iter().for_each(|job| self.arrived(job, now)),
                Message::Continued(job) => self.continued(job, now),
                Message::Traded => {
                    self.permits.trade(&self.sched, &self.connections, now);
                }
                Message::Steered => self.steered(now),
                Message::Look => self.look_ahead(now),
                Message::SinkCaughtUp => self.sink_caught_up(now),
                Message::Stop => self.stop(now),
                Message::End => break,
            }
            self.turn(now);
        }
    }

    fn stop(&self, now: Time) {
        self.sched.borrow_mut().handle(Event::Stopped, now);
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
        while let Some(action) = self.permits.next_action(&self.sched, now) {
            if let Action::GiveUp { host, job, reason } = action {
                self.give_up(host, job, reason);
            }
        }
        self.check_books();
        self.outbox.cut_off(self.sched.borrow().in_flight());
        self.outbox.flush();
    }
}

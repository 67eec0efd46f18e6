//! Stories of one scheduler told by hand, and the simulator: scripted hosts on a virtual clock.
//!
//! `ops` makes a plan from a seed, `world` plays the hosts, `sim` moves the clock and carries events and actions,
//! `ledger` keeps its own books and checks the invariants after every step, `model` says what must become of each job.
//! `makespan` measures the scheduler against the lower bound.

mod ledger;
mod makespan;
mod model;
mod ops;
mod outlook;
mod seeds;
mod sim;
mod stories;
mod world;

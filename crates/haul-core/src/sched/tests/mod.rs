//! Stories of one scheduler told by hand, and the simulator: scripted hosts on a virtual clock.
//!
//! `ops` makes a plan from a seed, `world` plays the hosts, `sim` moves the clock and carries events and actions,
//! `ledger` keeps its own books and checks the invariants after every step, `model` says what must become of a job whose
//! attempt failed, `oracle` what may become of each job by the plan alone. `seeds` plays plans by the thousand; one that
//! fails is cut down by `shrink` and kept in `cases` as text, which `case` and `words` write and read.
//!
//! `makespan` measures the scheduler against the lower bound.

mod case;
mod crowds;
mod family;
mod ledger;
mod makespan;
mod model;
mod ops;
mod oracle;
mod remaining_work;
mod seeds;
mod shared_limit;
mod shrink;
mod sim;
mod stories;
mod words;
mod world;

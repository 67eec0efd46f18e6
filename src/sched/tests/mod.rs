//! Stories of one scheduler, and the simulator.

mod stories;

//! `haul compare` from outside, and from the server's side.

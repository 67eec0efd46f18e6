//! What a host is given.

/// What a host is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// All that its other limits allow.
    All,
    /// So many requests at once, at least 1.
    AtOnce(u32),
    /// One start in so many nanoseconds.
    Every(u64),
}

/// The longest time between two starts that is tried, in nanoseconds: a trial takes eight of them at least.
pub(super) const SLOWEST: u64 = 5_000_000_000;

/// What is given where hardly anything ends well, too little to say how much is served: many limits are lower than any rate that a
/// few milliseconds show. In nanoseconds.
pub(super) const FIRST_PACE: u64 = 250_000_000;

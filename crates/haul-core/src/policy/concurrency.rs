//! How many requests at once does a host stand? Additive rise on success, multiplicative fall on overload.

/// Where the rise begins: one request that measures and one that uses the result.
const START: u32 = 2;

/// One host's adaptive limit, always between 1 and the host's fixed limit.
#[derive(Clone, Copy, Debug)]
pub struct Adaptive {
    limit: u32,
    successes: u32,
}

impl Adaptive {
    /// Begins low, whatever `max` allows.
    #[must_use]
    pub fn new(max: u32) -> Self {
        Self { limit: START.min(max).max(1), successes: 0 }
    }

    /// Requests at once now.
    #[must_use]
    pub const fn limit(self) -> u32 {
        self.limit
    }

    /// The host's fixed limit has changed: never more than `max`.
    pub const fn cap(&mut self, max: u32) {
        if self.limit > max {
            self.limit = max;
        }
    }

    /// A request ended well. One more at once after as many successes as fit in one round.
    pub const fn succeeded(&mut self, max: u32) {
        self.successes += 1;
        if self.successes >= self.limit {
            self.successes = 0;
            if self.limit < max {
                self.limit += 1;
            }
        }
    }

    /// One overload event: half as many, at least 1, and the round starts over.
    pub const fn overloaded(&mut self) {
        self.limit = if self.limit > 1 { self.limit / 2 } else { 1 };
        self.successes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_by_one_a_round_and_halves_on_overload() {
        let mut adaptive = Adaptive::new(8);
        let mut seen = vec![adaptive.limit()];
        for _ in 0..2 + 3 + 4 + 5 + 6 + 7 + 30 {
            adaptive.succeeded(8);
            if seen.last() != Some(&adaptive.limit()) {
                seen.push(adaptive.limit());
            }
        }
        assert_eq!(seen, [2, 3, 4, 5, 6, 7, 8]);
        adaptive.overloaded();
        assert_eq!(adaptive.limit(), 4);
        (0..5).for_each(|_| adaptive.overloaded());
        assert_eq!(adaptive.limit(), 1);
        adaptive.succeeded(8);
        assert_eq!(adaptive.limit(), 2);
        assert_eq!(Adaptive::new(1).limit(), 1);
        (0..5).for_each(|_| adaptive.succeeded(8));
        adaptive.cap(3);
        assert_eq!(adaptive.limit(), 3);
    }
}

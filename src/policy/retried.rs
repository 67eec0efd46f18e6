//! Does trying again help on this host? Where it does for a quarter of the attempts, the host had failed, and not the URL.

/// Attempts that are counted before older ones count half.
const MEMORY: u16 = 64;

/// One such attempt that ends well outweighs so many that do not.
const OUTWEIGHS: u16 = 3;

/// How further attempts of jobs ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retried {
    good: u16,
    bad: u16,
}

impl Retried {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { good: 0, bad: 0 }
    }

    /// One ended well.
    pub const fn good(&mut self) {
        self.good += 1;
        self.age();
    }

    /// One failed.
    pub const fn bad(&mut self) {
        self.bad += 1;
        self.age();
    }

    /// Whether at least a quarter of them ended well.
    #[must_use]
    pub const fn help(self) -> bool {
        self.good > 0 && self.good * OUTWEIGHS >= self.bad
    }

    const fn age(&mut self) {
        if self.good + self.bad > MEMORY {
            self.good /= 2;
            self.bad /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_that_ends_well_is_enough_and_the_old_is_forgotten() {
        let mut retried = Retried::new();
        assert!(!retried.help());
        retried.good();
        (0..3).for_each(|_| retried.bad());
        assert!(retried.help());
        retried.bad();
        assert!(!retried.help());
        (0..1000).for_each(|_| retried.bad());
        assert!(!retried.help());
        (0..40).for_each(|_| retried.good());
        assert!(retried.help());
    }
}

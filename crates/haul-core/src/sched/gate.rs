//! What has to be known of a host before anything is started for it.

use crate::model::DeferReason;

/// What has to be known of a host before anything is started for it. While a gate is shut its host's jobs wait, and hold
/// nothing.
///
/// That its protocol must be known is none of them: one request goes through to find that out
/// ([`Capacity::Unknown`](super::Capacity::Unknown)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gate {
    /// Its address.
    Address,
    /// What its robots.txt allows (RFC 9309).
    Robots,
}

impl Gate {
    /// All of them, in the order in which they are opened.
    pub const ALL: [Self; 2] = [Self::Address, Self::Robots];

    /// Why a host waits whose next gate this is.
    #[must_use]
    pub const fn reason(self) -> DeferReason {
        match self {
            Self::Address => DeferReason::Address,
            Self::Robots => DeferReason::Robots,
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of gates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gates(u8);

impl Gates {
    /// No gate: everything may be started at once.
    pub const NONE: Self = Self(0);

    /// These and another one.
    #[must_use]
    pub const fn with(self, gate: Gate) -> Self {
        Self(self.0 | gate.bit())
    }

    /// These without one.
    #[must_use]
    pub const fn without(self, gate: Gate) -> Self {
        Self(self.0 & !gate.bit())
    }

    /// Whether this is one of them.
    #[must_use]
    pub const fn has(self, gate: Gate) -> bool {
        self.0 & gate.bit() != 0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The one that is opened first.
    #[must_use]
    pub fn first(self) -> Option<Gate> {
        Gate::ALL.into_iter().find(|gate| self.has(*gate))
    }
}

impl From<Gate> for Gates {
    fn from(gate: Gate) -> Self {
        Self::NONE.with(gate)
    }
}

/// The gates of one host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shut {
    gates: Gates,
    /// The one that the caller has been asked to open.
    asked: Option<Gate>,
}

impl Shut {
    pub(super) const fn new(gates: Gates) -> Self {
        Self { gates, asked: None }
    }

    /// Whether nothing is in the way.
    pub(super) const fn is_none(self) -> bool {
        self.gates.is_empty()
    }

    /// The gate that the host waits at.
    pub(super) fn first(self) -> Option<Gate> {
        self.gates.first()
    }

    /// Whether the caller is on it: an answer will come.
    pub(super) const fn is_asked(self) -> bool {
        self.asked.is_some()
    }

    /// The caller is asked to open the first.
    pub(super) fn ask(&mut self) -> Option<Gate> {
        self.asked = self.first();
        self.asked
    }

    pub(super) fn open(&mut self, gate: Gate) {
        self.gates = self.gates.without(gate);
        self.answer(gate);
    }

    /// It can't be opened now, and is asked for again.
    pub(super) fn shut(&mut self, gate: Gate) {
        self.gates = self.gates.with(gate);
        self.answer(gate);
    }

    fn answer(&mut self, gate: Gate) {
        self.asked = self.asked.filter(|asked| *asked != gate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_asked_for_one_by_one_in_their_order() {
        let mut shut = Shut::new(Gates::from(Gate::Robots).with(Gate::Address));
        assert_eq!((shut.first(), shut.is_asked()), (Some(Gate::Address), false));
        assert_eq!((shut.ask(), shut.is_asked()), (Some(Gate::Address), true));
        shut.shut(Gate::Address);
        assert_eq!((shut.ask(), shut.is_asked()), (Some(Gate::Address), true));
        shut.open(Gate::Address);
        assert_eq!((shut.first(), shut.is_asked(), shut.is_none()), (Some(Gate::Robots), false, false));
        assert_eq!(shut.ask(), Some(Gate::Robots));
        // The host's address has changed, which is no answer to what is asked.
        shut.open(Gate::Address);
        assert!(shut.is_asked());
        shut.open(Gate::Robots);
        assert!(shut.is_none() && !shut.is_asked());
    }

    #[test]
    fn a_gate_that_opens_unasked_is_not_asked_for() {
        let mut shut = Shut::new(Gates::from(Gate::Address).with(Gate::Robots));
        shut.open(Gate::Robots);
        shut.ask();
        shut.open(Gate::Address);
        assert!(shut.is_none());
    }
}

//! How large may it get? The three body caps and their failures.

use crate::config::BodySettings;
use crate::model::{Failure, FailureKind, Phase};

/// Below this many decoded bytes the ratio is not judged: a few kilobytes of zeros are no bomb.
const RATIO_FROM: u64 = 1 << 20;

/// The caps of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caps {
    wire: u64,
    decoded: u64,
    ratio: u32,
}

impl Caps {
    pub(super) const fn new(settings: &BodySettings) -> Self {
        Self { wire: settings.max_wire, decoded: settings.max_decoded, ratio: settings.max_ratio }
    }

    /// Whether so many bytes may come from the wire.
    pub(super) fn wire(&self, bytes: u64) -> Result<(), Failure> {
        if bytes <= self.wire {
            return Ok(());
        }
        let message = format!("the body is larger than {} bytes on the wire (max_wire)", self.wire);
        Err(Failure::new(Phase::Body, FailureKind::TooLarge, message))
    }

    /// Whether so many bytes may be decoded from so many on the wire.
    pub(super) fn decoded(&self, bytes: u64, wire: u64) -> Result<(), Failure> {
        if bytes > self.decoded {
            let message = format!("the decoded body is larger than {} bytes (max_decoded)", self.decoded);
            return Err(Failure::new(Phase::Decode, FailureKind::TooLarge, message));
        }
        if bytes >= RATIO_FROM && bytes > wire.saturating_mul(u64::from(self.ratio)) {
            let message = format!("{wire} bytes on the wire expand to more than {} times that (max_ratio)", self.ratio);
            return Err(Failure::new(Phase::Decode, FailureKind::ExpansionRatio, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(result: Result<(), Failure>) -> Option<(Phase, FailureKind)> {
        result.err().map(|failure| (failure.phase, failure.kind))
    }

    #[test]
    fn each_cap_is_the_last_value_allowed() {
        let caps = Caps { wire: 10, decoded: 4 << 20, ratio: 100 };
        assert_eq!(kind(caps.wire(10)), None);
        assert_eq!(kind(caps.wire(11)), Some((Phase::Body, FailureKind::TooLarge)));
        assert_eq!(kind(caps.decoded(4 << 20, 1 << 20)), None);
        assert_eq!(kind(caps.decoded((4 << 20) + 1, 1 << 20)), Some((Phase::Decode, FailureKind::TooLarge)));
        assert_eq!(kind(caps.decoded((1 << 20) - 1, 1)), None);
        assert_eq!(kind(caps.decoded(1 << 20, 1)), Some((Phase::Decode, FailureKind::ExpansionRatio)));
        assert_eq!(kind(caps.decoded(2_000_000, 20_000)), None);
        assert_eq!(kind(caps.decoded(2_000_001, 20_000)), Some((Phase::Decode, FailureKind::ExpansionRatio)));
    }
}

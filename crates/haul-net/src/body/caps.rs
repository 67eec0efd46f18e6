//! How large may it get? The three body caps and their failures.

use haul_core::config::{BodySettings, Setting};
use haul_core::model::{Failure, FailureKind, Phase};

/// Below this many decoded bytes the ratio is not judged: a few kilobytes of zeros are no bomb.
const RATIO_FROM: u64 = 1 << 20;

/// The caps of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caps {
    wire: u64,
    decoded: u64,
    /// The setting that `decoded` comes from.
    name: Setting,
    ratio: u32,
}

impl Caps {
    /// `kept`: the body is held in memory.
    pub(super) const fn new(settings: &BodySettings, kept: bool) -> Self {
        let (decoded, name) = if kept && settings.max_kept < settings.max_decoded {
            (settings.max_kept, Setting::MaxKept)
        } else {
            (settings.max_decoded, Setting::MaxDecoded)
        };
        Self { wire: settings.max_wire, decoded, name, ratio: settings.max_ratio }
    }

    /// Whether so many bytes may come from the wire.
    pub(super) fn wire(&self, bytes: u64) -> Result<(), Failure> {
        if bytes <= self.wire {
            return Ok(());
        }
        let message = format!("the body is larger than {} bytes on the wire (`{}`)", self.wire, Setting::MaxWire);
        Err(Failure::new(Phase::Body, FailureKind::TooLarge, message))
    }

    /// Whether so many bytes may be decoded from so many on the wire.
    pub(super) fn decoded(&self, bytes: u64, wire: u64) -> Result<(), Failure> {
        if bytes > self.decoded {
            let message = format!("the decoded body is larger than {} bytes (`{}`)", self.decoded, self.name);
            return Err(Failure::new(Phase::Decode, FailureKind::TooLarge, message));
        }
        if bytes >= RATIO_FROM && bytes > wire.saturating_mul(u64::from(self.ratio)) {
            let (ratio, setting) = (self.ratio, Setting::MaxRatio);
            let message = format!("{wire} bytes on the wire expand to more than {ratio} times that (`{setting}`)");
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
    fn what_is_kept_in_memory_has_a_cap_of_its_own() {
        let settings = BodySettings { max_decoded: 100, max_kept: 10, ..BodySettings::default() };
        assert_eq!(kind(Caps::new(&settings, false).decoded(100, 100)), None);
        let refused = Caps::new(&settings, true).decoded(11, 11).expect_err("over");
        assert!(refused.message.contains("max_kept"), "{refused}");
        let wide = BodySettings { max_kept: 1000, ..settings };
        assert!(Caps::new(&wide, true).decoded(101, 101).is_err());
    }

    #[test]
    fn each_cap_is_the_last_value_allowed() {
        let caps = Caps { wire: 10, decoded: 4 << 20, name: Setting::MaxDecoded, ratio: 100 };
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

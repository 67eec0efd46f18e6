//! Which hosts asked for a pause last: where several do, and are served in turn, one limiter may stand in front of them all.

use std::time::Duration;

use crate::model::Time;

/// So many others that ask for a pause at the same time are no chance.
const SEVERAL: usize = 3;

/// The same time: pauses are short, as a rule, and each host asks again after its own.
const LATELY: Duration = Duration::from_secs(30);

/// The last hosts that asked, each once, and when.
#[derive(Debug, Default)]
pub(super) struct Askers {
    last: [Option<(u32, Time)>; SEVERAL + 1],
    /// When a host was served last that had failed before.
    served: Option<Time>,
}

impl Askers {
    /// Host `id` asks for a pause.
    pub(super) fn note(&mut self, id: u32, now: Time) {
        let own = self.last.iter().position(|asker| asker.is_none_or(|(host, _)| host == id));
        // The latest one stands in front, and the earliest one gives way.
        self.last[..=own.unwrap_or(SEVERAL)].rotate_right(1);
        self.last[0] = Some((id, now));
    }

    /// A host that had failed before has answered well.
    pub(super) const fn note_served(&mut self, now: Time) {
        self.served = Some(now);
    }

    /// Whether several others have asked of late, and hosts that had failed are served.
    pub(super) fn has_several_beside(&self, id: u32, now: Time) -> bool {
        let is_late = |at: Time| now.since(at) <= LATELY;
        let others = self.last.iter().flatten().filter(|(host, at)| *host != id && is_late(*at));
        self.served.is_some_and(is_late) && others.count() >= SEVERAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn several_are_three_others_within_half_a_minute() {
        let mut askers = Askers::default();
        askers.note_served(at(9));
        for _ in 0..9 {
            askers.note(1, at(0));
            askers.note(2, at(0));
        }
        assert!(!askers.has_several_beside(3, at(0)), "two, however often");
        askers.note(3, at(10));
        assert!(!askers.has_several_beside(3, at(10)) && askers.has_several_beside(4, at(10)));
        askers.note(4, at(20));
        assert!([1, 2, 3, 4, 5].iter().all(|host| askers.has_several_beside(*host, at(30))));
        assert!(!askers.has_several_beside(5, at(31)), "two of them are too long ago");
        askers.note(5, at(31));
        assert!(!askers.has_several_beside(6, at(40)), "nobody is served any more");
        askers.note_served(at(40));
        assert!(askers.has_several_beside(6, at(40)), "the others have given way");
    }
}

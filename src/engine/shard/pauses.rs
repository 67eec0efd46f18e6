//! Why nothing is started in the whole shard: its sink is behind, or its user says so.

use std::cell::Cell;

/// What holds the shard up.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    sink: Cell<bool>,
    user: Cell<bool>,
}

/// A pause of the whole shard has begun, or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Begun,
    Over,
}

impl Pauses {
    /// Whether nothing is done because the sink is behind: a job that is given up is a record, too.
    pub(super) fn sink_is_behind(&self) -> bool {
        self.sink.get()
    }

    /// The sink is behind, or has caught up. `None`: that was known.
    pub(super) fn set_sink_behind(&self, is_behind: bool) -> Option<Option<Change>> {
        self.set(&self.sink, is_behind)
    }

    /// The user has paused the run, or lets it go on. `None`: that was known.
    pub(super) fn set_by_user(&self, is_paused: bool) -> Option<Option<Change>> {
        self.set(&self.user, is_paused)
    }

    fn is_paused(&self) -> bool {
        self.sink.get() || self.user.get()
    }

    /// What has changed for the shard by this one of its reasons, if that is news at all.
    fn set(&self, reason: &Cell<bool>, holds: bool) -> Option<Option<Change>> {
        let before = self.is_paused();
        if reason.replace(holds) == holds {
            return None;
        }
        let change = if holds { Change::Begun } else { Change::Over };
        Some((self.is_paused() != before).then_some(change))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_goes_on_when_the_last_reason_is_gone() {
        use Change::{Begun, Over};
        let pauses = Pauses::default();
        let sink = |behind| pauses.set_sink_behind(behind);
        let user = |paused| pauses.set_by_user(paused);
        assert_eq!((sink(false), user(false)), (None, None), "nothing new");
        assert_eq!((sink(true), user(true), sink(true)), (Some(Some(Begun)), Some(None), None));
        assert_eq!((sink(false), user(false)), (Some(None), Some(Some(Over))));
        assert_eq!((user(true), sink(true)), (Some(Some(Begun)), Some(None)));
        assert_eq!((user(false), sink(false)), (Some(None), Some(Some(Over))));
    }
}

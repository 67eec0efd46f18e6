//! Which jobs the source has yet to be told about.
//!
//! Kept where records become safe, and only for a source that wants to know. Bounded by the window, but for jobs that have just been
//! replied to.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::model::{Ending, Settled};

/// The jobs that were taken in and are not settled.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    /// By position: whether the job has ended, so that it is its record that is missing.
    jobs: HashMap<u64, bool, RandomState>,
}

impl Unsettled {
    /// These were taken in.
    pub(super) fn admit(&mut self, seqs: impl IntoIterator<Item = u64>) {
        self.jobs.extend(seqs.into_iter().map(|seq| (seq, false)));
    }

    /// These have ended, and their records are to be written.
    pub(super) fn end(&mut self, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            if let Some(has_ended) = self.jobs.get_mut(&seq) {
                *has_ended = true;
            }
        }
    }

    /// These are over: what the source is told. One that it was told of before, or that it never gave, is left out.
    pub(super) fn settle(&mut self, seqs: &[u64], ending: Ending) -> Vec<Settled> {
        let open = seqs.iter().filter(|seq| self.jobs.remove(seq).is_some());
        open.map(|seq| Settled { seq: *seq, ending }).collect()
    }

    /// The run is over, and with it all that is left, in order.
    pub(super) fn settle_rest(&mut self) -> Vec<Settled> {
        let ending = |has_ended| if has_ended { Ending::Unwritten } else { Ending::Cancelled };
        let mut rest: Vec<_> =
            self.jobs.drain().map(|(seq, has_ended)| Settled { seq, ending: ending(has_ended) }).collect();
        rest.sort_unstable_by_key(|settled| settled.seq);
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(settled: &[Settled]) -> Vec<(u64, Ending)> {
        settled.iter().map(|settled| (settled.seq, settled.ending)).collect()
    }

    #[test]
    fn each_is_settled_once_with_how_it_ended() {
        let mut jobs = Unsettled::default();
        jobs.admit(0..6);
        jobs.end([3, 1, 2, 77]);
        assert_eq!(told(&jobs.settle(&[3, 1], Ending::Recorded)), [(3, Ending::Recorded), (1, Ending::Recorded)]);
        assert_eq!(told(&jobs.settle(&[3, 77], Ending::Recorded)), [], "again, and never given");
        assert_eq!(told(&jobs.settle(&[5], Ending::Replied)), [(5, Ending::Replied)]);
        let rest = [(0, Ending::Cancelled), (2, Ending::Unwritten), (4, Ending::Cancelled)];
        assert_eq!(told(&jobs.settle_rest()), rest);
        assert_eq!(told(&jobs.settle_rest()), []);
    }
}

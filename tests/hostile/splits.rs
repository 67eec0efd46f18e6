//! Every form of response, delivered split at every byte and cut at every byte, in memory: the verdict must not depend on
//! the split, and a cut is never a success.

use tokio::runtime::Runtime;

use super::case::{Case, Group, Verdict};
use super::memory::{Delivery, Ending, Said, exchange, runtime};
use super::scripts::{Script, bodiless, broken, lenient, until_the_end, whole};

/// Up to this length a response is also delivered in three pieces, at every pair of places.
const SHORT: usize = 200;

pub(crate) fn group() -> Group {
    let cases = scripts().map(Script::into_case).collect();
    Group { title: "Split and cut at every byte, in memory", cases }
}

fn scripts() -> impl Iterator<Item = Script> {
    [whole(), until_the_end(), bodiless(), lenient(), broken()].into_iter().flatten()
}

/// How many are tried in all.
pub(crate) fn deliveries() -> usize {
    scripts().map(|script| script.ways()).sum()
}

impl Script {
    fn into_case(self) -> Case {
        let what = format!("{}: {} ways to deliver {} bytes", self.what, self.ways(), self.bytes.len());
        Case::new(what, "", self.expected, move || {
            let runtime = runtime();
            let (verdict, splits) = self.split(&runtime);
            let cuts = if self.is_broken() { 0 } else { self.cut(&runtime) };
            assert_eq!(splits + cuts, self.ways(), "deliveries");
            verdict
        })
    }

    /// How many deliveries are tried.
    fn ways(&self) -> usize {
        let length = self.bytes.len();
        let places = length - 1;
        let pairs = if length <= SHORT { places * (places - 1) / 2 } else { 0 };
        let cuts = if self.is_broken() { 0 } else { 4 * length };
        1 + 2 + 2 * places + pairs + cuts
    }

    fn deliver(&self, runtime: &Runtime, pieces: Vec<&[u8]>, ending: Ending, waits: bool) -> Said {
        runtime.block_on(exchange(&self.method, &Delivery { pieces, ending, waits, early: false }))
    }

    /// In one piece, in two, in three, and byte by byte.
    fn split(&self, runtime: &Runtime) -> (Verdict, usize) {
        let bytes = &self.bytes[..];
        let whole = self.deliver(runtime, vec![bytes], self.ending, false);
        let mut deliveries = 1;
        let mut same = |pieces: Vec<&[u8]>, waits: bool| {
            let said = self.deliver(runtime, pieces.clone(), self.ending, waits);
            let pieces: Vec<_> = pieces.into_iter().map(String::from_utf8_lossy).collect();
            assert_eq!(said, whole, "in pieces, waiting {waits}: {pieces:?}");
            deliveries += 1;
        };
        for waits in [false, true] {
            same(bytes.chunks(1).collect(), waits);
            for (first, second) in (1..bytes.len()).map(|at| bytes.split_at(at)) {
                same(vec![first, second], waits);
            }
        }
        if bytes.len() <= SHORT {
            for (first, rest) in (1..bytes.len()).map(|at| bytes.split_at(at)) {
                for (second, third) in (1..rest.len()).map(|at| rest.split_at(at)) {
                    same(vec![first, second, third], true);
                }
            }
        }
        (whole.verdict, deliveries)
    }

    /// Ended and reset before every byte.
    fn cut(&self, runtime: &Runtime) -> usize {
        let mut deliveries = 0;
        for kept in (0..self.bytes.len()).map(|at| &self.bytes[..at]) {
            for ending in [Ending::Eof, Ending::Reset] {
                let whole = self.deliver(runtime, vec![kept], ending, false);
                assert!(
                    self.may_be_said(whole.verdict, kept.len(), ending, true),
                    "after {} bytes, {ending:?}: {whole:?}",
                    kept.len()
                );
                let bytewise = self.deliver(runtime, kept.chunks(1).collect(), ending, true);
                assert_eq!(bytewise, whole, "after {} bytes, {ending:?}, byte by byte", kept.len());
                deliveries += 2;
            }
        }
        deliveries
    }
}

//! Responses over TLS, in memory: split into records and reads at every byte, and cut at every byte of the plain text and of
//! the records. Only what close_notify ends may end with the connection.

use std::cell::Cell;

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tokio::runtime::Runtime;

use super::answers::TRUNCATED;
use super::case::{Case, Group, Verdict};
use super::memory::{Ending, Said, runtime};
use super::scripts::{Script, bodiless, until_the_end, whole};
use super::tls_memory::{Delivered, Pair, Sealed};

/// The plain text of a record where records are cut.
const RECORD: usize = 8;

/// The versions, and by how many bytes a record is longer than its text.
const TLS: [(&SupportedProtocolVersion, &str, usize); 2] = [(&TLS13, "", 22), (&TLS12, " (TLS 1.2)", 29)];

pub(crate) fn group() -> Group {
    let with = |(version, note, seal)| scripts().map(move |script| case(script, version, note, seal));
    Group { title: "Split and cut at every byte over TLS, in memory", cases: TLS.into_iter().flat_map(with).collect() }
}

fn scripts() -> impl Iterator<Item = Script> {
    [whole(), until_the_end(), bodiless()].into_iter().flatten()
}

/// How many are tried in all.
pub(crate) fn deliveries() -> usize {
    TLS.iter().flat_map(|(.., seal)| scripts().map(|script| ways(&script, *seal))).sum()
}

fn case(script: Script, version: &'static SupportedProtocolVersion, note: &str, seal: usize) -> Case {
    let ways = ways(&script, seal);
    let what = format!("{}{note}: {ways} ways to deliver {} bytes", script.what, script.bytes.len());
    Case::new(what, "RFC 9112 §9.8", script.expected, move || {
        let line = Line { pair: Pair::new(version), runtime: runtime(), script, seal, deliveries: Cell::new(0) };
        let verdict = line.split();
        line.cut();
        assert_eq!(line.deliveries.get(), ways, "deliveries");
        verdict
    })
}

/// How a connection ends after the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Not at all.
    Open,
    Bye,
    /// Without close_notify.
    Cut,
}

const ENDS: [End; 3] = [End::Open, End::Bye, End::Cut];

impl End {
    /// Those that leave a response of this kind whole or cut, but not unfinished.
    fn all(script: &Script) -> Vec<Self> {
        let is_delimited = script.ending == Ending::Silence;
        ENDS.into_iter().filter(|end| is_delimited || *end != Self::Open).collect()
    }

    /// The bytes of so much text in so many records.
    const fn sealed(self, text: usize, records: usize, seal: usize) -> usize {
        let bye = if matches!(self, Self::Bye) { ALERT + seal } else { 0 };
        text + records * seal + bye
    }
}

/// The plain text of close_notify.
const ALERT: usize = 2;

/// How many deliveries are tried, where each record is longer than its text by `seal`.
fn ways(script: &Script, seal: usize) -> usize {
    let length = script.bytes.len();
    let splits = |end: End| 3 + length - 1 + end.sealed(length, 1, seal) - 1;
    let cuts = 2 * length + End::Bye.sealed(length, length.div_ceil(RECORD), seal);
    End::all(script).into_iter().map(splits).sum::<usize>() + cuts
}

struct Line {
    pair: Pair,
    runtime: Runtime,
    script: Script,
    /// By how much a record is longer than its text.
    seal: usize,
    deliveries: Cell<usize>,
}

impl Line {
    fn deliver(&self, records: Vec<&[u8]>, end: End, delivered: Delivered) -> (Said, usize) {
        self.deliveries.set(self.deliveries.get() + 1);
        let sealed = Sealed { records, bye: end == End::Bye, ends: end != End::Open, delivered };
        self.runtime.block_on(self.pair.exchange(&self.script.method, &sealed))
    }

    /// Whatever the records and the reads, the same is said for the same end.
    fn split(&self) -> Verdict {
        let bytes = &self.script.bytes[..];
        for end in End::all(&self.script) {
            let (whole, sealed) = self.deliver(vec![bytes], end, Delivered::AtOnce);
            assert_eq!(sealed, end.sealed(bytes.len(), 1, self.seal), "bytes of records");
            let is_told = self.script.ending == Ending::Silence || end == End::Bye;
            assert_eq!(whole.verdict, if is_told { self.script.expected } else { TRUNCATED }, "{end:?}");
            let same = |records: Vec<&[u8]>, delivered| {
                let count = records.len();
                let (said, _) = self.deliver(records, end, delivered);
                assert_eq!(said, whole, "{end:?}, {delivered:?}, {count} records");
            };
            same(vec![bytes], Delivered::Bytewise);
            same(bytes.chunks(1).collect(), Delivered::AtOnce);
            (1..bytes.len()).for_each(|at| same(vec![&bytes[..at], &bytes[at..]], Delivered::AtOnce));
            (1..sealed).for_each(|at| same(vec![bytes], Delivered::SplitAt(at)));
        }
        self.script.expected
    }

    /// Ended before each byte of the text, with and without close_notify, and before each byte of its records.
    fn cut(&self) {
        let bytes = &self.script.bytes[..];
        for kept in (0..bytes.len()).map(|at| &bytes[..at]) {
            for end in [End::Bye, End::Cut] {
                let (said, _) = self.deliver(vec![kept], end, Delivered::AtOnce);
                self.hold(&said, kept.len(), end == End::Bye, &format!("{} bytes, {end:?}", kept.len()));
            }
        }
        let records: Vec<_> = bytes.chunks(RECORD).collect();
        let text = End::Cut.sealed(bytes.len(), records.len(), self.seal);
        for at in 0..End::Bye.sealed(bytes.len(), records.len(), self.seal) {
            let came = if at >= text { bytes.len() } else { at / (RECORD + self.seal) * RECORD };
            let (said, _) = self.deliver(records.clone(), End::Bye, Delivered::CutAt(at));
            self.hold(&said, came, false, &format!("{at} bytes of records"));
        }
    }

    fn hold(&self, said: &Said, came: usize, told: bool, how: &str) {
        assert!(self.script.may_be_said(said.verdict, came, Ending::Eof, told), "after {how}: {said:?}");
    }
}

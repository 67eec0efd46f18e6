//! What is known of an HTTP/2 server, for its stream and the exchanges on it: what it may still send that brings nothing, and which
//! of its heads h2 can have come upon last. Pure.
//!
//! What h2 calls an error of the connection ends all that is on it, also where one head is to blame (a field's name in upper
//! case). The others were cut off, and are worth another try.

use std::cell::{Cell, RefCell};

/// Frames that bring nothing which a connection takes beyond what it has been paid for. More than the informational heads
/// that one response may have, which have a bound of their own; few enough for a flood to end within milliseconds.
pub(super) const MOST_IDLE: u32 = 16 << 10;
/// As many more for each request: its heads, the end of its stream, what a server likes to say beside (PRIORITY, ALTSVC).
const IDLE_A_REQUEST: u32 = 64;

/// How many frames without a use the server may still send, paid for by what it does (RFC 9113 §10.5).
#[derive(Debug)]
pub(super) struct FrameBudget {
    /// Of any type.
    frames: Cell<u32>,
    /// WINDOW_UPDATEs: no byte can be given back that was not sent, but each one alone, to its stream and to the connection.
    updates: Cell<u64>,
}

impl Default for FrameBudget {
    fn default() -> Self {
        Self { frames: Cell::new(MOST_IDLE), updates: Cell::new(0) }
    }
}

impl FrameBudget {
    /// A request goes out.
    pub(super) fn request(&self) {
        self.earn(IDLE_A_REQUEST);
    }

    /// So many bytes of a request's body go out.
    pub(super) fn upload(&self, bytes: usize) {
        self.updates.set(self.updates.get().saturating_add(2 * bytes as u64));
    }

    pub(super) fn earn(&self, frames: u32) {
        self.frames.set(self.frames.get().saturating_add(frames).min(MOST_IDLE));
    }

    /// False: there is nothing left to spend.
    pub(super) fn spend(&self, frames: u32) -> bool {
        let left = self.frames.get().checked_sub(frames);
        self.frames.set(left.unwrap_or_default());
        left.is_some()
    }

    pub(super) fn spend_update(&self) -> bool {
        match self.updates.get().checked_sub(1) {
            Some(left) => {
                self.updates.set(left);
                true
            }
            None => self.spend(1),
        }
    }
}

/// The most heads of one read that are told apart.
const MOST_UNCONFIRMED: usize = 64;

/// The heads that were handed on and that h2 may not have got through yet: all of the last read.
#[derive(Debug)]
pub(super) struct UnconfirmedHeads {
    /// The streams, with [`ENDS`] where the head ends its stream.
    heads: [Cell<u32>; MOST_UNCONFIRMED],
    count: Cell<usize>,
    /// The last stream that was opened. A head on a later one is nobody's.
    opened: Cell<u32>,
}

/// The bit of a stream's number that means nothing.
const ENDS: u32 = 1 << 31;

impl Default for UnconfirmedHeads {
    fn default() -> Self {
        Self { heads: [const { Cell::new(0) }; MOST_UNCONFIRMED], count: Cell::new(0), opened: Cell::new(0) }
    }
}

impl UnconfirmedHeads {
    /// A request went out on this stream.
    pub(super) fn opened(&self, stream: u32) {
        self.opened.set(self.opened.get().max(stream));
    }

    pub(super) fn note(&self, stream: [u8; 4], ends: bool) {
        let stream = u32::from_be_bytes(stream) & !ENDS;
        if stream.is_multiple_of(2) || stream > self.opened.get() {
            return;
        }
        let count = self.count.get();
        if let Some(place) = self.heads.get(count) {
            place.set(if ends { stream | ENDS } else { stream });
        }
        self.count.set(count + 1);
    }

    pub(super) fn clear(&self) {
        self.count.set(0);
    }

    /// Once the connection has ended: this stream's head turned out good, and with `all` its trailers, too.
    pub(super) fn confirm(&self, stream: u32, all: bool) {
        for head in self.heads.iter().take(self.count.get()) {
            if head.get() == stream || all && head.get() == stream | ENDS {
                head.set(0);
            }
        }
    }

    /// Whether an error of the connection is the fault of this stream, once those whose heads were good are confirmed: h2 looks at
    /// one head after another, and at none after a bad one. Where no other is left, it is.
    pub(super) fn include(&self, stream: u32) -> bool {
        let Some(heads) = self.heads.get(..self.count.get()) else { return true };
        let mut unconfirmed = heads.iter().map(Cell::get).filter(|head| *head != 0);
        unconfirmed.next().is_none_or(|first| first & !ENDS == stream)
    }
}

/// Requests that are still being sent.
#[derive(Debug, Default)]
pub(super) struct UnfinishedUploads {
    /// Their streams, and whether the response has come whole. Few: each is one that the server serves now.
    streams: RefCell<Vec<(u32, bool)>>,
}

impl UnfinishedUploads {
    /// The body of the request on this stream begins.
    pub(super) fn begin(&self, stream: u32) {
        self.streams.borrow_mut().push((stream, false));
    }

    /// All of it has been sent, or nobody wants the response any more.
    pub(super) fn end(&self, stream: u32) {
        self.streams.borrow_mut().retain(|(other, _)| *other != stream);
    }

    /// The response on this stream, the bit that means nothing included, ends.
    pub(super) fn answer(&self, stream: [u8; 4]) {
        let stream = u32::from_be_bytes(stream) & !ENDS;
        let mut streams = self.streams.borrow_mut();
        streams.iter_mut().filter(|(own, _)| *own == stream).for_each(|(_, answered)| *answered = true);
    }

    /// The streams whose response has come whole, once each.
    pub(super) fn answered(&self) -> Vec<u32> {
        let answered = |(_, answered): &mut (u32, bool)| *answered;
        self.streams.borrow_mut().extract_if(.., answered).map(|(stream, _)| stream).collect()
    }
}

/// HTTP_1_1_REQUIRED (RFC 9113 §7).
const HTTP_1_1_REQUIRED: u32 = 0xd;
/// The most of a server's own words that are kept.
const MOST_WORDS: usize = 128;

/// What the server said when it left.
#[derive(Debug, Default)]
pub(super) struct GoAway {
    code: Cell<u32>,
    words: RefCell<Box<str>>,
}

impl GoAway {
    /// A GOAWAY's payload (RFC 9113 §6.8). Whoever wants HTTP/1.1 serves no stream over HTTP/2, whichever he says that he has
    /// seen last: none is to wait for him.
    pub(super) fn hear(&self, payload: &mut [u8]) {
        let Some((fixed, words)) = payload.split_first_chunk_mut::<8>() else { return };
        let [last @ .., a, b, c, d] = fixed;
        let code = u32::from_be_bytes([*a, *b, *c, *d]);
        if code == HTTP_1_1_REQUIRED {
            last.fill(0);
        }
        self.code.set(code);
        *self.words.borrow_mut() = String::from_utf8_lossy(&words[..words.len().min(MOST_WORDS)]).into();
    }

    /// In words, if there is anything to say.
    pub(super) fn said(&self) -> Option<String> {
        let (reason, words) = (h2::Reason::from(self.code.get()), self.words.borrow());
        let code = super::error::code(reason);
        match (reason == h2::Reason::NO_ERROR, words.is_empty()) {
            (true, true) => None,
            (_, true) => Some(format!("it had said GOAWAY: {code}")),
            (_, false) => Some(format!("it had said GOAWAY: {code} ('{words}')")),
        }
    }
}

/// What is known of a server, for its stream and the exchanges on it.
#[derive(Debug, Default)]
pub(super) struct H2Peer {
    pub(super) unfinished: UnfinishedUploads,
    pub(super) go_away: GoAway,
    pub(super) budget: FrameBudget,
    pub(super) unconfirmed: UnconfirmedHeads,
    /// It has sent a frame.
    pub(super) heard: Cell<bool>,
    /// And h2 has all of the first one: its settings.
    pub(super) settled: Cell<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_not_acquitted_is_to_blame() {
        let unconfirmed = UnconfirmedHeads::default();
        unconfirmed.opened(9);
        let note = |stream, ends| unconfirmed.note([0, 0, 0, stream], ends);
        let blamed = || [1, 3, 5, 7].map(|stream| unconfirmed.include(stream));
        note(1, false);
        note(3, true);
        note(5, false);
        assert_eq!(blamed(), [true, false, false, false]);
        unconfirmed.confirm(1, false);
        assert_eq!(blamed(), [false, true, false, false]);
        unconfirmed.confirm(3, false);
        assert_eq!(blamed(), [false, true, false, false], "its trailers may be bad");
        unconfirmed.confirm(3, true);
        assert_eq!(blamed(), [false, false, true, false]);
        unconfirmed.confirm(5, false);
        assert_eq!(blamed(), [true; 4], "nobody is left");
    }
}

//! The frames of an HTTP/2 server on their way to h2: heads in one piece, and an end to what brings nothing. Pure.
//!
//! h2 decodes a head fragment by fragment. What it found wrong in one of them is lost when that one ends within a field, so a
//! head with a forbidden field would pass; where it ends with a field, the rest has nobody to belong to and the connection
//! falls ([h2#37](https://github.com/hyperium/h2/issues/37)). Here the fragments become one frame, which h2 judges as a whole.
//! A GOAWAY is read, because h2 keeps what it says from the streams that it does not end. All other frames pass where they are,
//! after a look at their nine bytes of header.

use std::rc::Rc;

use super::h2_peer::{FrameBudget, H2Peer};

/// Larger frames mean fewer of them; 16 KiB is the protocol's default.
pub(super) const FRAME_SIZE: u32 = 64 << 10;
/// Bytes of a frame's header: length (3), type, flags, stream (4).
pub(super) const HEADER: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const PUSH_PROMISE: u8 = 5;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// More fragments of one head than h2 takes, which here get no further than that.
const FRAGMENTS_REFUSED: usize = 6;
/// A frame's payload that costs as much as a frame.
const IDLE_BYTES: u32 = 256;

/// A frame's header, and how much of its payload is padding, where that matters.
#[derive(Clone, Copy, Debug)]
struct FrameHeader {
    length: u32,
    kind: u8,
    flags: u8,
    /// The stream's number with the bit that means nothing.
    stream: [u8; 4],
    /// The length of the padding and the byte that says it.
    padding: u32,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FrameAction {
    Pass,
    /// It is a fragment of a head.
    Gather,
    /// It says why the server leaves.
    Hear,
    /// It says nothing, and h2 would count it against the connection for ever.
    Drop,
    /// It is larger than what haul said that it takes.
    Refuse,
}

impl FrameHeader {
    /// `None`: more of it has to come.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[a, b, c, kind, flags, s, t, r, e], rest) = bytes.split_first_chunk()?;
        let length = u32::from_be_bytes([0, a, b, c]);
        let padding = if kind == DATA && flags & PADDED != 0 && length > 0 { u32::from(*rest.first()?) + 1 } else { 0 };
        Some(Self { length, kind, flags, stream: [s, t, r, e], padding })
    }

    const fn fate(&self) -> FrameAction {
        if self.length > FRAME_SIZE {
            FrameAction::Refuse
        } else if matches!(self.kind, HEADERS | PUSH_PROMISE) && self.flags & END_HEADERS == 0 {
            FrameAction::Gather
        } else if self.kind == DATA && self.length == 0 && self.flags & END_STREAM == 0 {
            FrameAction::Drop
        } else if self.kind == GOAWAY {
            FrameAction::Hear
        } else {
            FrameAction::Pass
        }
    }

    /// Pays for the frame, or is paid for it. False: there is nothing left to pay with.
    fn settle(&self, budget: &FrameBudget) -> bool {
        let cost = 1 + self.length / IDLE_BYTES;
        match self.kind {
            DATA if self.length > self.padding || self.flags & END_STREAM != 0 => {
                budget.earn(cost);
                true
            }
            WINDOW_UPDATE => budget.spend_update(),
            // Its size has a bound of its own.
            HEADERS => budget.spend(1),
            _ => budget.spend(cost),
        }
    }
}

/// The fragments of a head: the first frame as it came, and the payloads of those after it.
#[derive(Debug)]
struct HeadFragments {
    bytes: Vec<u8>,
    first: FrameHeader,
    /// The fragment under way is the first one, the last one.
    is_first: bool,
    is_last: bool,
}

impl HeadFragments {
    fn new(first: FrameHeader, header: &[u8]) -> Self {
        Self { bytes: header.to_vec(), first, is_first: true, is_last: false }
    }

    fn is_continued_by(&self, header: &FrameHeader) -> bool {
        header.kind == CONTINUATION && header.stream == self.first.stream
    }

    /// A fragment has come whole. True: nothing more belongs to the head.
    fn fragment_ends(&mut self) -> bool {
        let malformed = std::mem::replace(&mut self.is_first, false) && !self.strip();
        malformed || self.is_last
    }

    /// Takes the padding from the first fragment. False: it has no room for what its flags say, which no other fragment can
    /// give; h2 refuses it as it stands.
    fn strip(&mut self) -> bool {
        let length = self.bytes.len() - HEADER;
        let padded = self.first.flags & PADDED != 0;
        let padding = match self.bytes.get(HEADER) {
            Some(byte) if padded => 1 + usize::from(*byte),
            None if padded => return false,
            _ => 0,
        };
        let fixed = match self.first.kind {
            PUSH_PROMISE => 4,
            _ if self.first.flags & PRIORITY != 0 => 5,
            _ => 0,
        };
        if length < padding + fixed {
            return false;
        }
        if padded {
            self.bytes.truncate(HEADER + length - (padding - 1));
            self.bytes.remove(HEADER);
            self.first.flags &= !PADDED;
        }
        true
    }

    /// One frame of all of it.
    fn into_frame(mut self) -> Vec<u8> {
        let [_, length @ ..] = u32::try_from(self.bytes.len() - HEADER).unwrap_or(u32::MAX).to_be_bytes();
        self.bytes[..3].copy_from_slice(&length);
        self.bytes[4] = self.first.flags | END_HEADERS;
        self.bytes
    }
}

/// Where in the server's frames we are.
#[derive(Debug)]
pub(super) struct FrameFilter {
    /// Bytes of the payload under way that are still to come.
    left: usize,
    /// The beginning of a header whose rest has to come, with the length of the padding.
    header: [u8; HEADER + 1],
    seen: usize,
    head: Option<Box<HeadFragments>>,
    /// A GOAWAY, as far as it has come.
    go_away: Option<Vec<u8>>,
    /// The most bytes that a head in fragments may have.
    most: usize,
    peer: Rc<H2Peer>,
    /// The head whose payload is under way: its stream, and whether it ends it.
    passing: Option<([u8; 4], bool)>,
    /// The server has used it up: nothing of it is handed on any more.
    over: bool,
}

impl FrameFilter {
    /// `most`: bytes of a head in fragments, as they are on the wire.
    pub(super) const fn new(most: usize, peer: Rc<H2Peer>) -> Self {
        Self {
            left: 0,
            header: [0; HEADER + 1],
            seen: 0,
            head: None,
            go_away: None,
            most,
            peer,
            passing: None,
            over: false,
        }
    }

    /// More is about to be read: h2 has got through all heads that were handed on whole, and through the settings that come first.
    pub(super) fn read_on(&mut self) {
        self.peer.unconfirmed.clear();
        if self.left == 0 && self.peer.heard.get() {
            self.peer.settled.set(true);
        }
        if let (Some((stream, ends)), true) = (self.passing, self.left > 0) {
            self.peer.unconfirmed.note(stream, ends);
        }
    }

    /// A frame is handed on.
    fn hand_on(&mut self, header: &FrameHeader) {
        self.peer.heard.set(true);
        let ends = matches!(header.kind, HEADERS | DATA) && header.flags & END_STREAM != 0;
        if ends {
            self.peer.unfinished.answer(header.stream);
        }
        self.passing = (header.kind == HEADERS).then_some((header.stream, ends));
        if let Some((stream, ends)) = self.passing {
            self.peer.unconfirmed.note(stream, ends);
        }
    }

    /// Whether what comes next may be handed on where it is, as far as [`Self::pass`] says.
    pub(super) const fn is_plain(&self) -> bool {
        self.seen == 0 && self.head.is_none() && self.go_away.is_none() && !self.over
    }

    /// The connection has ended: adds to `out` what h2 is to hear before that. A response that has come whole while its request was
    /// still being sent is one (RFC 9113 §8.1); h2 calls it cut off where the connection ends then, unless it hears that the
    /// server wants no more of the request.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if self.left > 0 || !self.is_plain() {
            return;
        }
        for stream in self.peer.unfinished.answered() {
            out.extend([0, 0, 4, RST_STREAM, 0]);
            out.extend(stream.to_be_bytes());
            out.extend([0; 4]);
        }
    }

    /// Whether no more is handed on: the server sends without end.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// How many of the bytes that came are handed on as they are. The rest, if any, is for [`Self::take`].
    pub(super) fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut at = self.left.min(bytes.len());
        self.left -= at;
        while self.left == 0 {
            let Some(header) = FrameHeader::parse(&bytes[at..]) else { break };
            if header.fate() != FrameAction::Pass || !header.settle(&self.peer.budget) {
                break;
            }
            self.hand_on(&header);
            let end = at + HEADER + header.length as usize;
            self.left = end.saturating_sub(bytes.len());
            at = end.min(bytes.len());
        }
        at
    }

    /// Takes bytes that can't be handed on where they are, and adds to `out` what is handed on in their place.
    pub(super) fn take(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() && !self.over {
            if self.left > 0 {
                let (now, rest) = bytes.split_at(self.left.min(bytes.len()));
                let aside = self.go_away.as_mut().or_else(|| self.head.as_mut().map(|head| &mut head.bytes));
                aside.unwrap_or(&mut *out).extend_from_slice(now);
                self.left -= now.len();
                bytes = rest;
            } else {
                self.header[self.seen] = bytes[0];
                self.seen += 1;
                bytes = &bytes[1..];
                let Some(header) = FrameHeader::parse(&self.header[..self.seen]) else { continue };
                self.begin(header, out);
            }
            if self.left == 0
                && let Some(mut frame) = self.go_away.take()
            {
                self.peer.go_away.hear(&mut frame[HEADER..]);
                out.extend(frame);
            }
            if self.left == 0
                && let Some(head) = self.head.take_if(|head| head.fragment_ends())
            {
                self.hand_on(&head.first);
                let frame = head.into_frame();
                // A large one is there once.
                if out.is_empty() {
                    *out = frame;
                } else {
                    out.extend(frame);
                }
            }
        }
    }

    /// A header is complete.
    fn begin(&mut self, header: FrameHeader, out: &mut Vec<u8>) {
        let bytes = self.header;
        // The length of the padding is payload.
        let bytes = &bytes[..std::mem::take(&mut self.seen)];
        self.left = header.length as usize - (bytes.len() - HEADER);
        match &mut self.head {
            Some(head) if head.is_continued_by(&header) => {
                let length = head.bytes.len() - HEADER + self.left;
                let first = head.first;
                if header.length == 0 && !header.settle(&self.peer.budget) {
                    self.end(out);
                } else if header.fate() == FrameAction::Refuse || length > self.most {
                    self.end(out);
                    self.hand_on(&first);
                } else {
                    head.is_last = header.flags & END_HEADERS != 0;
                }
                return;
            }
            Some(head) => {
                // Another frame within a head: h2 has the word for it, once it has seen that a head had begun.
                out.extend([0, 0, 0, HEADERS, 0]);
                out.extend(head.first.stream);
                self.head = None;
            }
            None => {}
        }
        if !header.settle(&self.peer.budget) {
            return self.end(out);
        }
        match header.fate() {
            FrameAction::Pass => {
                out.extend_from_slice(bytes);
                self.hand_on(&header);
            }
            FrameAction::Gather => self.head = Some(Box::new(HeadFragments::new(header, bytes))),
            FrameAction::Hear => {
                self.go_away = Some(bytes.to_vec());
                self.hand_on(&header);
            }
            FrameAction::Drop => {}
            // h2 takes frames as large as heads may be. This one it is to refuse in its own words.
            FrameAction::Refuse => {
                out.extend([0xff; 3]);
                out.extend_from_slice(&bytes[3..]);
            }
        }
    }

    /// Hands on no more but what makes h2 end the connection with ENHANCE_YOUR_CALM: it has no other door to it.
    fn end(&mut self, out: &mut Vec<u8>) {
        (self.over, self.left, self.head) = (true, 0, None);
        self.peer.unconfirmed.clear();
        out.extend([0, 0, 0, HEADERS, 0, 0, 0, 0, 1]);
        out.extend([0, 0, 0, CONTINUATION, 0, 0, 0, 0, 1].repeat(FRAGMENTS_REFUSED));
    }
}

#[cfg(test)]
mod tests {
    use super::super::h2_peer::MOST_IDLE;
    use super::*;

    const MOST: usize = 1000;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;

    fn frame(kind: u8, flags: u8, stream: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
        let payload = payload.as_ref();
        let [_, length @ ..] = u32::try_from(payload.len()).expect("small").to_be_bytes();
        [&length[..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    }

    fn calm() -> Vec<u8> {
        [frame(HEADERS, 0, 1, []), frame(CONTINUATION, 0, 1, []).repeat(FRAGMENTS_REFUSED)].concat()
    }

    /// What is handed on of what comes in these pieces.
    fn handed_on<'a>(frame_filter: &mut FrameFilter, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in pieces {
            let passed = if frame_filter.is_plain() { frame_filter.pass(piece) } else { 0 };
            out.extend_from_slice(&piece[..passed]);
            frame_filter.take(&piece[passed..], &mut out);
        }
        out
    }

    fn frame_filter() -> FrameFilter {
        FrameFilter::new(MOST, Rc::default())
    }

    /// The same, which must not depend on the pieces.
    fn becomes(bytes: &[u8], expected: &[u8], what: &str) {
        assert_eq!(handed_on(&mut frame_filter(), [bytes]), expected, "{what}");
        for at in 1..bytes.len() {
            let got = handed_on(&mut frame_filter(), [&bytes[..at], &bytes[at..]]);
            assert!(got == expected, "{what}, in two pieces at {at}");
        }
        assert!(handed_on(&mut frame_filter(), bytes.chunks(1)) == expected, "{what}, byte by byte");
    }

    #[test]
    fn what_is_whole_passes_as_it_is() {
        let mut all = Vec::new();
        for kind in (0..=11).chain([0x7f, 0xff]) {
            for (flags, payload) in [(0, &b"payload"[..]), (0xff, b"\x02payload\0\0"), (END_HEADERS, b"")] {
                let gathered = matches!(kind, HEADERS | PUSH_PROMISE) && flags & END_HEADERS == 0;
                let dropped = kind == DATA && flags == END_HEADERS;
                if !gathered && !dropped && kind != GOAWAY {
                    all.extend(frame(kind, flags, 1, payload));
                }
            }
        }
        let mut once = frame_filter();
        assert_eq!(once.pass(&all), all.len(), "where they are");
        assert!(once.is_plain());
        becomes(&all, &all, "all types");
    }

    /// A GOAWAY with this code, after stream 5.
    fn goaway(code: u8, words: &str) -> Vec<u8> {
        frame(GOAWAY, 0, 0, [&[0, 0, 0, 5, 0, 0, 0, code], words.as_bytes()].concat())
    }

    #[test]
    fn what_a_server_says_when_it_leaves_is_read_and_handed_on() {
        let after = frame(DATA, 0, 5, "x");
        for (code, words, said) in [
            (0, "", None),
            (0, "bye", Some("it had said GOAWAY: NO_ERROR ('bye')")),
            (1, "bad header", Some("it had said GOAWAY: PROTOCOL_ERROR ('bad header')")),
        ] {
            let bytes = [goaway(code, words), after.clone()].concat();
            becomes(&bytes, &bytes, words);
            let peer = Rc::new(H2Peer::default());
            handed_on(&mut FrameFilter::new(MOST, Rc::clone(&peer)), [&bytes[..]]);
            assert_eq!(peer.go_away.said().as_deref(), said);
        }
        let mut none = goaway(0xd, "HTTP/1.1, please");
        let said = none.clone();
        none[9..13].fill(0);
        becomes(&said, &none, "no stream waits for who wants HTTP/1.1");
        let short = frame(GOAWAY, 0, 0, [0; 3]);
        becomes(&short, &short, "h2 has the word for it");
    }

    #[test]
    fn responses_that_have_come_whole_are_no_upload_s_any_more_when_the_connection_ends() {
        let peer = Rc::new(H2Peer::default());
        let mut frame_filter = FrameFilter::new(MOST, Rc::clone(&peer));
        [1, 3, 5, 7].into_iter().for_each(|stream| peer.unfinished.begin(stream));
        peer.unfinished.end(5);
        let head = |stream, flags| frame(HEADERS, END_HEADERS | flags, stream, "");
        let came = [head(1, END_STREAM), head(3, 0), frame(DATA, END_STREAM, 3, "x"), head(5, END_STREAM), head(7, 0)];
        handed_on(&mut frame_filter, [&came.concat()[..]]);
        let mut out = Vec::new();
        frame_filter.finish(&mut out);
        assert_eq!(out, [frame(RST_STREAM, 0, 1, [0; 4]), frame(RST_STREAM, 0, 3, [0; 4])].concat());
        out.clear();
        frame_filter.finish(&mut out);
        assert!(out.is_empty(), "once");
        peer.unfinished.begin(9);
        let cut = frame(DATA, END_STREAM, 9, "xyz");
        handed_on(&mut frame_filter, [&cut[..11]]);
        frame_filter.finish(&mut out);
        assert!(out.is_empty(), "its last frame is not whole");
    }

    #[test]
    fn a_head_in_fragments_becomes_one_frame() {
        let after = frame(DATA, END_STREAM, 1, "hello");
        let one = |flags, payload: &[u8]| [frame(HEADERS, flags | END_HEADERS, 1, payload), after.clone()].concat();
        let cut = |flags, first: &[u8], rest: &[&[u8]]| {
            let rest = rest.iter().enumerate().map(|(n, part)| {
                let last = if n + 1 == rest.len() { END_HEADERS } else { 0 };
                frame(CONTINUATION, last, 1, part)
            });
            [vec![frame(HEADERS, flags, 1, first)], rest.collect(), vec![after.clone()]].concat().concat()
        };
        becomes(&cut(0, b"abc", &[b"def"]), &one(0, b"abcdef"), "two");
        becomes(&cut(END_STREAM, b"", &[b"a", b"", b"bc", b""]), &one(END_STREAM, b"abc"), "empty ones among them");
        becomes(&cut(PADDED, b"\x03abc\0\0\0", &[b"def"]), &one(0, b"abcdef"), "padded");
        becomes(&cut(PADDED, b"\x03\0\0\0", &[b"def"]), &one(0, b"def"), "nothing but padding");
        becomes(&cut(PRIORITY, b"\0\0\0\x03\x10a", &[b"b"]), &one(PRIORITY, b"\0\0\0\x03\x10ab"), "with a priority");
        becomes(
            &cut(PADDED | PRIORITY, b"\x01\0\0\0\x03\x10a\0", &[b"b"]),
            &one(PRIORITY, b"\0\0\0\x03\x10ab"),
            "with both",
        );
        let many: Vec<&[u8]> = vec![b"x"; MOST - 1];
        becomes(&cut(0, b"x", &many)[..600], b"", "none of it before its end");
        assert_eq!(handed_on(&mut frame_filter(), [&cut(0, b"x", &many)[..]]), one(0, &[b'x'; MOST]), "in very many");
        let promise = [frame(PUSH_PROMISE, 0, 1, b"\0\0\0\x02a"), frame(CONTINUATION, 4, 1, b"b")].concat();
        becomes(&promise, &frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\x02ab"), "a promise");
    }

    #[test]
    fn a_first_fragment_without_room_for_its_flags_is_h2s_to_refuse() {
        for (flags, payload) in
            [(PADDED, &b""[..]), (PADDED, b"\x05abcd"), (PRIORITY, b"abcd"), (PADDED | PRIORITY, b"\x01abcde")]
        {
            let expected = frame(HEADERS, flags | END_HEADERS, 1, payload);
            becomes(&frame(HEADERS, flags, 1, payload), &expected, "too short");
        }
    }

    #[test]
    fn another_frame_within_a_head_is_seen_to_be_one() {
        for next in [frame(PING, 0, 0, [0; 8]), frame(CONTINUATION, 4, 3, "x"), frame(DATA, 0, 1, "x")] {
            let bytes = [frame(HEADERS, 0, 1, "abc"), next.clone()].concat();
            becomes(&bytes, &[frame(HEADERS, 0, 1, []), next].concat(), "not CONTINUATION of the same stream");
        }
    }

    #[test]
    fn empty_data_that_ends_nothing_is_left_out() {
        let ping = frame(PING, 0, 0, [0; 8]);
        let bytes = [ping.clone(), frame(DATA, 0, 1, []), ping.clone(), frame(DATA, END_STREAM, 1, [])].concat();
        becomes(&bytes, &[ping.clone(), ping, frame(DATA, END_STREAM, 1, [])].concat(), "one of two");
    }

    #[test]
    fn a_frame_larger_than_we_take_is_shown_to_h2_as_one() {
        let bytes = frame(DATA, 0, 1, vec![0; FRAME_SIZE as usize + 1]);
        let out = handed_on(&mut frame_filter(), [&bytes[..]]);
        assert_eq!(out[..HEADER], [0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1]);
        let most = frame(DATA, 0, 1, vec![0; FRAME_SIZE as usize]);
        assert_eq!(frame_filter().pass(&most), most.len());
    }

    #[test]
    fn a_head_without_an_end_has_one() {
        let full = frame(CONTINUATION, 0, 1, [b'x'; 100]);
        let mut kept = frame_filter();
        let out = handed_on(&mut kept, [&[frame(HEADERS, 0, 1, []), full.repeat(10)].concat()[..]]);
        assert!(out.is_empty() && !kept.is_over(), "as large as may be");
        assert_eq!(handed_on(&mut kept, [&full[..HEADER]]), calm(), "more");
        assert!(kept.is_over());
        assert!(handed_on(&mut kept, [&full[..]]).is_empty(), "nothing after it");
        assert!(ends(&frame(CONTINUATION, 0, 1, []), &frame(HEADERS, 0, 1, [])), "of empty ones");
    }

    /// Whether these frames, after `first`, end the connection within the allowance, by as many as it has.
    fn ends(bytes: &[u8], first: &[u8]) -> bool {
        let mut kept = frame_filter();
        handed_on(&mut kept, [first]);
        for sent in 0..=2 * MOST_IDLE {
            if kept.is_over() {
                assert!(sent <= MOST_IDLE + 1);
                return true;
            }
            handed_on(&mut kept, [bytes]);
        }
        false
    }

    #[test]
    fn what_brings_nothing_has_an_end_and_what_brings_something_has_none() {
        let update = |stream| frame(WINDOW_UPDATE, 0, stream, [0, 0, 0, 1]);
        for idle in [
            frame(PING, 0, 0, [0; 8]),
            frame(PING, 1, 0, [0; 8]),
            frame(SETTINGS, 0, 0, []),
            frame(SETTINGS, 1, 0, []),
            frame(2, 0, 1, [0; 5]),
            frame(3, 0, 1, [0; 4]),
            frame(7, 0, 0, [0; 8]),
            frame(10, 0, 0, [0; 50]),
            frame(0xee, 0, 1, []),
            update(0),
            update(1),
            frame(DATA, 0, 1, []),
            frame(DATA, PADDED, 1, [0]),
            frame(DATA, PADDED, 1, [2, 0, 0]),
            frame(HEADERS, END_HEADERS, 1, "x"),
            [frame(HEADERS, 0, 1, "x"), frame(CONTINUATION, END_HEADERS, 1, "x")].concat(),
        ] {
            assert!(ends(&idle, &[]), "{idle:?}");
        }
        for useful in [
            frame(DATA, 0, 1, "x"),
            frame(DATA, PADDED, 1, [1, b'x', 0]),
            frame(DATA, END_STREAM, 1, []),
            [frame(DATA, 0, 1, "x"), frame(PING, 0, 0, [0; 8])].concat(),
        ] {
            assert!(!ends(&useful, &[]), "{useful:?}");
        }
    }

    #[test]
    fn large_frames_cost_more() {
        let mut kept = frame_filter();
        let junk = frame(0xee, 0, 1, vec![0; 16 << 10]);
        let sent = (1..).find(|_| {
            handed_on(&mut kept, [&junk[..]]);
            kept.is_over()
        });
        assert_eq!(sent, Some(MOST_IDLE / (1 + (16 << 10) / IDLE_BYTES) + 1), "4 MiB");
    }

    #[test]
    fn requests_and_uploads_pay() {
        let peer = Rc::new(H2Peer::default());
        let (budget, mut kept) = (&peer.budget, FrameFilter::new(MOST, Rc::clone(&peer)));
        let answer = [frame(HEADERS, END_HEADERS, 1, "x"), frame(3, 0, 1, [0; 4])].concat();
        for _ in 0..2 * MOST_IDLE {
            budget.request();
            handed_on(&mut kept, [&answer[..]]);
        }
        assert!(!kept.is_over(), "heads and resets of requests that were sent");
        budget.upload(100_000);
        let update = |stream| frame(WINDOW_UPDATE, 0, stream, [0, 0, 0, 1]);
        let both = [update(0), update(1)].concat();
        handed_on(&mut kept, [&both.repeat(100_000)[..]]);
        assert!(!kept.is_over(), "each byte given back alone");
        handed_on(&mut kept, [&both.repeat(MOST_IDLE as usize / 2 + 1)[..]]);
        assert!(kept.is_over(), "what was never sent");
    }

    #[test]
    fn the_heads_of_the_last_read_are_suspect() {
        let peer = Rc::new(H2Peer::default());
        peer.unconfirmed.opened(200);
        let mut kept = FrameFilter::new(MOST, Rc::clone(&peer));
        let mut unconfirmed = |bytes: &[u8]| {
            kept.read_on();
            handed_on(&mut kept, [bytes]);
            [1, 3, 5, 7].map(|stream| peer.unconfirmed.include(stream))
        };
        let (all, head) = ([true; 4], |stream| frame(HEADERS, END_HEADERS, stream, "head"));
        assert_eq!(unconfirmed(&frame(PING, 0, 0, [0; 8])), all, "nobody is known to be");
        assert_eq!(unconfirmed(&[head(3), head(7), frame(DATA, 0, 5, "x")].concat()), [false, true, false, false]);
        assert_eq!(
            unconfirmed(&[frame(DATA, 0, 1, "x"), head(1)[..11].to_vec()].concat()),
            [true, false, false, false]
        );
        assert_eq!(unconfirmed(&head(1)[11..12]), [true, false, false, false], "h2 has not seen all of it");
        assert_eq!(unconfirmed(&[&head(1)[12..], &head(5)].concat()), [true, false, false, false]);
        assert_eq!(unconfirmed(&frame(HEADERS, 0, 3, "he")), all, "h2 has seen nothing of it");
        assert_eq!(unconfirmed(&frame(CONTINUATION, END_HEADERS, 3, "ad")), [false, true, false, false]);
        assert_eq!(
            unconfirmed(&(0..65).flat_map(|n| head(2 * n + 1)).collect::<Vec<_>>()),
            all,
            "too many to be told apart"
        );
        assert_eq!(unconfirmed(&[head(0), head(2), frame(HEADERS, END_HEADERS, 0xff, "x")].concat()), all, "nobody's");
        assert_eq!(unconfirmed(&head(3)[..4]), all);
        assert_eq!(unconfirmed(&head(3)[4..]), [false, true, false, false]);
    }
}

//! HTTP/2 as far as it takes to answer: frames are told apart, header blocks are not decoded, every stream that asks gets the
//! same 200 with 1 KiB. The connection's window is kept; a stream's is always larger than the one response on it.

use std::collections::VecDeque;

const PREFACE: usize = 24;
const FRAME_HEAD: usize = 9;
const BODY: usize = 1024;
/// Bytes of a frame that came in part: none may be longer than this, the protocol's default.
const LONGEST: usize = 16 << 10;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `:status 200`, content-length and content-type, all by their numbers in the static table and none to be remembered.
const BLOCK: &[u8] = b"\x88\x0f\x0d\x041024\x0f\x10\x0atext/plain";
/// Streams that may wait for the window: what we allow at once.
const STREAMS: u32 = 1000;

/// One connection's state.
pub(crate) struct Frames {
    preface_left: usize,
    begun: Vec<u8>,
    /// Bytes of bodies that the client has room for.
    window: i64,
    waiting: VecDeque<u32>,
    greeted: bool,
}

impl Frames {
    pub(crate) fn new() -> Self {
        Self { preface_left: PREFACE, begun: Vec::new(), window: 65_535, waiting: VecDeque::new(), greeted: false }
    }

    /// Reads frames, writes the answers; how many requests there were, or nothing where the connection is of no use.
    pub(crate) fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Option<u64> {
        if !self.greeted {
            self.greeted = true;
            let settings = [&[0, 3][..], &STREAMS.to_be_bytes()].concat();
            frame(out, SETTINGS, 0, 0, &settings);
        }
        let skipped = self.preface_left.min(bytes.len());
        self.preface_left -= skipped;
        self.begun.extend_from_slice(&bytes[skipped..]);
        let input = std::mem::take(&mut self.begun);
        let (mut rest, mut requests) = (&input[..], 0);
        while let Some((frame, after)) = Frame::first(rest) {
            requests += u64::from(self.take_frame(&frame, out)?);
            rest = after;
        }
        self.begun = rest.to_vec();
        (self.begun.len() <= FRAME_HEAD + LONGEST).then_some(requests)
    }

    /// Whether this frame ended a request.
    fn take_frame(&mut self, &Frame { kind, flags, stream, payload }: &Frame<'_>, out: &mut Vec<u8>) -> Option<bool> {
        let asked = matches!(kind, HEADERS | CONTINUATION) && flags & END_HEADERS != 0;
        match kind {
            SETTINGS if flags & ACK == 0 => frame(out, SETTINGS, ACK, 0, &[]),
            PING if flags & ACK == 0 => frame(out, PING, ACK, 0, payload),
            WINDOW_UPDATE if stream == 0 => {
                self.window += i64::from(number(payload)?);
            }
            // Over the number of streams allowed.
            _ if asked && self.waiting.len() == STREAMS as usize => return None,
            _ if asked => self.waiting.push_back(stream),
            _ => {}
        }
        self.answer(out);
        Some(asked)
    }

    /// Answers those that the window has room for.
    fn answer(&mut self, out: &mut Vec<u8>) {
        while self.window >= BODY as i64
            && let Some(stream) = self.waiting.pop_front()
        {
            self.window -= BODY as i64;
            frame(out, HEADERS, END_HEADERS, stream, BLOCK);
            frame(out, DATA, END_STREAM, stream, &[b'x'; BODY]);
        }
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) & 0x7fff_ffff)
}

struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame that these bytes begin with and what follows it; nothing if it is not whole.
    fn first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (head, rest) = bytes.split_first_chunk::<FRAME_HEAD>()?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let (payload, after) = rest.split_at_checked(length)?;
        Some((Self { kind: head[3], flags: head[4], stream: number(&head[5..])?, payload }, after))
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A preface and so many requests.
    fn conversation(requests: u32) -> Vec<u8> {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        frame(&mut bytes, SETTINGS, 0, 0, &[]);
        for number in 0..requests {
            frame(&mut bytes, HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, b"\x82");
        }
        bytes
    }

    fn data_frames(mut bytes: &[u8]) -> Vec<u32> {
        let mut streams = Vec::new();
        while let Some((frame, after)) = Frame::first(bytes) {
            streams.extend((frame.kind == DATA).then_some(frame.stream));
            bytes = after;
        }
        assert!(bytes.is_empty(), "only whole frames");
        streams
    }

    #[test]
    fn each_stream_is_answered_once_however_the_bytes_come() {
        let bytes = conversation(2);
        for cut in 0..bytes.len() {
            let (mut frames, mut out) = (Frames::new(), Vec::new());
            let requests = frames.take(&bytes[..cut], &mut out).expect("a good client")
                + frames.take(&bytes[cut..], &mut out).expect("a good client");
            assert_eq!((requests, data_frames(&out)), (2, vec![1, 3]), "cut at {cut}");
        }
    }

    #[test]
    fn bodies_wait_for_the_window() {
        let (mut frames, mut out) = (Frames::new(), Vec::new());
        assert_eq!(frames.take(&conversation(70), &mut out), Some(70));
        assert_eq!(data_frames(&out).len(), 63, "63 KiB fit in 65,535 bytes");
        let mut update = Vec::new();
        frame(&mut update, WINDOW_UPDATE, 0, 0, &(7 * 1024_u32).to_be_bytes());
        out.clear();
        assert_eq!(frames.take(&update, &mut out), Some(0));
        assert_eq!(data_frames(&out).len(), 7);
    }

    #[test]
    fn nonsense_ends_the_connection() {
        let (mut frames, mut out) = (Frames::new(), Vec::new());
        frames.take(&conversation(0), &mut out).expect("a good client");
        assert_eq!(frames.take(&[0xff; 40_000], &mut out), None);
    }
}

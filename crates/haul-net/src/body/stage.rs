//! A stage of the decoder: one coding undone, a piece at a time.
//!
//! Owns the codec and where in the coded stream it stands. What it adds to the codec is what HTTP needs around it:
//! `deflate` in both its forms, several gzip members or zstd frames in one body, and a verdict on the body's end.
//!
//! Bytes after the end of a coded stream are ignored unless they begin another gzip member or zstd frame: browsers do
//! so, servers pad, and the framing of the body (which says whether all of it came) is checked elsewhere. curl refuses
//! them for some codings and not for others.

use std::io;

use async_compression::codecs::zstd::params::DParameter;
use async_compression::codecs::{DecodeV2, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use async_compression::core::util::{PartialBuffer, WriteBuffer};

use super::PIECE;
use super::brotli::BrotliDecoder;
use super::content_codings::ContentCoding;
use haul_core::model::{Failure, FailureKind, Phase};

/// The largest zstd window: 8 MiB, as RFC 9659 says for the content coding. The library's own limit is 128 MiB, and
/// the window is allocated as soon as a frame asks for it.
const ZSTD_WINDOW_LOG: u32 = 23;

/// What a decoder of gzip or deflate takes: its window of 32 KiB, tables, and room to move the window in.
const FLATE_MEMORY: u64 = 80 << 10;

/// What a zstd decoder takes without its window: its tables, and room for a block as it came.
const ZSTD_MEMORY: u64 = 320 << 10;

/// The largest window that a codec keeps while nobody uses it.
const KEPT_WINDOW: u64 = 256 << 10;

/// Where in the coded stream we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MemberPosition {
    /// Before the first byte of the body, or of its first signature.
    Start,
    /// Inside a member.
    Inside,
    /// After a member; another one may follow.
    Between,
    /// After the end: whatever follows is ignored.
    After,
}

/// One coding and the last piece decoded from it.
pub(super) struct DecoderStage {
    coding: ContentCoding,
    codec: Option<Codec>,
    position: MemberPosition,
    /// The first bytes of a member, collected until they can be judged, then given to the codec.
    magic: MemberMagic,
    /// The last call filled the piece, so the codec may hold more without new input.
    more: bool,
    piece: Box<[u8]>,
    taken: usize,
    filled: usize,
    /// Bytes decoded so far.
    pub(super) produced: u64,
}

/// What undoes it.
enum Codec {
    /// Counts its memory itself.
    Brotli(BrotliDecoder),
    /// Takes as much as is known of its coding.
    Other(Box<dyn DecodeV2>),
}

impl Codec {
    fn decoder(&mut self) -> &mut dyn DecodeV2 {
        match self {
            Self::Brotli(brotli) => brotli,
            Self::Other(other) => &mut **other,
        }
    }
}

impl DecoderStage {
    pub(super) fn new(coding: ContentCoding) -> Self {
        Self {
            coding,
            codec: None,
            position: MemberPosition::Start,
            magic: MemberMagic::default(),
            more: false,
            piece: vec![0; PIECE].into_boxed_slice(),
            taken: 0,
            filled: 0,
            produced: 0,
        }
    }

    pub(super) const fn coding(&self) -> ContentCoding {
        self.coding
    }

    /// Makes it ready for another body. The codec itself is begun anew when a member is opened; that of `deflate` goes,
    /// because the next body may have the other form, and so does one that may have a large window.
    pub(super) fn reset(&mut self) {
        let goes = match self.coding {
            ContentCoding::Deflate | ContentCoding::Brotli => true,
            ContentCoding::Zstd => self.produced > KEPT_WINDOW,
            ContentCoding::Gzip => false,
        };
        if goes {
            self.codec = None;
        }
        self.position = MemberPosition::Start;
        self.magic = MemberMagic::default();
        self.more = false;
        (self.taken, self.filled, self.produced) = (0, 0, 0);
    }

    /// The memory it takes, once it has decoded another piece. The windows of brotli and zstd come as they are filled.
    pub(super) fn memory(&self) -> u64 {
        let produced = self.produced + PIECE as u64;
        let codec = match (&self.codec, self.coding) {
            (Some(Codec::Brotli(brotli)), _) => brotli.memory(produced),
            (None, ContentCoding::Brotli) => PIECE as u64,
            (_, ContentCoding::Gzip | ContentCoding::Deflate) => FLATE_MEMORY,
            (_, ContentCoding::Zstd | ContentCoding::Brotli) => ZSTD_MEMORY + produced.min(1 << ZSTD_WINDOW_LOG),
        };
        PIECE as u64 + codec
    }

    /// What is left of the last piece.
    pub(super) fn rest(&self) -> &[u8] {
        &self.piece[self.taken..self.filled]
    }

    /// Marks `count` bytes of the piece as used.
    pub(super) fn take(&mut self, count: usize) {
        self.taken += count;
    }

    /// Decodes the next piece from `input`, whose used part is cut off. Says how long the piece is: 0 means that all
    /// input is used and more is needed.
    pub(super) fn decode(&mut self, input: &mut &[u8]) -> Result<usize, Failure> {
        (self.taken, self.filled) = (0, 0);
        // Each turn uses input, produces output, or ends the loop.
        loop {
            match self.position {
                MemberPosition::After => {
                    *input = &[];
                    return Ok(0);
                }
                MemberPosition::Start | MemberPosition::Between => {
                    let Some((&byte, rest)) = input.split_first() else { return Ok(0) };
                    if self.open(byte)? {
                        *input = rest;
                    }
                }
                MemberPosition::Inside => {
                    if input.is_empty() && self.magic.is_empty() && !self.more {
                        return Ok(0);
                    }
                    if self.run(input)? > 0 {
                        return Ok(self.filled);
                    }
                }
            }
        }
    }

    /// The verdict when no more input comes and everything that came is decoded.
    pub(super) fn end(&self) -> Result<(), Failure> {
        match self.position {
            MemberPosition::After => Ok(()),
            // Not one byte where a coded body was announced: an empty body, as HEAD, 304 and sloppy servers have it.
            MemberPosition::Start | MemberPosition::Between if self.magic.is_empty() => Ok(()),
            MemberPosition::Start | MemberPosition::Between | MemberPosition::Inside => {
                let message = format!("the body ends in the middle of its {} coding", self.coding.name());
                Err(Failure::new(Phase::Decode, FailureKind::Truncated, message))
            }
        }
    }

    /// Looks at one more byte of a member's signature. False: it begins no further member, and was not used.
    fn open(&mut self, byte: u8) -> Result<bool, Failure> {
        self.magic.push(byte);
        match (self.magic.judge(self.coding), self.position) {
            (MagicMatch::Undecided, _) => {}
            (MagicMatch::Member, _) => {
                match &mut self.codec {
                    Some(codec) => {
                        codec.decoder().reinit().map_err(|error| corrupt(self.coding, &error.to_string()))?
                    }
                    None => self.codec = Some(codec(self.coding, self.magic.bytes())),
                }
                self.position = MemberPosition::Inside;
            }
            (MagicMatch::Other, MemberPosition::Between) => {
                self.position = MemberPosition::After;
                return Ok(false);
            }
            (MagicMatch::Other, _) => return Err(corrupt(self.coding, "it does not begin like one")),
        }
        Ok(true)
    }

    /// Runs the codec once, on the signature first. Says how many bytes it produced.
    fn run(&mut self, input: &mut &[u8]) -> Result<usize, Failure> {
        let magic = std::mem::take(&mut self.magic);
        if magic.is_empty() {
            return self.step(input);
        }
        let mut bytes = magic.bytes();
        let produced = self.step(&mut bytes)?;
        debug_assert!(bytes.is_empty() || self.position != MemberPosition::Inside, "a codec takes a whole signature");
        Ok(produced)
    }

    fn step(&mut self, input: &mut &[u8]) -> Result<usize, Failure> {
        let codec = self.codec.as_mut().expect("made when the member was opened");
        let mut from = PartialBuffer::new(*input);
        let mut to = WriteBuffer::new_initialized(&mut self.piece);
        let result = codec.decoder().decode(&mut from, &mut to);
        let (used, produced) = (from.written_len(), to.written_len());
        let (starved, stuck) = (input.is_empty(), used == 0 && produced == 0);
        *input = &input[used..];
        self.filled = produced;
        self.produced += produced as u64;
        self.more = produced == PIECE;
        match result {
            Ok(true) => self.close(),
            Ok(false) if stuck && !starved => return Err(corrupt(self.coding, "the decoder makes no progress")),
            Ok(false) => {}
            Err(error) if starved && stuck && self.means_starved(&error) => {}
            Err(error) => return Err(corrupt(self.coding, &error.to_string())),
        }
        Ok(produced)
    }

    fn close(&mut self) {
        self.more = false;
        self.position = match self.coding {
            ContentCoding::Gzip | ContentCoding::Zstd => MemberPosition::Between,
            ContentCoding::Deflate | ContentCoding::Brotli => MemberPosition::After,
        };
    }

    /// The flate codecs call it an error when they are asked for what they may still hold and hold nothing.
    fn means_starved(&self, error: &io::Error) -> bool {
        matches!(self.coding, ContentCoding::Gzip | ContentCoding::Deflate)
            && !error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<flate2::DecompressError>)
    }
}

fn corrupt(coding: ContentCoding, reason: &str) -> Failure {
    let message = format!("the body is not valid {}: {reason}", coding.name());
    Failure::new(Phase::Decode, FailureKind::Corrupt, message)
}

fn codec(coding: ContentCoding, magic: &[u8]) -> Codec {
    Codec::Other(match coding {
        ContentCoding::Brotli => return Codec::Brotli(BrotliDecoder::new()),
        ContentCoding::Gzip => Box::new(GzipDecoder::new()),
        ContentCoding::Deflate if is_zlib(magic) => Box::new(ZlibDecoder::new()),
        ContentCoding::Deflate => Box::new(DeflateDecoder::new()),
        ContentCoding::Zstd => Box::new(ZstdDecoder::new_with_params(&[DParameter::window_log_max(ZSTD_WINDOW_LOG)])),
    })
}

/// Whether two bytes are a zlib header (RFC 1950 §2.2). A raw deflate stream that looks like one would begin with a
/// stored block whose padding is not zero; no encoder writes that.
fn is_zlib(magic: &[u8]) -> bool {
    let [method, flags] = *magic else { return false };
    method & 0x0f == 8 && method >> 4 <= 7 && u16::from_be_bytes([method, flags]).is_multiple_of(31)
}

/// The first bytes of a member.
#[derive(Clone, Copy, Debug, Default)]
struct MemberMagic {
    bytes: [u8; 4],
    len: usize,
}

/// What the bytes seen so far are.
enum MagicMatch {
    /// Possibly the beginning of a member.
    Undecided,
    /// The beginning of a member.
    Member,
    /// Something else.
    Other,
}

impl MemberMagic {
    fn push(&mut self, byte: u8) {
        // `judge` decides at the fourth byte at the latest, and is asked after each.
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn judge(&self, coding: ContentCoding) -> MagicMatch {
        let bytes = self.bytes();
        let (could_be, enough) = match coding {
            ContentCoding::Gzip => (begins_gzip(bytes), 4),
            ContentCoding::Zstd => (begins_zstd(bytes), 4),
            ContentCoding::Deflate => (true, 2),
            // "Large window" brotli is no HTTP coding, and would let the peer choose a window of up to 1 GiB.
            ContentCoding::Brotli => (bytes[0] & 0x7f != 0x11, 1),
        };
        match (could_be, bytes.len() >= enough) {
            (false, _) => MagicMatch::Other,
            (true, false) => MagicMatch::Undecided,
            (true, true) => MagicMatch::Member,
        }
    }
}

/// Whether `bytes` are the beginning of a gzip member. A flag that is reserved may announce a field that no decoder of
/// today knows, so RFC 1952 §2.3.1.2 wants it refused; the codec would take it.
fn begins_gzip(bytes: &[u8]) -> bool {
    let (magic, flags) = bytes.split_at(bytes.len().min(3));
    [0x1f, 0x8b, 8].starts_with(magic) && flags.iter().all(|flags| flags & 0xe0 == 0)
}

/// Whether `bytes` are the beginning of a zstd frame or of a skippable frame.
fn begins_zstd(bytes: &[u8]) -> bool {
    let skippable = bytes[0] & 0xf0 == 0x50 && [0x2a, 0x4d, 0x18].starts_with(&bytes[1..]);
    skippable || [0x28, 0xb5, 0x2f, 0xfd].starts_with(bytes)
}

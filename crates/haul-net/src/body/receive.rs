//! A body taken in, from its first frame to its verdict.
//!
//! Owns the order of things: count the wire, judge it, decode, judge that, keep. Dropping the future drops the body.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;

use super::PIECE;
use super::caps::Caps;
use super::collector::BodyCollector;
use super::content_codings::ContentCodings;
use super::decoder::BodyDecoder;
use super::memory_reservation::MemoryReservation;
use haul_core::config::BodySettings;
use haul_core::model::{BodyWriter, Failure};

/// Pieces decoded from one frame before other tasks get their turn: 256 KiB, about half a millisecond.
const PIECES_A_TURN: usize = (256 << 10) / PIECE;

/// What is to be done with one body.
#[derive(Clone, Copy, Debug)]
pub struct BodyPlan<'a> {
    settings: &'a BodySettings,
    codings: ContentCodings,
}

impl<'a> BodyPlan<'a> {
    /// The plan for a response with these headers.
    #[must_use]
    pub fn new(settings: &'a BodySettings, headers: &HeaderMap) -> Self {
        let codings = if settings.decode { ContentCodings::of(headers) } else { ContentCodings::NONE };
        Self { settings, codings }
    }

    /// Whether there is anything to decode.
    #[must_use]
    pub const fn decodes(&self) -> bool {
        !self.codings.is_empty()
    }
}

/// A body that came whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedBody {
    /// The decoded bytes, where the settings keep them.
    pub body: Option<Bytes>,
    /// Decoded bytes, kept or not.
    pub body_bytes: u64,
    /// Bytes received, before decoding.
    pub wire_bytes: u64,
    /// SHA-256 of the decoded bytes, where the settings ask for it.
    pub sha256: Option<[u8; 32]>,
    /// Where the writer says the bytes are.
    pub saved: Option<Box<str>>,
}

/// Why a body did not come whole. The wire bytes until then are in the caller's counter.
#[derive(Debug)]
pub enum BodyError<E> {
    /// The body's own error: the connection, the framing. The caller knows what it means.
    Transport(E),
    /// A cap was reached or the coding is not valid; the rest of the body was not read.
    Refused(Failure),
}

/// Takes `body` in by `plan`. `wire` is kept at the count of bytes received so far, for the caller's clocks. With a
/// `writer` the decoded bytes go there and are not kept, whatever the settings say, and nothing is read while the writer
/// has no room. With a `reservation` nothing is decoded before it has the memory for it.
///
/// Trailers are ignored. Decoding a large frame yields to other tasks about every half millisecond.
///
/// # Errors
/// [`BodyError`]: what came until then is dropped.
pub async fn receive<B>(
    body: B,
    plan: BodyPlan<'_>,
    writer: Option<Box<dyn BodyWriter + '_>>,
    reservation: Option<Box<dyn MemoryReservation + '_>>,
    wire: &Cell<u64>,
) -> Result<ReceivedBody, BodyError<B::Error>>
where
    B: Body<Data = Bytes>,
{
    let mut body = pin!(body);
    let mut receiver = BodyReceiver::new(plan, body.size_hint().lower(), writer, reservation);
    wire.set(0);
    receiver.caps.wire(body.size_hint().lower()).map_err(BodyError::Refused)?;
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(data) = frame.map_err(BodyError::Transport)?.into_data() else { continue };
        if data.is_empty() {
            continue;
        }
        wire.set(wire.get() + data.len() as u64);
        receiver.take(data, wire.get()).await.map_err(BodyError::Refused)?;
    }
    receiver.finish(wire.get()).await.map_err(BodyError::Refused)
}

/// A body on its way in.
struct BodyReceiver<'a> {
    plan: BodyPlan<'a>,
    caps: Caps,
    /// Made when the first byte of a coded body comes.
    decoder: Option<BodyDecoder>,
    collector: BodyCollector,
    writer: Option<Box<dyn BodyWriter + 'a>>,
    reservation: Option<Box<dyn MemoryReservation + 'a>>,
}

impl<'a> BodyReceiver<'a> {
    fn new(
        plan: BodyPlan<'a>,
        promised: u64,
        writer: Option<Box<dyn BodyWriter + 'a>>,
        reservation: Option<Box<dyn MemoryReservation + 'a>>,
    ) -> Self {
        let caps = Caps::new(plan.settings, plan.settings.keep && writer.is_none());
        let collector = BodyCollector::new(plan.settings, promised, writer.is_none());
        Self { plan, caps, decoder: None, collector, writer, reservation }
    }

    async fn take(&mut self, frame: Bytes, wire: u64) -> Result<(), Failure> {
        self.caps.wire(wire)?;
        if !self.plan.codings.is_empty() {
            return self.decode(&frame, wire).await;
        }
        self.caps.decoded(wire, wire)?;
        match &mut self.writer {
            None => self.collector.take_frame(frame),
            Some(writer) => {
                self.collector.take(&frame);
                write(writer.as_mut(), frame).await?;
            }
        }
        Ok(())
    }

    async fn decode(&mut self, mut input: &[u8], wire: u64) -> Result<(), Failure> {
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => none.insert(BodyDecoder::new(&self.plan.codings, self.caps)?),
        };
        let mut pieces = 0;
        loop {
            let memory = decoder.memory()?;
            if let Some(reservation) = &mut self.reservation {
                poll_fn(|cx| reservation.poll_reserve(memory, cx)).await;
            }
            let Some(piece) = decoder.next(&mut input, wire)? else { return Ok(()) };
            self.collector.take(piece);
            if let Some(writer) = &mut self.writer {
                write(writer.as_mut(), Bytes::copy_from_slice(piece)).await?;
            }
            pieces += 1;
            if pieces % PIECES_A_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn finish(&mut self, wire: u64) -> Result<ReceivedBody, Failure> {
        self.decoder.take().map_or(Ok(()), BodyDecoder::finish)?;
        self.reservation = None;
        let body_bytes = self.collector.count;
        let (body, sha256) = self.collector.finish();
        let saved = match &mut self.writer {
            Some(writer) => poll_fn(|cx| writer.poll_finish(cx)).await?,
            None => None,
        };
        Ok(ReceivedBody { body, body_bytes, wire_bytes: wire, sha256, saved })
    }
}

/// Hands a piece on once there is room.
async fn write(writer: &mut (dyn BodyWriter + '_), piece: Bytes) -> Result<(), Failure> {
    poll_fn(|cx| writer.poll_ready(cx)).await?;
    writer.write(piece);
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_ENCODING;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::body::testing::{Form, ScriptedBody, ScriptedStep};
    use haul_core::model::{FailureKind, Phase};

    fn keeping() -> BodySettings {
        BodySettings { keep: true, digest: true, ..BodySettings::default() }
    }

    fn headers(codings: &str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_ENCODING, codings.parse().expect("valid"))])
    }

    fn data(bytes: &[u8]) -> ScriptedStep<&'static str> {
        ScriptedStep::Data(Bytes::copy_from_slice(bytes))
    }

    type Got = Result<ReceivedBody, BodyError<&'static str>>;

    fn take(settings: &BodySettings, codings: &str, body: ScriptedBody<&'static str>) -> (Got, u64) {
        let wire = Cell::new(99);
        let plan = BodyPlan::new(settings, &headers(codings));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("builds");
        let got = runtime.block_on(receive(body, plan, None, None, &wire));
        (got, wire.get())
    }

    fn play(
        settings: &BodySettings,
        codings: &str,
        turns: impl IntoIterator<Item = ScriptedStep<&'static str>>,
    ) -> (Got, u64) {
        take(settings, codings, ScriptedBody::new(turns))
    }

    fn refused(got: Got) -> (Phase, FailureKind) {
        match got {
            Err(BodyError::Refused(failure)) => (failure.phase, failure.kind),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_plain_body_is_counted_digested_and_kept() {
        let turns = [data(b"hello"), ScriptedStep::Pending, data(b""), data(b" world"), ScriptedStep::Trailers];
        let (got, wire) = play(&keeping(), "identity", turns);
        let expected = ReceivedBody {
            body: Some(Bytes::from_static(b"hello world")),
            body_bytes: 11,
            wire_bytes: 11,
            sha256: Some(Sha256::digest(b"hello world").into()),
            saved: None,
        };
        assert_eq!(got.expect("whole"), expected);
        assert_eq!(wire, 11);
    }

    #[test]
    fn a_body_nobody_asked_for_is_only_counted() {
        let (got, _) = play(&BodySettings::default(), "", [data(b"hello")]);
        assert_eq!(
            got.expect("whole"),
            ReceivedBody { body: None, body_bytes: 5, wire_bytes: 5, sha256: None, saved: None }
        );
    }

    #[test]
    fn an_empty_body_is_empty_whatever_its_coding() {
        for codings in ["", "gzip", "br, br, br, br"] {
            let (got, wire) = play(&keeping(), codings, []);
            let got = got.expect("whole");
            assert_eq!((got.body, got.body_bytes, wire), (Some(Bytes::new()), 0, 0), "{codings}");
        }
    }

    #[test]
    fn a_coded_body_is_decoded_before_it_is_digested() {
        let text = b"some text ".repeat(10_000);
        for form in Form::ALL {
            let coded = form.encode(&text);
            let turns: Vec<_> = coded.chunks(100).map(data).collect();
            let (got, wire) = play(&keeping(), form.coding().name(), turns);
            let got = got.expect("whole");
            assert!(got.body.as_deref() == Some(&text[..]), "{form:?}");
            assert_eq!((got.body_bytes, got.wire_bytes, wire), (100_000, coded.len() as u64, coded.len() as u64));
            assert_eq!(got.sha256, Some(Sha256::digest(&text).into()));
        }
    }

    #[test]
    fn a_body_stays_coded_when_told_so_and_when_its_coding_is_unknown() {
        let coded = Form::Gzip.encode(b"text");
        let raw = BodySettings { decode: false, ..keeping() };
        for (settings, codings) in [(&raw, "gzip"), (&keeping(), "gzip, compress")] {
            let got = play(settings, codings, [data(&coded)]).0.expect("whole");
            assert_eq!(got.body.as_deref(), Some(&coded[..]), "{codings}");
            assert_eq!(got.body_bytes, coded.len() as u64);
        }
    }

    #[test]
    fn too_many_codings_are_refused() {
        let got = play(&keeping(), "br, br, br, br", [data(b"x")]).0;
        assert_eq!(refused(got), (Phase::Decode, FailureKind::Corrupt));
    }

    #[test]
    fn a_cut_coding_is_a_failure() {
        let coded = Form::Gzip.encode(b"text");
        let got = play(&keeping(), "gzip", [data(&coded[..coded.len() - 1])]).0;
        assert_eq!(refused(got), (Phase::Decode, FailureKind::Truncated));
    }

    #[test]
    fn the_transports_error_is_handed_on() {
        let (got, wire) = play(&keeping(), "", [data(b"hel"), ScriptedStep::Error("reset")]);
        assert!(matches!(got, Err(BodyError::Transport("reset"))), "{got:?}");
        assert_eq!(wire, 3);
    }

    #[test]
    fn the_caps_hold_and_nothing_is_read_beyond_them() {
        let wire_cap = BodySettings { max_wire: 10, ..keeping() };
        assert!(play(&wire_cap, "", [data(&[0; 10])]).0.is_ok());
        let (got, wire) = play(&wire_cap, "", [data(&[0; 6]), data(&[0; 6]), ScriptedStep::Error("read on")]);
        assert_eq!((refused(got), wire), ((Phase::Body, FailureKind::TooLarge), 12));
        let decoded_cap = BodySettings { max_decoded: 10, ..keeping() };
        for codings in ["", "gzip"] {
            let of = |len| if codings.is_empty() { vec![0; len] } else { Form::Gzip.encode(&vec![0; len]) };
            assert!(play(&decoded_cap, codings, [data(&of(10))]).0.is_ok(), "{codings}");
            let got = play(&decoded_cap, codings, [data(&of(11)), ScriptedStep::Error("read on")]).0;
            assert_eq!(refused(got), (Phase::Decode, FailureKind::TooLarge), "{codings}");
        }
    }

    #[test]
    fn a_promise_over_the_cap_is_refused_unread() {
        let settings = BodySettings { max_wire: 10, ..keeping() };
        let mut body = ScriptedBody::new([ScriptedStep::Error("read")]);
        body.promised = 11;
        assert_eq!(refused(take(&settings, "", body).0), (Phase::Body, FailureKind::TooLarge));
    }

    #[test]
    fn one_big_frame_does_not_keep_the_thread() {
        let settings = BodySettings { max_ratio: u32::MAX, ..BodySettings::default() };
        let coded = Form::Zstd.bomb(4 << 20);
        let plan = BodyPlan::new(&settings, &headers("zstd"));
        let wire = Cell::new(0);
        let turns = Cell::new(0);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("builds");
        runtime.block_on(async {
            let mut receiving = pin!(receive(ScriptedBody::new([data(&coded)]), plan, None, None, &wire));
            let got = poll_fn(|cx| {
                turns.set(turns.get() + 1);
                receiving.as_mut().poll(cx)
            })
            .await;
            assert_eq!(got.expect("whole").body_bytes, 4 << 20);
        });
        assert_eq!(turns.get(), 1 + (4 << 20) / (256 << 10));
    }
}

//! The decoder of a body: all its codings undone, a piece at a time.
//!
//! Owns the chain of stages. Each stage's output is judged by the caps, not just the last one's: a coding that expands
//! into another coding's padding would else cost time without end.

use super::caps::Caps;
use super::content_codings::ContentCodings;
use super::spare;
use super::stage::DecoderStage;
use haul_core::model::{Failure, FailureKind, Phase};

/// The most memory that one body's decoders may take. One takes less, with brotli's largest window (16 MiB) and all the tables it
/// may have (4 MB); several with such windows are no honest body's.
const MOST_MEMORY: u64 = 24 << 20;

/// The codings of one body.
pub(super) struct BodyDecoder {
    /// In the order to undo them: the first reads the wire.
    stages: Vec<DecoderStage>,
    caps: Caps,
}

impl BodyDecoder {
    pub(super) fn new(codings: &ContentCodings, caps: Caps) -> Result<Self, Failure> {
        Ok(Self { stages: codings.undo()?.map(spare::take).collect(), caps })
    }

    /// The next piece decoded from `input`, whose used part is cut off. `wire` counts all bytes of the body that have
    /// come so far. `None` means that all input is used and more is needed.
    pub(super) fn next(&mut self, input: &mut &[u8], wire: u64) -> Result<Option<&[u8]>, Failure> {
        let produced = pull(&mut self.stages, input, &|decoded| self.caps.decoded(decoded, wire))?;
        Ok(self.stages.last().filter(|_| produced > 0).map(DecoderStage::rest))
    }

    /// The memory that undoing another piece takes, all in all.
    pub(super) fn memory(&self) -> Result<u64, Failure> {
        let bytes = self.stages.iter().map(DecoderStage::memory).sum();
        if bytes <= MOST_MEMORY {
            return Ok(bytes);
        }
        let message = format!("to undo the body's codings takes more than {MOST_MEMORY} bytes of memory");
        Err(Failure::new(Phase::Decode, FailureKind::TooLarge, message))
    }

    /// The verdict after the last byte.
    pub(super) fn finish(self) -> Result<(), Failure> {
        self.stages.iter().try_for_each(DecoderStage::end)?;
        self.stages.into_iter().for_each(spare::put);
        Ok(())
    }
}

/// Fills the last stage's piece, from the stage before it or from the wire. Says how long the piece is.
fn pull(
    stages: &mut [DecoderStage],
    wire: &mut &[u8],
    allow: &impl Fn(u64) -> Result<(), Failure>,
) -> Result<usize, Failure> {
    let Some((last, before)) = stages.split_last_mut() else { return Ok(0) };
    // Each turn uses bytes of the wire or of the piece before.
    loop {
        let produced = match before.last_mut() {
            None => last.decode(wire)?,
            Some(previous) => decode_from(previous, last)?,
        };
        allow(last.produced)?;
        if produced > 0 || before.is_empty() || pull(before, wire, allow)? == 0 {
            return Ok(produced);
        }
    }
}

fn decode_from(previous: &mut DecoderStage, stage: &mut DecoderStage) -> Result<usize, Failure> {
    let mut input = previous.rest();
    let available = input.len();
    let produced = stage.decode(&mut input)?;
    let used = available - input.len();
    previous.take(used);
    Ok(produced)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::CONTENT_ENCODING;
    use proptest::prelude::*;

    use super::*;
    use crate::body::PIECE;
    use crate::body::testing::Form;
    use haul_core::config::BodySettings;

    const MIB: u64 = 1 << 20;

    fn generous() -> BodySettings {
        BodySettings { max_wire: u64::MAX, max_decoded: u64::MAX, max_ratio: u32::MAX, ..BodySettings::default() }
    }

    /// The decoder of a body whose codings were applied in this order.
    fn decoder(applied: &[Form], settings: &BodySettings) -> BodyDecoder {
        let list: Vec<_> = applied.iter().map(|form| form.coding().name()).collect();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, list.join(", ").parse().expect("valid"));
        BodyDecoder::new(&ContentCodings::of(&headers), Caps::new(settings, false)).expect("few codings")
    }

    fn encode(applied: &[Form], data: &[u8]) -> Vec<u8> {
        applied.iter().fold(data.to_vec(), |data, form| form.encode(&data))
    }

    /// Feeds `wire` in chunks of these sizes, over and over. Returns what was decoded, and the verdict.
    fn feed(mut decoder: BodyDecoder, wire: &[u8], sizes: &[usize]) -> (u64, Vec<u8>, Result<(), Failure>) {
        let (mut rest, mut seen, mut count, mut kept) = (wire, 0, 0, Vec::new());
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                return (count, kept, decoder.finish());
            }
            let (mut chunk, later) = rest.split_at((*size).clamp(1, rest.len()));
            (rest, seen) = (later, seen + chunk.len() as u64);
            loop {
                match decoder.next(&mut chunk, seen) {
                    Ok(None) => break,
                    Ok(Some(piece)) => {
                        assert!(!piece.is_empty() && piece.len() <= PIECE);
                        count += piece.len() as u64;
                        kept.extend_from_slice(&piece[..piece.len().min((4_usize << 20).saturating_sub(kept.len()))]);
                    }
                    Err(failure) => return (count, kept, Err(failure)),
                }
            }
            assert!(chunk.is_empty(), "all of a chunk is used");
        }
        unreachable!("cycles")
    }

    fn verdict(applied: &[Form], wire: &[u8], sizes: &[usize]) -> Result<Vec<u8>, FailureKind> {
        let (_, kept, verdict) = feed(decoder(applied, &generous()), wire, sizes);
        verdict.map(|()| kept).map_err(|failure| failure.kind)
    }

    /// Bytes that compress somewhat, the same for the same seed.
    fn sample(len: usize, seed: u64) -> Vec<u8> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let words: Vec<Vec<u8>> = (0..40).map(|_| (0..rng.usize(1..9)).map(|_| rng.u8(..)).collect()).collect();
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&words[rng.usize(..words.len())]);
        }
        bytes.truncate(len);
        bytes
    }

    #[test]
    fn every_coding_is_undone_at_every_size() {
        for form in Form::ALL {
            for len in [0, 1, 2, 100, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 100_000] {
                let data = sample(len, 1);
                let wire = form.encode(&data);
                for sizes in [&[usize::MAX][..], &[1], &[7, 1, 5000]] {
                    assert!(verdict(&[form], &wire, sizes).as_ref() == Ok(&data), "{form:?} {len} {sizes:?}");
                }
            }
        }
    }

    #[test]
    fn a_chunk_may_end_anywhere_even_where_a_piece_is_just_full() {
        let data = sample(PIECE + 100, 1);
        for form in Form::ALL {
            let wire = form.encode(&data);
            for cut in 1..wire.len() {
                assert!(verdict(&[form], &wire, &[cut, usize::MAX]).as_ref() == Ok(&data), "{form:?} {cut}");
            }
        }
    }

    #[test]
    fn codings_are_undone_in_reverse_order() {
        use Form::{Brotli, Gzip, RawDeflate, Zlib, Zstd};
        let data = sample(70_000, 2);
        for applied in [&[Gzip, Brotli][..], &[Brotli, Gzip], &[Zlib, Zstd, Gzip], &[Gzip, Gzip], &[Zstd, RawDeflate]] {
            let wire = encode(applied, &data);
            for sizes in [&[usize::MAX][..], &[1], &[4096]] {
                assert!(verdict(applied, &wire, sizes).as_ref() == Ok(&data), "{applied:?} {sizes:?}");
            }
        }
        assert_eq!(verdict(&[Brotli, Gzip], &encode(&[Gzip, Brotli], &data), &[4096]), Err(FailureKind::Corrupt));
    }

    #[test]
    fn members_and_frames_follow_each_other() {
        let (first, second) = (sample(30_000, 3), sample(20_000, 4));
        let all = [&first[..], &second].concat();
        let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        for form in [Form::Gzip, Form::Zstd] {
            let empty = form.encode(b"");
            let mut parts = vec![form.encode(&first), empty.clone(), form.encode(&second), empty];
            if form == Form::Zstd {
                parts.insert(0, skippable.clone());
                parts.push(skippable.clone());
            }
            let wire = parts.concat();
            for sizes in [&[usize::MAX][..], &[1], &[3, 1000]] {
                assert!(verdict(&[form], &wire, sizes).as_ref() == Ok(&all), "{form:?} {sizes:?}");
            }
        }
    }

    #[test]
    fn bytes_after_the_end_are_ignored() {
        let data = sample(500, 5);
        for form in Form::ALL {
            for tail in
                [&b"\n"[..], b"\0\0\0\0\0\0\0\0", b"<!-- cached -->", b"\x1f\x8c", b"\x28\xb5\x2f\xfc", b"(", b"\x1f8"]
            {
                let decided = tail != b"(" || form != Form::Zstd;
                let wire = [form.encode(&data), tail.to_vec()].concat();
                for sizes in [&[usize::MAX][..], &[1]] {
                    let expected = if decided { Ok(data.clone()) } else { Err(FailureKind::Truncated) };
                    assert_eq!(verdict(&[form], &wire, sizes), expected, "{form:?} {tail:?}");
                }
            }
        }
    }

    #[test]
    fn every_cut_of_every_coding_is_truncated() {
        let data = sample(300, 6);
        for form in Form::ALL {
            let wire = form.encode(&data);
            for cut in 1..wire.len() {
                let expected = Err(FailureKind::Truncated);
                assert_eq!(verdict(&[form], &wire[..cut], &[usize::MAX]), expected, "{form:?} {cut}");
                assert_eq!(verdict(&[form], &wire[..cut], &[1]), expected, "{form:?} {cut}, byte by byte");
            }
            assert_eq!(verdict(&[form], &[], &[1]), Ok(Vec::new()), "an empty body is empty");
        }
    }

    #[test]
    fn every_cut_within_a_later_member_is_truncated() {
        let data = sample(100, 7);
        for form in [Form::Gzip, Form::Zstd] {
            let one = form.encode(&data);
            let two = [one.clone(), one.clone()].concat();
            for cut in one.len() + 1..two.len() {
                assert_eq!(verdict(&[form], &two[..cut], &[usize::MAX]), Err(FailureKind::Truncated), "{form:?} {cut}");
            }
        }
    }

    #[test]
    fn every_cut_of_an_inner_coding_is_truncated() {
        let inner = Form::Gzip.encode(&sample(100, 8));
        for cut in 1..inner.len() {
            let wire = Form::Brotli.encode(&inner[..cut]);
            assert_eq!(verdict(&[Form::Gzip, Form::Brotli], &wire, &[9]), Err(FailureKind::Truncated), "{cut}");
        }
    }

    #[test]
    fn what_does_not_begin_like_its_coding_is_corrupt() {
        for form in [Form::Gzip, Form::Zstd] {
            assert_eq!(verdict(&[form], b"<html>", &[usize::MAX]), Err(FailureKind::Corrupt), "{form:?}");
        }
        // Large-window brotli; a zstd frame that asks for a window of 2 GiB; a zlib stream that needs a dictionary.
        assert_eq!(verdict(&[Form::Brotli], &[0x11, 30, 0, 0, 0], &[1]), Err(FailureKind::Corrupt));
        let window = [0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0];
        assert_eq!(verdict(&[Form::Zstd], &window, &[usize::MAX]), Err(FailureKind::Corrupt));
        assert_eq!(verdict(&[Form::Zlib], &[0x78, 0xbb, 0, 0, 0, 1, 3, 0], &[1]), Err(FailureKind::Corrupt));
    }

    /// Feeds a bomb and says how many bytes were produced until it was stopped, and why.
    fn explode(applied: &[Form], wire: &[u8], settings: &BodySettings) -> (u64, FailureKind) {
        let (count, _, verdict) = feed(decoder(applied, settings), wire, &[8192]);
        (count, verdict.expect_err("a bomb").kind)
    }

    #[test]
    fn a_bomb_is_stopped_at_the_cap() {
        const GIB: u64 = 1 << 30;
        let capped = BodySettings { max_decoded: 8 * MIB, max_ratio: u32::MAX, ..BodySettings::default() };
        let ratio = BodySettings { max_decoded: u64::MAX, ..BodySettings::default() };
        let member = Form::Gzip.bomb(64 * MIB);
        let gzip = member.repeat(16);
        let bombs: [(&[Form], Vec<u8>); 4] = [
            (&[Form::Gzip], gzip.clone()),
            (&[Form::Zstd], Form::Zstd.bomb(GIB)),
            (&[Form::Brotli], Form::Brotli.bomb(GIB)),
            (&[Form::Gzip, Form::Gzip], Form::Gzip.encode(&gzip)),
        ];
        for (applied, wire) in bombs {
            let (count, kind) = explode(applied, &wire, &capped);
            assert_eq!(kind, FailureKind::TooLarge, "{applied:?}");
            assert!((8 * MIB - PIECE as u64..=8 * MIB).contains(&count), "{applied:?} {count}");
            let (count, kind) = explode(applied, &wire, &ratio);
            assert_eq!(kind, FailureKind::ExpansionRatio, "{applied:?}");
            assert!((MIB - PIECE as u64..8192 * 200 + MIB).contains(&count), "{applied:?} {count}");
        }
    }

    #[test]
    fn a_bomb_between_two_codings_is_stopped_too() {
        let padded = [Form::Gzip.encode(b"small"), vec![0; 32 << 20]].concat();
        let wire = Form::Zstd.encode(&padded);
        let settings = BodySettings { max_decoded: 8 * MIB, max_ratio: u32::MAX, ..BodySettings::default() };
        let (count, kind) = explode(&[Form::Gzip, Form::Zstd], &wire, &settings);
        assert_eq!((count, kind), (5, FailureKind::TooLarge));
        assert_eq!(explode(&[Form::Gzip, Form::Zstd], &wire, &BodySettings::default()).1, FailureKind::ExpansionRatio);
    }

    fn form() -> impl Strategy<Value = Form> {
        prop::sample::select(Form::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_verdict(
            applied in prop::collection::vec(form(), 1..4),
            len in 0_usize..60_000,
            seed: u64,
            sizes in prop::collection::vec(1_usize..5000, 1..8),
            damage in prop::option::of((any::<prop::sample::Index>(), 1_u8..)),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let data = sample(len, seed);
            let mut wire = encode(&applied, &data);
            if let Some((at, flip)) = damage {
                *at.get_mut(&mut wire) ^= flip;
            }
            if let Some(cut) = cut {
                wire.truncate(cut.index(wire.len()));
            }
            let whole = verdict(&applied, &wire, &[usize::MAX]);
            let split = verdict(&applied, &wire, &sizes);
            prop_assert!(whole == split, "{:?} {:?}", whole.map(|b| b.len()), split.map(|b| b.len()));
            if damage.is_none() && cut.is_none() {
                prop_assert!(whole == Ok(data));
            } else if damage.is_none() && !wire.is_empty() {
                prop_assert_eq!(whole, Err(FailureKind::Truncated));
            }
        }

        #[test]
        fn any_bytes_get_a_verdict(
            applied in prop::collection::vec(form(), 1..4),
            wire in prop::collection::vec(any::<u8>(), 1..2000),
            skip in 0_usize..5,
        ) {
            // Often behind a real beginning, so that more than the first check is reached.
            let begun = [&form_head(applied[applied.len() - 1])[..skip.min(4)], &wire].concat();
            let _ = verdict(&applied, &begun, &[17]);
        }
    }

    fn form_head(form: Form) -> Vec<u8> {
        form.encode(b"some text, some text, some text")
    }
}

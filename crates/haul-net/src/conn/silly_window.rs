//! Silly window avoidance: how much of a request's body is sent at once, of what the peer's windows have room for. Pure.
//!
//! A peer that gives each byte of its window back as it reads it would get frames of a byte, which cost it more than they bring:
//! some close the connection over that. So small room waits for more, as TCP's sender does (RFC 9293 §3.8.6.2.1, silly
//! window syndrome): a frame's worth, all that is left, or half of the most there ever was room for, which is what a peer
//! with a small window can give. And for a short while at the most: what is there may be all there will be. The uploads of one
//! connection share its window: together they hold back less than a frame, so that they do not starve each other.

/// A frame's worth: the largest that any peer takes (RFC 9113 §4.2).
const FRAME: usize = 16 << 10;
/// A smaller part of a frame stays in the window until more can go with it.
const LEAST: usize = 4 << 10;

/// Says how much.
#[derive(Debug, Default)]
pub(super) struct SillyWindowAvoidance {
    /// The most there was room for.
    largest: usize,
}

impl SillyWindowAvoidance {
    /// How many of `rest` bytes are sent now that there is room for `room`, and others hold back room for `beside`; 0: better wait.
    pub(super) fn of(&mut self, room: usize, rest: usize, beside: usize) -> usize {
        self.largest = self.largest.max(room);
        let tail = room % FRAME;
        if rest <= room {
            rest
        } else if room >= FRAME {
            if tail < LEAST { room - tail } else { room }
        } else if room.saturating_mul(2) >= self.largest || room + beside >= FRAME {
            room
        } else {
            0
        }
    }

    /// The same, after it has waited in vain: all there is. The peer may have taken room away for good.
    pub(super) fn at_last(&mut self, room: usize, rest: usize) -> usize {
        self.largest = room.max(self.largest / 2);
        room.min(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_room_waits_for_a_frames_worth() {
        let mut portion = SillyWindowAvoidance::default();
        let steps = [
            (65_535, 65_535, "three frames and most of a fourth"),
            (1, 0, "a byte that was given back"),
            (16_383, 0, "a byte less than a frame"),
            (16_384, 16_384, "a frame"),
            (16_385, 16_384, "a byte more stays"),
            (40_000, 40_000, "a good part of a frame goes with the others"),
            (0, 0, "no room"),
        ];
        for (room, expected, what) in steps {
            assert_eq!(portion.of(room, 1 << 20, 0), expected, "{what}");
        }
        assert_eq!(portion.of(100, 100, 0), 100, "all that is left");
        assert_eq!(portion.of(100, 101, 0), 0);
    }

    #[test]
    fn a_small_window_is_used_by_halves() {
        let mut portion = SillyWindowAvoidance::default();
        assert_eq!(portion.of(1000, 1 << 20, 0), 1000, "nobody has said that there is more");
        assert_eq!((portion.of(499, 1 << 20, 0), portion.of(500, 1 << 20, 0)), (0, 500));
        let mut least = SillyWindowAvoidance::default();
        assert_eq!([1, 1, 1].map(|room| least.of(room, 1 << 20, 0)), [1, 1, 1], "a window of one byte");
    }

    #[test]
    fn uploads_beside_each_other_hold_back_less_than_a_frame_together() {
        let mut portion = SillyWindowAvoidance::default();
        portion.of(65_535, 1 << 20, 0);
        assert_eq!(portion.of(1_000, 1 << 20, 15_383), 0);
        assert_eq!(portion.of(1_000, 1 << 20, 15_384), 1_000);
        assert_eq!(portion.of(0, 1 << 20, 20_000), 0, "there is nothing to send");
    }

    #[test]
    fn what_is_there_goes_at_last_and_a_window_that_shrank_is_learnt() {
        let mut portion = SillyWindowAvoidance::default();
        portion.of(64_000, 1 << 20, 0);
        for _ in 0..6 {
            assert_eq!(portion.of(500, 1 << 20, 0), 0);
            assert_eq!(portion.at_last(500, 1 << 20), 500);
        }
        assert_eq!(portion.of(500, 1 << 20, 0), 500);
        assert_eq!(portion.at_last(500, 3), 3);
    }
}

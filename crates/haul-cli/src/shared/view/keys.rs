//! What keys mean, and what they do to the limits. Pure.

use std::num::NonZeroU32;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use haul::engine::LiveLimits;

/// What the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyAction {
    Pause,
    /// Another limit.
    Limit(LimitKind, LimitStep),
    /// What Ctrl-C does without the view.
    Stop,
    /// The list of keys, or no longer.
    Help,
}

/// A limit that has keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LimitKind {
    /// Requests in flight over all hosts.
    All,
    /// Requests in flight per host.
    PerHost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LimitStep {
    Up,
    Down,
}

/// The keys, as the help lists them.
pub(super) const KEYS: [(&str, &str); 5] = [
    ("space", "pause, and go on"),
    ("+ -", "more or fewer requests in flight over all hosts"),
    ("] [", "more or fewer requests in flight per host"),
    ("q, Ctrl-C", "stop; again to end at once"),
    ("?", "this list"),
];

/// What `key` asks for, if anything.
pub(super) fn wish(key: &KeyEvent) -> Option<KeyAction> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(KeyAction::Stop),
        _ if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => None,
        KeyCode::Char('q') => Some(KeyAction::Stop),
        KeyCode::Char(' ') => Some(KeyAction::Pause),
        // The same key with and without shift on many keyboards.
        KeyCode::Char('+' | '=') => Some(KeyAction::Limit(LimitKind::All, LimitStep::Up)),
        KeyCode::Char('-') => Some(KeyAction::Limit(LimitKind::All, LimitStep::Down)),
        KeyCode::Char(']') => Some(KeyAction::Limit(LimitKind::PerHost, LimitStep::Up)),
        KeyCode::Char('[') => Some(KeyAction::Limit(LimitKind::PerHost, LimitStep::Down)),
        KeyCode::Char('?' | 'h') => Some(KeyAction::Help),
        _ => None,
    }
}

/// The limits one step further. A limit per host that was no lower than the one over all hosts held nothing back; it stays so.
pub(super) fn change(limits: LiveLimits, limit: LimitKind, step: LimitStep) -> LiveLimits {
    let LiveLimits { concurrency, per_host, .. } = limits;
    match limit {
        LimitKind::All => {
            let concurrency = next(concurrency, step);
            let per_host = if per_host >= limits.concurrency { concurrency } else { per_host };
            LiveLimits { concurrency, per_host, ..limits }
        }
        LimitKind::PerHost => LiveLimits { per_host: next(per_host, step), ..limits },
    }
}

/// The rungs between 10 and 100; those above are these times powers of ten, and below 10 is every number.
const RUNGS: [u32; 10] = [10, 12, 16, 20, 25, 32, 40, 50, 64, 80];

/// The next rung above or below: about a quarter more, or a fifth less.
fn next(from: NonZeroU32, step: LimitStep) -> NonZeroU32 {
    let mut below = NonZeroU32::MIN;
    for rung in rungs() {
        if step == LimitStep::Up && rung > from {
            return rung;
        }
        if step == LimitStep::Down && rung >= from {
            return below;
        }
        below = rung;
    }
    if step == LimitStep::Down { below } else { from }
}

fn rungs() -> impl Iterator<Item = NonZeroU32> {
    let high = (0..9).flat_map(|power| RUNGS.map(|rung| rung.checked_mul(10_u32.pow(power))));
    (1..10).chain(high.flatten()).filter_map(NonZeroU32::new)
}

#[cfg(test)]
mod tests {
    use haul::config::Limits;

    use super::*;

    fn number(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).expect("not zero")
    }

    #[test]
    fn steps_are_about_a_quarter_and_come_back() {
        let up = |from| next(number(from), LimitStep::Up).get();
        let down = |from| next(number(from), LimitStep::Down).get();
        assert_eq!([up(1), up(9), up(10), up(100), up(256), up(80_000)], [2, 10, 12, 120, 320, 100_000]);
        assert_eq!([down(1), down(2), down(12), down(100), down(256)], [1, 1, 10, 80, 250]);
        assert_eq!((up(4_000_000_000), down(u32::MAX)), (4_000_000_000, 4_000_000_000), "the last rung");
        for rung in rungs().skip(1) {
            assert_eq!(next(next(rung, LimitStep::Down), LimitStep::Up), rung);
        }
        assert!(rungs().is_sorted());
    }

    #[test]
    fn a_limit_per_host_that_held_nothing_back_goes_along() {
        let limits = |concurrency, per_host| {
            let limits = Limits { concurrency: number(concurrency), per_host: number(per_host), ..Limits::default() };
            LiveLimits::from(&limits)
        };
        assert_eq!(change(limits(50, 50), LimitKind::All, LimitStep::Up), limits(64, 64));
        assert_eq!(change(limits(50, 8), LimitKind::All, LimitStep::Down), limits(40, 8));
        assert_eq!(change(limits(50, 8), LimitKind::PerHost, LimitStep::Up), limits(50, 9));
    }

    #[test]
    fn keys_are_as_listed() {
        let pressed = |c, modifiers| wish(&KeyEvent::new(KeyCode::Char(c), modifiers));
        let plain = |c| pressed(c, KeyModifiers::NONE);
        assert_eq!(
            (plain(' '), plain('q'), plain('?')),
            (Some(KeyAction::Pause), Some(KeyAction::Stop), Some(KeyAction::Help))
        );
        assert_eq!(plain('+'), Some(KeyAction::Limit(LimitKind::All, LimitStep::Up)));
        assert_eq!(plain('['), Some(KeyAction::Limit(LimitKind::PerHost, LimitStep::Down)));
        assert_eq!(pressed('c', KeyModifiers::CONTROL), Some(KeyAction::Stop));
        assert_eq!((plain('c'), plain('x'), pressed('q', KeyModifiers::ALT)), (None, None, None));
        let mut released = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        released.kind = KeyEventKind::Release;
        assert_eq!(wish(&released), None);
    }
}

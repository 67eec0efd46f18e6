//! What a whole virtual host is like, told by its name. Pure: chance is an argument.

use std::time::Duration;

use fastrand::Rng;
use http::StatusCode;

use super::bucket::RateLimit;

/// How a virtual host behaves, whatever path is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Answers at once.
    Fast,
    /// Waits 200 to 800 ms before each answer.
    Slow,
    /// Answers 20 requests a second, 20 at once at the most; beyond that 429 with `Retry-After`.
    Limited,
    /// Of 100 requests about 10 get 500, 5 get 503 and 5 a reset.
    Failing,
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Serve,
    ServeAfter(Duration),
    Refuse(StatusCode),
    Reset,
}

impl Manner {
    /// The manner that a host's name asks for: that of the first of its labels which is `slow`, `limited` or `failing`.
    /// All other hosts are [`Manner::Fast`].
    ///
    /// ```
    /// use haul_testserver::Manner;
    ///
    /// assert_eq!(Manner::of("slow.h17.localhost"), Manner::Slow);
    /// assert_eq!(Manner::of("h17.slow.test"), Manner::Slow);
    /// assert_eq!(Manner::of("127.0.0.1"), Manner::Fast);
    /// ```
    #[must_use]
    pub fn of(host: &str) -> Self {
        host.split('.').find_map(Self::of_label).unwrap_or(Self::Fast)
    }

    fn of_label(label: &str) -> Option<Self> {
        let named = |manner: &Self| manner.label().eq_ignore_ascii_case(label);
        [Self::Fast, Self::Slow, Self::Limited, Self::Failing].into_iter().find(named)
    }

    /// The label that asks for it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Slow => "slow",
            Self::Limited => "limited",
            Self::Failing => "failing",
        }
    }

    /// The host's own limit.
    pub(super) fn limit(self) -> Option<RateLimit> {
        (self == Self::Limited).then(|| RateLimit::new(20.0, 20))
    }

    /// What becomes of the next request.
    pub(super) fn deed(self, dice: &mut Rng) -> Deed {
        match self {
            Self::Fast | Self::Limited => Deed::Serve,
            Self::Slow => Deed::ServeAfter(Duration::from_millis(dice.u64(200..=800))),
            Self::Failing => match dice.u8(..100) {
                0..10 => Deed::Refuse(StatusCode::INTERNAL_SERVER_ERROR),
                10..15 => Deed::Refuse(StatusCode::SERVICE_UNAVAILABLE),
                15..20 => Deed::Reset,
                _ => Deed::Serve,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_label_that_names_a_manner_decides() {
        for (host, manner) in [
            ("slow.h1.localhost", Manner::Slow),
            ("h1.SLOW.test", Manner::Slow),
            ("fast.slow.test", Manner::Fast),
            ("limited", Manner::Limited),
            ("failing.limited.test", Manner::Failing),
            ("slowly.test", Manner::Fast),
            ("", Manner::Fast),
            ("::1", Manner::Fast),
        ] {
            assert_eq!(Manner::of(host), manner, "{host}");
        }
    }

    #[test]
    fn deeds_keep_to_what_is_documented() {
        let mut dice = Rng::with_seed(1);
        let mut deeds = |manner: Manner| -> Vec<Deed> { (0..10_000).map(|_| manner.deed(&mut dice)).collect() };
        let share = |deeds: &[Deed], deed| deeds.iter().filter(|other| **other == deed).count();
        assert_eq!(share(&deeds(Manner::Fast), Deed::Serve), 10_000);
        let failing = deeds(Manner::Failing);
        let refused = |status| share(&failing, Deed::Refuse(status));
        assert!((800..1200).contains(&refused(StatusCode::INTERNAL_SERVER_ERROR)));
        assert!((350..650).contains(&refused(StatusCode::SERVICE_UNAVAILABLE)));
        assert!((350..650).contains(&share(&failing, Deed::Reset)));
        let waits = deeds(Manner::Slow);
        let wait = |deed: &Deed| match deed {
            Deed::ServeAfter(time) => time.as_millis(),
            other => panic!("{other:?}"),
        };
        assert_eq!(waits.iter().map(wait).min(), Some(200));
        assert_eq!(waits.iter().map(wait).max(), Some(800));
    }
}

//! What is known of how a host's server treats connections: how many requests it takes on one, and whether one that has been
//! idle can be relied on. Twelve bytes a host of which there is more to say than of most.
//!
//! All of it is learnt from connections that the peer has ended, and tried again from time to time, because a server that is
//! started anew ends connections, too.

use std::time::Duration;

/// A connection that ends so soon after a response was ended by that response, and not by being idle.
pub const SOON: Duration = Duration::from_millis(100);

/// A connection that is still open so long after its response is not one of those that a server closes after each.
pub(super) const SETTLED: Duration = Duration::from_millis(10);

/// The unit that idle times are remembered in.
const TICK: Duration = Duration::from_millis(10);

/// Connections that must take all they are given before one is given twice as much: two, and twice as many after each attempt
/// that failed, up to this power of two.
const LONGEST_PATIENCE: u8 = 7;

/// How a host's server treats connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// Requests it takes on a connection; 0: no end is known.
    takes: u16,
    /// Streams it takes at once on a connection, where it has refused more; 0: it has not.
    at_once: u16,
    /// How long a connection had been idle that was found dead, in ticks; 0: none was.
    fades: u16,
    /// Connections that took all they were given since that last changed.
    full: u8,
    /// How often a trial of more failed.
    patience: u8,
    trial: Trial,
    trust: Trust,
    /// Whether it wants HTTP/1.1 alone.
    http1: bool,
}

/// Whether a connection is given more requests than are known to be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trial {
    #[default]
    None,
    /// The next one is.
    Due,
    /// One is.
    Out,
}

/// Whether a kept connection can be relied on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trust {
    /// Nothing is known.
    #[default]
    Unknown,
    /// A request that may be sent only once is on one, to find out; no other is put to that risk meanwhile.
    Probed,
    /// The server has promised to keep them, or one that was kept has brought another answer.
    Kept,
    /// One swallowed a request: no end was seen.
    Swallowed,
}

impl Habits {
    /// Nothing is known.
    pub(super) const NONE: Self = Self {
        takes: 0,
        at_once: 0,
        fades: 0,
        full: 0,
        patience: 0,
        trial: Trial::None,
        trust: Trust::Unknown,
        http1: false,
    };

    /// Nothing is known but that kept connections can be relied on: what most hosts come to.
    pub const KEPT: Self = Self { trust: Trust::Kept, ..Self::NONE };

    /// Requests that a connection is known to take in all, `u32::MAX` while no end is known.
    #[must_use]
    pub const fn takes(self) -> u32 {
        if self.takes == 0 { u32::MAX } else { self.takes as u32 }
    }

    /// Streams that a new connection is given at once, `u32::MAX` while none was refused.
    #[must_use]
    pub const fn at_once(self) -> u32 {
        if self.at_once == 0 { u32::MAX } else { self.at_once as u32 }
    }

    /// A connection refused a stream while it served so many.
    pub fn refused(&mut self, served: u32) {
        self.at_once = u16::try_from(served.max(1)).unwrap_or(0);
    }

    /// Requests that a new connection is given. Now and then one is given twice as many, unless its first request may be sent
    /// only once.
    pub fn give(&mut self, once: bool) -> u32 {
        match self.trial {
            Trial::Due if !once => {
                self.trial = Trial::Out;
                self.takes().saturating_mul(2)
            }
            _ => self.takes(),
        }
    }

    /// The peer ended a connection, given so many, that had taken `served` requests.
    pub fn ended_after(&mut self, served: u32) {
        let served = u16::try_from(served.max(1)).unwrap_or(0);
        if self.trial == Trial::Out && u32::from(served) <= self.takes() {
            self.trial = Trial::None;
            self.patience = (self.patience + 1).min(LONGEST_PATIENCE);
            self.full = 0;
        }
        if served != self.takes {
            self.takes = served;
            self.full = 0;
        }
    }

    /// A connection has taken all that it was given.
    pub fn took_all(&mut self, given: u32) {
        if self.takes == 0 {
            return;
        }
        if self.trial == Trial::Out && given > self.takes() {
            self.takes = u16::try_from(given).unwrap_or(0);
            (self.trial, self.full, self.patience) = (Trial::None, 0, 0);
            return;
        }
        self.full = self.full.saturating_add(1);
        if u32::from(self.full) >= 2 << self.patience.min(LONGEST_PATIENCE - 1) {
            (self.trial, self.full) = (Trial::Due, 0);
        }
    }

    /// A connection that had been idle for so long was found to be dead.
    pub fn faded(&mut self, idle: Duration) {
        let ticks = u16::try_from(idle.as_nanos() / TICK.as_nanos()).unwrap_or(u16::MAX).max(1);
        self.fades = if self.fades == 0 { ticks } else { self.fades.min(ticks) };
        if self.trust == Trust::Kept {
            self.trust = Trust::Unknown;
        }
    }

    /// A request that had died on a kept connection has died on a new one, too: it, or the server, was to blame, and what was
    /// learnt of connections was wrong.
    pub fn pardon(&mut self) {
        (self.takes, self.fades, self.full, self.trial) = (0, 0, 0, Trial::None);
        if self.trust == Trust::Swallowed {
            self.trust = Trust::Unknown;
        }
    }

    /// One did so without a sign: a request on it had no answer.
    pub fn swallowed(&mut self, idle: Duration) {
        self.faded(idle);
        self.trust = Trust::Swallowed;
    }

    /// A connection that had been kept has brought another answer, or the peer has promised to keep them.
    pub fn kept(&mut self) {
        if matches!(self.trust, Trust::Unknown | Trust::Probed) {
            self.trust = Trust::Kept;
        }
    }

    /// Whether kept connections are known to bring answers.
    #[must_use]
    pub fn are_kept(self) -> bool {
        self.trust == Trust::Kept
    }

    /// A request that may be sent only once goes over a kept connection.
    pub fn probe(&mut self) {
        if self.trust == Trust::Unknown {
            self.trust = Trust::Probed;
        }
    }

    /// A request over a kept connection failed.
    pub fn failed(&mut self) {
        if self.trust == Trust::Probed {
            self.trust = Trust::Unknown;
        }
    }

    /// How long to keep one, where they end without a sign.
    #[must_use]
    pub fn keep(self) -> Option<Duration> {
        (self.trust == Trust::Swallowed).then(|| TICK * u32::from(self.fades) * 3 / 4)
    }

    /// Whether a request that may be sent only once is safe on a connection that has taken so many and been idle for so long.
    #[must_use]
    pub fn is_safe(self, served: u64, idle: Duration) -> bool {
        let fresh = self.fades == 0 || idle < TICK * u32::from(self.fades) / 2;
        let proven = match self.trust {
            Trust::Kept => true,
            Trust::Unknown | Trust::Swallowed => idle >= SETTLED,
            Trust::Probed => false,
        };
        served < u64::from(self.takes()) && fresh && proven
    }

    /// The host wants HTTP/1.1 from now on; says whether that is news.
    pub const fn want_http1(&mut self) -> bool {
        !std::mem::replace(&mut self.http1, true)
    }

    /// Whether it does.
    #[must_use]
    pub const fn wants_http1(self) -> bool {
        self.http1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn they_are_small() {
        assert!(size_of::<Habits>() <= 12);
    }

    /// A server that takes `takes` requests a connection, from which `connections` are asked for in turn. Says how many of
    /// them were given more than it takes.
    fn refused(habits: &mut Habits, takes: u32, connections: u32) -> u32 {
        let mut refused = 0;
        for _ in 0..connections {
            let given = habits.give(false);
            if given > takes {
                habits.ended_after(takes);
                refused += 1;
            } else {
                habits.took_all(given);
            }
        }
        refused
    }

    #[test]
    fn a_count_is_learnt_at_once_and_tried_ever_more_rarely() {
        for takes in [1, 3, 10, 30, 1000] {
            let mut habits = Habits::default();
            assert_eq!(habits.give(false), u32::MAX);
            habits.ended_after(takes);
            assert_eq!((habits.takes(), habits.give(false)), (takes, takes));
            assert_eq!(refused(&mut habits, takes, 1000), 12, "{takes} a connection");
            assert_eq!(habits.takes(), takes);
        }
    }

    #[test]
    fn a_server_that_was_only_started_anew_is_soon_given_as_much_as_before() {
        let mut habits = Habits::default();
        habits.ended_after(3);
        assert_eq!(refused(&mut habits, u32::MAX, 60), 0);
        assert_eq!(habits.takes(), u32::MAX);
    }

    #[test]
    fn a_server_that_takes_less_than_before_is_given_less() {
        let mut habits = Habits::default();
        habits.ended_after(30);
        habits.ended_after(3);
        assert_eq!(habits.give(false), 3);
        habits.ended_after(0);
        assert_eq!(habits.give(false), 1);
    }

    #[test]
    fn no_trial_with_a_request_that_may_be_sent_once() {
        let mut habits = Habits::default();
        habits.ended_after(1);
        (0..10).for_each(|_| habits.took_all(1));
        assert_eq!((habits.give(true), habits.give(false), habits.give(false)), (1, 2, 1), "and one at a time");
    }

    #[test]
    fn a_request_that_may_be_sent_once_wants_a_connection_that_can_be_relied_on() {
        let mut habits = Habits::default();
        assert!(!habits.is_safe(1, ms(0)), "the server may be about to close it");
        assert!(habits.is_safe(1, SETTLED), "it has not");
        habits.probe();
        assert!(!habits.is_safe(1, SETTLED), "one at a time");
        habits.failed();
        assert!(habits.is_safe(1, SETTLED));
        habits.probe();
        habits.kept();
        assert!(habits.is_safe(1, ms(0)));
        habits.ended_after(5);
        assert!(habits.is_safe(4, ms(0)) && !habits.is_safe(5, ms(0)));
        habits.faded(ms(1000));
        assert!(habits.is_safe(1, ms(499)) && !habits.is_safe(1, ms(500)) && !habits.is_safe(1, ms(0)));
        habits.kept();
        assert!(habits.is_safe(1, ms(0)));
    }

    #[test]
    fn as_many_streams_are_given_as_were_served_when_one_was_refused() {
        let mut habits = Habits::default();
        assert_eq!(habits.at_once(), u32::MAX);
        habits.refused(5);
        assert_eq!(habits.at_once(), 5);
        habits.refused(0);
        assert_eq!(habits.at_once(), 1);
    }

    #[test]
    fn where_connections_end_without_a_sign_they_are_kept_for_less() {
        let mut habits = Habits::default();
        habits.faded(ms(8000));
        assert_eq!(habits.keep(), None, "an end that is seen does no harm");
        habits.swallowed(ms(4000));
        assert_eq!(habits.keep(), Some(ms(3000)));
        habits.kept();
        assert_eq!(habits.keep(), Some(ms(3000)));
        habits.swallowed(Duration::from_secs(10_000));
        assert_eq!(habits.keep(), Some(ms(3000)));
    }

    #[test]
    fn what_was_no_fault_of_connections_is_forgotten() {
        let mut habits = Habits::default();
        habits.ended_after(3);
        habits.swallowed(ms(200));
        habits.pardon();
        assert_eq!(habits, Habits::default());
    }

    #[test]
    fn http1_is_news_once() {
        let mut habits = Habits::default();
        assert!(!habits.wants_http1() && habits.want_http1() && !habits.want_http1() && habits.wants_http1());
    }
}

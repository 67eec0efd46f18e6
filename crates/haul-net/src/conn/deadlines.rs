//! The deadlines of an exchange: when it has taken too long, and which time-out says so. Pure: the clock is an argument.

use std::cell::Cell;
use std::time::Duration;

use haul_core::config::{Setting, Timeouts};
use haul_core::model::{Failure, FailureKind, Phase, Time};

/// Where an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExchangeStage {
    /// The request waits for its turn on the connection: nothing of it has been sent.
    Unsent,
    Head,
    Body {
        since: Time,
    },
}

/// The deadlines of one exchange. Shared by reference between the exchange, which reports progress, and its driver,
/// which waits: hence cells.
#[derive(Debug)]
pub(super) struct Deadlines<'a> {
    timeouts: &'a Timeouts,
    /// When the request was sent.
    started: Cell<Time>,
    /// When the attempt as a whole is over.
    total: Cell<Time>,
    /// Whether that time stands still while the body is not taken.
    patient: bool,
    stage: Cell<ExchangeStage>,
    /// When the current stage, or the pause since its last progress, is over.
    stage_due: Cell<Time>,
    /// Something arrived since the pause was last measured. Only then is the clock read: a body that comes at once
    /// with its head costs no reading.
    progressed: Cell<bool>,
    /// Since when whoever takes the body has no room. The peer is not to blame for that time.
    held: Cell<Option<Time>>,
    /// Body bytes off the wire so far.
    pub(super) wire_bytes: Cell<u64>,
}

impl<'a> Deadlines<'a> {
    /// The deadlines of an exchange whose request is sent now and which must end by `total`.
    pub(super) fn new(timeouts: &'a Timeouts, total: Time, now: Time) -> Self {
        Self {
            timeouts,
            started: Cell::new(now),
            total: Cell::new(total),
            patient: false,
            stage: Cell::new(ExchangeStage::Head),
            stage_due: Cell::new(now + timeouts.first_byte),
            progressed: Cell::new(false),
            held: Cell::new(None),
            wire_bytes: Cell::new(0),
        }
    }

    /// The same, whose total stands still too while the body is not taken: haul itself does not take it, for want of room.
    pub(super) fn patient(self, patient: bool) -> Self {
        Self { patient, ..self }
    }

    /// The request is not sent yet: it waits for its turn on the connection. Only the attempt's total counts.
    pub(super) fn wait_unsent(&self) {
        self.stage.set(ExchangeStage::Unsent);
        self.stage_due.set(Time::NEVER);
    }

    /// The request is sent after all; its head is awaited from now on.
    pub(super) fn send(&self, now: Time) {
        self.started.set(now);
        self.stage.set(ExchangeStage::Head);
        self.stage_due.set(now + self.timeouts.first_byte);
    }

    /// When the request was sent.
    pub(super) const fn started(&self) -> Time {
        self.started.get()
    }

    /// Whether nothing of the request has been sent.
    pub(super) const fn is_unsent(&self) -> bool {
        matches!(self.stage.get(), ExchangeStage::Unsent)
    }

    /// The head is complete; the body is awaited.
    pub(super) fn enter_body(&self, now: Time) {
        self.stage.set(ExchangeStage::Body { since: now });
        self.stage_due.set(now + self.timeouts.idle);
    }

    /// Nobody wants the rest: it is over by `due` at the latest.
    pub(super) fn end_by(&self, due: Time) {
        self.total.set(self.total.get().min(due));
    }

    /// A piece of the body arrived.
    pub(super) fn progress(&self) {
        self.progressed.set(true);
    }

    /// Whether whoever takes the body lets the peer wait. Only a change reads the clock.
    pub(super) fn hold(&self, held: bool, now: impl FnOnce() -> Time) {
        match (self.held.get(), held) {
            (None, true) => {
                self.held.set(Some(now()));
                self.stage_due.set(Time::NEVER);
            }
            (Some(from), false) => {
                self.held.set(None);
                self.progress();
                let waited = now().since(from);
                if self.patient {
                    self.total.set(self.total.get() + waited);
                }
                if let ExchangeStage::Body { since } = self.stage.get() {
                    self.stage.set(ExchangeStage::Body { since: since + waited });
                }
            }
            _ => {}
        }
    }

    /// The exchange waits: a pause begins now if something arrived before it.
    pub(super) fn pause(&self, now: impl FnOnce() -> Time) {
        if self.held.get().is_none() && self.progressed.replace(false) {
            self.stage_due.set(now() + self.timeouts.idle);
        }
    }

    /// When to look again at the latest.
    pub(super) fn due(&self) -> Time {
        self.total_due().min(self.stage_due.get()).min(self.rate_due())
    }

    /// When the attempt as a whole is over, as far as that is known.
    fn total_due(&self) -> Time {
        if self.patient && self.held.get().is_some() { Time::NEVER } else { self.total.get() }
    }

    /// The failure that time has brought, if any. When there is none, [`Self::due`] is later than `now`.
    pub(super) fn check(&self, now: Time) -> Option<Failure> {
        if now >= self.total_due() {
            return Some(self.total_timeout());
        }
        if now >= self.stage_due.get() {
            return Some(self.stage_timeout());
        }
        (now >= self.rate_due()).then(|| self.too_slow(now))
    }

    /// When the bytes received so far stop being enough for the minimum rate: the body may pause until then.
    fn rate_due(&self) -> Time {
        let ExchangeStage::Body { since } = self.stage.get() else { return Time::NEVER };
        if self.timeouts.min_rate == 0 || self.held.get().is_some() {
            return Time::NEVER;
        }
        let paid_for = Duration::from_secs_f64(self.wire_bytes.get() as f64 / self.timeouts.min_rate as f64);
        since + paid_for.max(self.timeouts.min_rate_after)
    }

    /// The phase it is in.
    pub(super) const fn phase(&self) -> Phase {
        match self.stage.get() {
            ExchangeStage::Unsent => Phase::Send,
            ExchangeStage::Head => Phase::Head,
            ExchangeStage::Body { .. } => Phase::Body,
        }
    }

    fn total_timeout(&self) -> Failure {
        if self.held.get().is_some() {
            let message =
                "the body was not taken within the total time-out of its attempt: whoever reads or writes it is slow";
            return Failure::new(self.phase(), FailureKind::TotalTimeout, message);
        }
        if self.is_unsent() {
            let message = "the request was not sent within the total time-out of its attempt: the server takes no more at once \
                           on its connection, and those before it did not end";
            return Failure::new(self.phase(), FailureKind::TotalTimeout, message);
        }
        Failure::new(
            self.phase(),
            FailureKind::TotalTimeout,
            format!("the attempt did not end within its total time-out (`{}`)", Setting::TotalTimeout),
        )
    }

    fn stage_timeout(&self) -> Failure {
        match self.stage.get() {
            ExchangeStage::Unsent => self.total_timeout(),
            ExchangeStage::Head => Failure::new(
                Phase::Head,
                FailureKind::Timeout,
                format!(
                    "no complete response head within {:?} (`{}`)",
                    self.timeouts.first_byte,
                    Setting::FirstByteTimeout
                ),
            ),
            ExchangeStage::Body { .. } => Failure::new(
                Phase::Body,
                FailureKind::Timeout,
                format!("no body bytes for {:?} (`{}`)", self.timeouts.idle, Setting::IdleTimeout),
            ),
        }
    }

    fn too_slow(&self, now: Time) -> Failure {
        let ExchangeStage::Body { since } = self.stage.get() else { return self.stage_timeout() };
        Failure::new(
            Phase::Body,
            FailureKind::TooSlow,
            format!(
                "{} body bytes in {:?} is below {} bytes/s (`{}`)",
                self.wire_bytes.get(),
                now.since(since),
                self.timeouts.min_rate,
                Setting::MinRate
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeouts() -> Timeouts {
        Timeouts {
            first_byte: Duration::from_secs(3),
            idle: Duration::from_secs(2),
            min_rate: 100,
            min_rate_after: Duration::from_secs(5),
            ..Timeouts::default()
        }
    }

    fn s(secs: u64) -> Time {
        Time::from_millis(secs * 1000)
    }

    fn verdict(deadlines: &Deadlines<'_>, now: Time) -> Option<(Phase, FailureKind)> {
        let verdict = deadlines.check(now).map(|failure| (failure.phase, failure.kind));
        assert_eq!(verdict.is_some(), deadlines.due() <= now, "due and check agree");
        verdict
    }

    #[test]
    fn each_deadline_ends_the_exchange_with_its_own_name() {
        let timeouts = timeouts();
        let deadlines = Deadlines::new(&timeouts, s(60), s(10));
        assert_eq!(verdict(&deadlines, s(12)), None);
        assert_eq!(verdict(&deadlines, s(13)), Some((Phase::Head, FailureKind::Timeout)));

        let deadlines = Deadlines::new(&timeouts, s(12), s(10));
        assert_eq!(verdict(&deadlines, s(12)), Some((Phase::Head, FailureKind::TotalTimeout)));

        let deadlines = Deadlines::new(&timeouts, s(60), s(10));
        deadlines.enter_body(s(11));
        assert_eq!(verdict(&deadlines, s(12)), None);
        assert_eq!(verdict(&deadlines, s(13)), Some((Phase::Body, FailureKind::Timeout)));
    }

    #[test]
    fn the_clock_of_a_request_that_waits_for_its_turn_starts_with_its_sending() {
        let timeouts = timeouts();
        let deadlines = Deadlines::new(&timeouts, s(60), s(0));
        deadlines.wait_unsent();
        assert!(deadlines.is_unsent());
        assert_eq!(verdict(&deadlines, s(59)), None, "the first byte's time-out is 3 s");
        assert_eq!(verdict(&deadlines, s(60)), Some((Phase::Send, FailureKind::TotalTimeout)));
        deadlines.send(s(20));
        assert_eq!((deadlines.started(), deadlines.is_unsent()), (s(20), false));
        assert_eq!(verdict(&deadlines, s(22)), None);
        assert_eq!(verdict(&deadlines, s(23)), Some((Phase::Head, FailureKind::Timeout)));
    }

    #[test]
    fn a_slow_taker_is_not_held_against_the_peer() {
        let timeouts = timeouts();
        let deadlines = Deadlines::new(&timeouts, s(60), s(0));
        deadlines.enter_body(s(0));
        deadlines.wire_bytes.set(1);
        deadlines.progress();
        deadlines.hold(true, || s(1));
        deadlines.pause(|| s(1));
        assert_eq!(verdict(&deadlines, s(50)), None, "neither idle nor too slow");
        deadlines.hold(false, || s(50));
        deadlines.pause(|| s(50));
        assert_eq!(verdict(&deadlines, s(51)), None);
        assert_eq!(verdict(&deadlines, s(52)), Some((Phase::Body, FailureKind::Timeout)));
        deadlines.progress();
        deadlines.pause(|| s(53));
        assert_eq!(verdict(&deadlines, s(54)), Some((Phase::Body, FailureKind::TooSlow)), "5 s of its own have passed");
        deadlines.hold(true, || s(54));
        assert_eq!(
            verdict(&deadlines, s(60)),
            Some((Phase::Body, FailureKind::TotalTimeout)),
            "the whole is the whole"
        );
    }

    #[test]
    fn patient_deadlines_let_the_whole_stand_still_too() {
        let timeouts = timeouts();
        let deadlines = Deadlines::new(&timeouts, s(60), s(0)).patient(true);
        deadlines.enter_body(s(0));
        deadlines.hold(true, || s(1));
        assert_eq!(verdict(&deadlines, s(1000)), None);
        deadlines.hold(false, || s(1000));
        deadlines.progress();
        deadlines.wire_bytes.set(1 << 30);
        deadlines.pause(|| s(1058));
        assert_eq!(verdict(&deadlines, s(1058)), None, "58 seconds of its own");
        assert_eq!(verdict(&deadlines, s(1059)), Some((Phase::Body, FailureKind::TotalTimeout)));
    }

    #[test]
    fn a_drip_keeps_the_idle_clock_quiet_and_trips_the_rate() {
        let timeouts = timeouts();
        let deadlines = Deadlines::new(&timeouts, s(600), s(0));
        deadlines.enter_body(s(0));
        for second in 1..5 {
            deadlines.wire_bytes.set(second);
            deadlines.progress();
            deadlines.pause(|| s(second));
            assert_eq!(verdict(&deadlines, s(second)), None, "second {second}");
        }
        assert_eq!(verdict(&deadlines, s(5)), Some((Phase::Body, FailureKind::TooSlow)));
        deadlines.wire_bytes.set(604);
        deadlines.progress();
        deadlines.pause(|| s(5));
        assert_eq!(verdict(&deadlines, s(6)), None, "604 bytes pay for six seconds");
        deadlines.progress();
        deadlines.pause(|| s(6));
        assert_eq!(verdict(&deadlines, s(7)), Some((Phase::Body, FailureKind::TooSlow)));
    }
}

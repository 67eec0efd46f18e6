//! What the job of an attempt may still expect: its free repeats, its retries, its waits.

use crate::config::RetrySettings;
use crate::policy::{Fault, RetryFacts, Verdict, is_wait};
use crate::work::{AttemptCounts, Repeats};

use super::repeat::repeat;
use super::{AttemptEnd, Sent};

/// What is known beside an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Beside {
    /// Its method may be repeated without harm, by its nature or because the user says so.
    pub idempotent: bool,
    /// Requests that the host has answered so far.
    pub answered: u32,
    /// The connection took other requests in its stead.
    pub crowded: bool,
    /// A refusal for asking too much speaks of the host, as far as is known, and not of the job.
    pub speaks_of_host: bool,
    /// Connections opened so far: what is to go over a new one goes over none of these.
    pub opened: u64,
}

/// What the job may still expect whose attempt has come to a bad end. Adds that to what the job has had.
pub fn facts(
    ended: &AttemptEnd<'_>,
    verdict: Verdict,
    beside: &Beside,
    counts: &mut AttemptCounts,
    settings: &RetrySettings,
) -> RetryFacts {
    let fault = ended.fault();
    let replayable = beside.idempotent || ended.sent.is_harmless() || fault.is_some_and(Fault::is_harmless);
    let repeats = fault.map(|fault| repeat(fault, counts.repeats, beside.answered, beside.crowded));
    if fault.is_some_and(Fault::wants_new) || ended.has_timed_out_on_a_kept_connection() {
        counts.repeats.not_before = beside.opened;
    }
    let is_free = match repeats {
        Some(Some(repeats)) if replayable => {
            counts.repeats = Repeats { not_before: counts.repeats.not_before, ..repeats };
            true
        }
        // Nobody is to blame, though it can't be repeated.
        Some(_) if !replayable => true,
        _ => false,
    };
    let waits = ended.sent == Sent::Declined && takes_others(counts, beside);
    if !(is_free || waits) {
        counts.on_hop += 1;
        counts.waits += u32::from(is_wait(verdict, beside.speaks_of_host, counts.waits, settings));
    }
    let attempt = (counts.on_hop - counts.waits).max(u32::from(!waits));
    RetryFacts { attempt, replayable, fault: fault.filter(|_| is_free) }
}

/// Whether a request that the peer has not looked at, because it is asked too much, waits without that being an attempt: as long
/// as it takes others.
fn takes_others(counts: &mut AttemptCounts, beside: &Beside) -> bool {
    let repeats = repeat(Fault::Unprocessed, counts.repeats, beside.answered, beside.crowded);
    counts.repeats = repeats.unwrap_or(counts.repeats);
    repeats.is_some()
}

#[cfg(test)]
mod tests {
    use http::Version;

    use super::*;
    use crate::model::{Failure, FailureKind, Phase};

    const PLAIN: Beside = Beside { idempotent: true, answered: 0, crowded: false, speaks_of_host: false, opened: 5 };

    /// The facts of an attempt that was cut off like this.
    fn cut(sent: Sent, reused: bool, beside: &Beside, counts: &mut AttemptCounts) -> RetryFacts {
        let failure = Failure::new(Phase::Head, FailureKind::Closed, "");
        let ended = AttemptEnd { result: Err(&failure), head: None, sent, reused };
        let verdict = ended.verdict(|| None, &RetrySettings::default());
        facts(&ended, verdict, beside, counts, &RetrySettings::default())
    }

    #[test]
    fn the_whole_table_of_what_may_be_repeated_and_what_that_costs() {
        use Fault as F;
        for (sent, reused, fault, harmless) in [
            (Sent::No, false, Some(F::Unsent), true),
            (Sent::No, true, Some(F::Unsent), true),
            (Sent::NoPlace, true, None, true),
            (Sent::Unprocessed, false, Some(F::Unprocessed), true),
            (Sent::Http11Required, false, Some(F::Http11Required), true),
            (Sent::Unanswered, false, None, false),
            (Sent::Unanswered, true, Some(F::Stale), false),
            (Sent::Answered, false, None, false),
            (Sent::Answered, true, None, false),
        ] {
            for idempotent in [true, false] {
                let mut counts = AttemptCounts::default();
                let found = cut(sent, reused, &Beside { idempotent, ..PLAIN }, &mut counts);
                let what = format!("{sent:?} {reused} {idempotent}");
                assert_eq!((found.replayable, found.fault), (idempotent || harmless, fault), "{what}");
                assert_eq!(counts.on_hop, u32::from(fault.is_none()), "{what}: what is free is no attempt");
                let goes_over_a_new_one = fault.is_some_and(Fault::wants_new);
                assert_eq!(counts.repeats.not_before, if goes_over_a_new_one { 5 } else { 0 }, "{what}");
            }
        }
    }

    #[test]
    fn free_repeats_end_without_progress_and_count_as_attempts_from_then_on() {
        let mut counts = AttemptCounts::default();
        let mut seen = Vec::new();
        for _ in 0..6 {
            let found = cut(Sent::Unprocessed, false, &PLAIN, &mut counts);
            seen.push((found.is_free(), found.attempt));
        }
        assert_eq!(seen, [(true, 1), (true, 1), (true, 1), (false, 1), (false, 2), (false, 3)]);
    }

    #[test]
    fn who_is_declined_waits_while_others_are_taken() {
        let mut counts = AttemptCounts::default();
        let crowded = Beside { crowded: true, ..PLAIN };
        for _ in 0..20 {
            let found = cut(Sent::Declined, false, &crowded, &mut counts);
            assert_eq!(
                (found.attempt, found.is_free(), counts.on_hop),
                (0, false, 0),
                "no attempt, and nothing is free"
            );
        }
        let mut alone = AttemptCounts::default();
        let attempts: Vec<_> = (0..5).map(|_| cut(Sent::Declined, false, &PLAIN, &mut alone).attempt).collect();
        assert_eq!(attempts, [0, 0, 0, 1, 2], "with nobody else taken it is one");
    }

    #[test]
    fn a_429_that_speaks_of_the_host_is_no_retry() {
        let attempt = |speaks_of_host, counts: &mut AttemptCounts| {
            let ended =
                AttemptEnd { result: Ok((429, Version::HTTP_11)), head: Some(429), sent: Sent::Answered, reused: true };
            let settings = RetrySettings::default();
            let verdict = ended.verdict(|| None, &settings);
            facts(&ended, verdict, &Beside { speaks_of_host, ..PLAIN }, counts, &settings).attempt
        };
        let mut counts = AttemptCounts::default();
        assert_eq!([false, true, true, false].map(|said| attempt(said, &mut counts)), [1, 1, 1, 2]);
        assert_eq!((counts.on_hop, counts.waits), (4, 2));
    }

    #[test]
    fn a_time_out_on_a_kept_connection_is_an_attempt_and_the_next_goes_over_a_new_one() {
        let late = Failure::new(Phase::Head, FailureKind::Timeout, "");
        for (reused, not_before) in [(true, 5), (false, 0)] {
            let mut counts = AttemptCounts::default();
            let ended = AttemptEnd { result: Err(&late), head: None, sent: Sent::Unanswered, reused };
            let verdict = ended.verdict(|| None, &RetrySettings::default());
            let found = facts(&ended, verdict, &PLAIN, &mut counts, &RetrySettings::default());
            assert_eq!((found.attempt, found.is_free(), counts.repeats.not_before), (1, false, not_before));
        }
    }
}

//! The rule for repeats that are free: those of an attempt which came to nothing by the fault of its connection.

use crate::policy::Fault;
use crate::work::Repeats;

/// So many repeats in a row may be free though the host has answered nothing in between.
const BARREN: u8 = 3;

/// So many are free for one answer of the host's, to whomever, in between. Each one after them takes twice as many as the one
/// before.
const PLENTY: u32 = 64;

/// Whether one more repeat is free, of a job with these behind it whose host has by now `answered` so many requests: what
/// the job has behind it then. `crowded`: the connection took other requests in its stead.
///
/// Such repeats need no pause and no budget, because it is progress that bounds them: between two of them the host has
/// answered a request or taken another, but for three at most in a row, so that a host which takes nothing is asked four
/// times and then treated like any other that fails. Who is still refused after 64 of them has to see twice as many answers
/// each time: at most 64 + log₂(requests the host has answered) in all. One is free for a 421: the second is an answer.
pub(super) const fn repeat(fault: Fault, mut before: Repeats, answered: u32, crowded: bool) -> Option<Repeats> {
    let progress = answered.wrapping_sub(before.answered);
    let owed = match before.made.checked_sub(PLENTY) {
        None => 1,
        Some(over) if over < 31 => 2 << over,
        Some(_) => return None,
    };
    if before.made == 0 || progress >= owed || (crowded && before.made < PLENTY) {
        before.barren = 0;
    } else if before.barren >= BARREN || before.made >= PLENTY {
        return None;
    }
    if matches!(fault, Fault::Misdirected) {
        if before.misdirected {
            return None;
        }
        before.misdirected = true;
    }
    before.made += 1;
    before.barren += 1;
    before.answered = answered;
    Some(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAULTS: [Fault; 5] =
        [Fault::Unsent, Fault::Unprocessed, Fault::Http11Required, Fault::Misdirected, Fault::Stale];

    /// How many repeats are free while the host answers so many requests before each of them.
    fn in_a_row(fault: Fault, answers: impl Fn(u32) -> u32) -> u32 {
        let (mut repeats, mut answered) = (Repeats::default(), u32::MAX - 1);
        loop {
            answered = answered.wrapping_add(answers(repeats.made));
            match repeat(fault, repeats, answered, false) {
                Some(more) => repeats = more,
                None => return repeats.made,
            }
        }
    }

    #[test]
    fn without_progress_free_repeats_end_and_with_progress_they_go_on() {
        assert_eq!(FAULTS.map(|fault| in_a_row(fault, |_| 0)), [3, 3, 3, 1, 3]);
        assert_eq!(FAULTS.map(|fault| in_a_row(fault, |_| 1)), [64, 64, 64, 1, 64]);
        assert_eq!(in_a_row(Fault::Unprocessed, |made| u32::from(made % 3 == 0)), 64, "a little is enough");
        assert_eq!(in_a_row(Fault::Unprocessed, |made| u32::from(made % 4 == 0)), 3);
        assert_eq!(in_a_row(Fault::Unprocessed, |_| 1 << 10), 64 + 10, "the logarithm of it");
        assert_eq!(in_a_row(Fault::Unprocessed, |_| 1 << 31), 64 + 31);
    }

    #[test]
    fn the_first_is_free_whatever_the_host_has_done_and_each_of_a_mixture_counts() {
        let first = repeat(Fault::Stale, Repeats::default(), 0, false).expect("the first");
        assert_eq!(first, Repeats { made: 1, barren: 1, answered: 0, ..Repeats::default() });
        let second = repeat(Fault::Misdirected, first, 0, false).expect("the second");
        let third = repeat(Fault::Unprocessed, second, 0, false).expect("the third");
        assert!(repeat(Fault::Unsent, third, 0, false).is_none());
        let fourth = repeat(Fault::Unsent, third, 1, false).expect("the host has answered");
        assert!(repeat(Fault::Misdirected, fourth, 2, false).is_none(), "once");
        assert!(repeat(Fault::Unprocessed, third, 0, true).is_some(), "others were taken");
        let many = Repeats { made: 64, ..third };
        assert!(repeat(Fault::Unprocessed, many, 1, true).is_none(), "in the end answers alone count");
    }
}

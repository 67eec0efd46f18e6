//! The experiment: a warm-up, then rounds in which each way of fetching has its turn, in another order each time.

use fastrand::Rng;

use super::contender::Contender;
use super::drive::Task;
use super::sample::Sample;
use super::stop::Stop;

/// The order in which so many take their turns in a round: those that follow each other differ from round to round, so that
/// what one leaves behind (warm caches, ports in TIME_WAIT) does not always fall to the same other.
fn order(count: usize, random: &mut Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    random.shuffle(&mut order);
    order
}

/// Goes through the warm-up and then the rounds, and adds what was measured to the contenders. `tell` is told the round (0 is
/// the warm-up) and who has the turn. How many rounds are complete.
pub(super) fn run(
    contenders: &mut [Contender],
    task: &Task,
    rounds: usize,
    random: &mut Rng,
    stop: &Stop,
    mut tell: impl FnMut(usize, &'static str),
) -> usize {
    let Some(warm_up) = round(contenders, task, random, stop, |name| tell(0, name)) else { return 0 };
    for (contender, sample) in contenders.iter_mut().zip(&warm_up) {
        if let Some(sample) = sample {
            contender.judge(sample);
        }
    }
    for number in 1..=rounds {
        let Some(samples) = round(contenders, task, random, stop, |name| tell(number, name)) else { return number - 1 };
        for (contender, sample) in contenders.iter_mut().zip(&samples) {
            if let Some(sample) = sample {
                contender.add(sample);
            }
        }
    }
    rounds
}

/// What came of each contender's turn; `None` for all when the end was asked for meanwhile.
fn round(
    contenders: &mut [Contender],
    task: &Task,
    random: &mut Rng,
    stop: &Stop,
    mut tell: impl FnMut(&'static str),
) -> Option<Vec<Option<Sample>>> {
    let mut samples = vec![None; contenders.len()];
    for turn in order(contenders.len(), random) {
        let contender = &mut contenders[turn];
        if contender.is_there() {
            tell(contender.name());
            samples[turn] = contender.once(task, stop);
        }
        if stop.is_asked() {
            return None;
        }
    }
    Some(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_another_each_time_and_the_same_for_the_same_seed() {
        let orders = |seed| {
            let mut random = Rng::with_seed(seed);
            [(); 4].map(|()| order(9, &mut random))
        };
        let one = orders(1);
        assert_eq!(one, orders(1));
        assert_ne!(one, orders(2));
        assert!(one.windows(2).all(|two| two[0] != two[1]), "{one:?}");
        let mut sorted = one[3].clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..9), "each has its turn once");
    }
}

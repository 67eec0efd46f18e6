//! What came of each request of a mode: a sink that keeps the figures, in the order in which the mode gives its results.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use haul::model::{Outcome, Record, Sink, Time};

use super::list_source::JobPositions;
use super::mode::ResultOrder;
use super::sample::{RequestSample, RequestTimings};
use super::stopwatch;

/// The results so far, in the order in which they were given, and when the last one was.
#[derive(Debug, Default)]
pub(super) struct Results {
    pub(super) fetched: Vec<RequestSample>,
    pub(super) last: Option<Instant>,
}

/// Keeps what came of the requests of one engine. A result whose turn has not come is held, never more of them than the list
/// is long; its request has ended all the same, so the next one may begin.
#[derive(Debug)]
pub(super) struct ResultSink {
    results: Arc<Mutex<Results>>,
    order: ResultOrder,
    places: JobPositions,
    begin: Time,
    /// The place whose turn it is, and those whose turn has not come.
    next: usize,
    held: BTreeMap<usize, RequestSample>,
}

impl ResultSink {
    /// `places`: those of the engine's jobs; `begin`: when the round began on the engine's clock.
    pub(super) fn new(results: Arc<Mutex<Results>>, order: ResultOrder, places: JobPositions, begin: Time) -> Self {
        Self { results, order, places, begin, next: 0, held: BTreeMap::new() }
    }

    /// Those whose turn it is, after another has ended.
    fn in_turn(&mut self, ended: RequestSample) -> Vec<RequestSample> {
        if self.order == ResultOrder::Completion {
            return vec![ended];
        }
        self.held.insert(ended.place, ended);
        let mut ready = Vec::new();
        while let Some(result) = self.held.remove(&self.next) {
            self.next += 1;
            ready.push(result);
        }
        ready
    }

    fn give(&self, results: Vec<RequestSample>) {
        if results.is_empty() {
            return;
        }
        let mut given = self.results.lock().expect("no holder of this lock panics");
        given.fetched.extend(results);
        given.last = Some(stopwatch::now());
    }
}

/// The figures of `outcome`; `begin`: when the round began on the engine's clock.
fn fetched(outcome: &Outcome, place: usize, begin: Time) -> RequestSample {
    let timings = &outcome.last.timings;
    let started = outcome.job.accepted + timings.queued;
    RequestSample {
        place,
        waited: started.since(begin),
        took: timings.total,
        parts: RequestTimings {
            dns: timings.dns.unwrap_or_default(),
            connect: timings.connect.unwrap_or_default(),
            tls: timings.tls,
            first_byte: timings.first_byte.unwrap_or_default(),
            body: timings.body.unwrap_or_default(),
        },
        answer: match &outcome.last.result {
            Ok(response) => Ok(response.version),
            Err(failure) => Err((failure.phase, failure.kind)),
        },
    }
}

impl Sink for ResultSink {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        for record in batch.drain(..) {
            let Record::Fetched(outcome) = record else {
                return Err(io::Error::other("a URL that was good is good no longer"));
            };
            let seq = outcome.job.seq;
            let places = self.places.lock().expect("no holder of this lock panics");
            let place = usize::try_from(seq).ok().and_then(|seq| places.get(seq).copied());
            drop(places);
            let place = place.ok_or_else(|| io::Error::other("a result that nobody asked for"))?;
            let ready = self.in_turn(fetched(&outcome, place, self.begin));
            self.give(ready);
            safe.push(seq);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Gives those still held: a turn that never came (the run was stopped) holds up nothing.
    fn finish(&mut self, _: &mut Vec<u64>) -> io::Result<()> {
        let left = std::mem::take(&mut self.held).into_values().collect();
        self.give(left);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use haul::model::{Attempt, Failure, FailureKind, Job, Phase, WebUrl};

    use super::*;

    fn record(seq: u64) -> Record {
        let url = WebUrl::parse("http://a.test/").expect("a URL").0;
        let job = Job::new(seq, url, Time::from_millis(30));
        let mut last = Attempt::unsent(Failure::new(Phase::Connect, FailureKind::Refused, "refused"));
        last.timings.queued = Duration::from_millis(5);
        last.timings.total = Duration::from_millis(7);
        Record::Fetched(Outcome { job, attempts: 1, last })
    }

    /// The places in the order in which they were given, when requests end in this order.
    fn given(order: ResultOrder, places: &[usize], seqs: &[u64]) -> Vec<usize> {
        let results = Arc::new(Mutex::new(Results::default()));
        let places = Arc::new(Mutex::new(places.to_vec()));
        let mut sink = ResultSink::new(Arc::clone(&results), order, places, Time::from_millis(10));
        let mut safe = Vec::new();
        for seq in seqs {
            sink.write(&mut vec![record(*seq)], &mut safe).expect("can't fail");
        }
        assert_eq!(safe, seqs, "each has ended, whenever its turn comes");
        let given = results.lock().expect("unharmed");
        assert!(
            given.fetched.iter().all(|fetched| fetched.waited == Duration::from_millis(25)),
            "since the round began"
        );
        given.fetched.iter().map(|fetched| fetched.place).collect()
    }

    #[test]
    fn results_come_as_they_complete_or_in_the_order_of_the_list() {
        assert_eq!(given(ResultOrder::Completion, &[0, 1, 2], &[2, 0, 1]), [2, 0, 1]);
        assert_eq!(given(ResultOrder::List, &[0, 1, 2], &[2, 0, 1]), [0, 1, 2]);
        assert_eq!(given(ResultOrder::List, &[0, 1, 2], &[2, 0]), [0], "the turn of 1 has not come");
        assert_eq!(given(ResultOrder::Completion, &[4, 7], &[1, 0]), [7, 4], "places are those of the list");
    }

    #[test]
    fn at_the_end_nothing_is_held() {
        let results = Arc::new(Mutex::new(Results::default()));
        let places = Arc::new(Mutex::new(vec![0, 1, 2]));
        let mut sink = ResultSink::new(Arc::clone(&results), ResultOrder::List, places, Time::ZERO);
        sink.write(&mut vec![record(2)], &mut Vec::new()).expect("can't fail");
        sink.finish(&mut Vec::new()).expect("can't fail");
        assert_eq!(results.lock().expect("unharmed").fetched.len(), 1);
    }
}

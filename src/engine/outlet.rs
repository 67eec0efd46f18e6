//! The sink's thread: writes records, says which are safe, lets the window move on.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

use super::message::{Message, ToOutlet};
use super::shard::cost;
use super::shared::Shared;
use super::unsettled::Unsettled;
use crate::model::{Acknowledge, Ending, FailureKind, Phase, Record, Sink};

/// What the sink's thread has to tell at its end.
#[derive(Debug, Default)]
pub(super) struct OutletReport {
    /// Why writing ended early, if it did.
    pub(super) error: Option<io::Error>,
    /// Records taken and not written: none, unless writing failed.
    pub(super) unwritten: u64,
    /// Rejected lines by why.
    pub(super) rejections: BTreeMap<(Phase, FailureKind), u64>,
}

struct Outlet {
    shared: Arc<Shared>,
    sink: Box<dyn Sink>,
    source: Option<Acknowledger>,
    safe: Vec<u64>,
    report: OutletReport,
}

/// A source that wants to know of each job that it is over, and what it does not know yet.
struct Acknowledger {
    acknowledge: Box<dyn Acknowledge>,
    unsettled: Unsettled,
}

impl Acknowledger {
    fn settle(&mut self, seqs: &[u64], ending: Ending) {
        let settled = self.unsettled.settle(seqs, ending);
        if !settled.is_empty() {
            self.acknowledge.settled(&settled);
        }
    }
}

/// Writes what comes until the end is announced.
pub(super) fn run(
    shared: Arc<Shared>,
    inbox: &Receiver<ToOutlet>,
    sink: Box<dyn Sink>,
    acknowledge: Option<Box<dyn Acknowledge>>,
) -> OutletReport {
    let source = acknowledge.map(|acknowledge| Acknowledger { acknowledge, unsettled: Unsettled::default() });
    let mut outlet = Outlet { shared, sink, source, safe: Vec::new(), report: OutletReport::default() };
    loop {
        match outlet.next(inbox) {
            Some(ToOutlet::Records(batch)) => outlet.write(batch),
            Some(ToOutlet::Admitted(seqs)) => {
                outlet.source.iter_mut().for_each(|told| told.unsettled.admit(seqs.iter().copied()))
            }
            Some(ToOutlet::Replied(seqs)) => {
                outlet.source.iter_mut().for_each(|told| told.settle(&seqs, Ending::Replied))
            }
            Some(ToOutlet::End) | None => return outlet.finish(),
        }
    }
}

impl Outlet {
    /// The next message; what is written so far is handed on before waiting for it.
    fn next(&mut self, inbox: &Receiver<ToOutlet>) -> Option<ToOutlet> {
        match inbox.try_recv() {
            Ok(message) => Some(message),
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) => {
                self.flush();
                inbox.recv().ok()
            }
        }
    }

    fn write(&mut self, mut batch: Vec<Record>) {
        let count = batch.len();
        self.report.unwritten += count as u64;
        let bytes = batch.iter().map(cost).sum();
        for record in &batch {
            if let Record::Rejected(line) = record {
                *self.report.rejections.entry((line.failure.phase, line.failure.kind)).or_default() += 1;
            }
        }
        if let Some(told) = &mut self.source {
            told.unsettled.end(batch.iter().map(Record::seq));
        }
        if self.report.error.is_none() {
            let written = self.sink.write(&mut batch, &mut self.safe);
            self.settle();
            self.check(written);
        } else {
            // Nothing can be written any more, and the run winds down.
            self.shared.window.safe(count);
        }
        if self.shared.backlog.sub(bytes) {
            self.shared.send_all(None, || Message::SinkCaughtUp);
        }
    }

    fn flush(&mut self) {
        if self.report.error.is_none() {
            let flushed = self.sink.flush();
            self.check(flushed);
        }
    }

    fn finish(mut self) -> OutletReport {
        if self.report.error.is_none() {
            let finished = self.sink.finish(&mut self.safe);
            self.settle();
            self.check(finished);
        }
        if let Some(mut told) = self.source {
            let rest = told.unsettled.settle_rest();
            if !rest.is_empty() {
                told.acknowledge.settled(&rest);
            }
        }
        self.report
    }

    /// Tells window and source which records are safe.
    fn settle(&mut self) {
        if !self.safe.is_empty() {
            self.report.unwritten -= self.safe.len() as u64;
            self.shared.window.safe(self.safe.len());
            if let Some(told) = &mut self.source {
                told.settle(&self.safe, Ending::Recorded);
            }
            self.safe.clear();
        }
    }

    fn check(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.report.error = Some(error);
            self.shared.stop_now();
        }
    }
}

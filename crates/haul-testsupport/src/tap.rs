//! A sink that hands a run's outcomes to the test.

use std::io;
use std::sync::mpsc::Sender;

use haul::model::{Outcome, Record, Sink};

/// Sends outcomes to the test, which need not wait for them. Rejected URLs are only counted as written.
pub struct Tap(pub Sender<Outcome>);

impl Sink for Tap {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        for record in batch.drain(..) {
            safe.push(record.seq());
            if let Record::Fetched(outcome) = record {
                let _ = self.0.send(outcome);
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

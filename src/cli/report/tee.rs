//! Between a run and its sink: shows each record to the recorder, and passes it on.

use std::io;
use std::sync::{Arc, Mutex};

use haul::model::{Record, Sink};

use super::recorder::Recorder;

/// A sink that is watched.
pub(super) struct Tee {
    sink: Box<dyn Sink>,
    recorder: Arc<Mutex<Recorder>>,
}

impl Tee {
    pub(super) fn new(sink: Box<dyn Sink>, recorder: Arc<Mutex<Recorder>>) -> Self {
        Self { sink, recorder }
    }
}

impl Sink for Tee {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        let mut recorder = self.recorder.lock().expect("no holder of this lock panics");
        batch.iter().for_each(|record| recorder.record(record));
        drop(recorder);
        self.sink.write(batch, safe)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }

    fn finish(&mut self, safe: &mut Vec<u64>) -> io::Result<()> {
        self.sink.finish(safe)
    }
}

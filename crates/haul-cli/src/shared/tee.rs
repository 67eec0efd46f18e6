//! A sink that shows every batch of records to somebody on its way to another sink.

use std::io;

use haul::model::{Record, Sink};

/// `onward`, with `look` called for each batch before it.
pub(crate) fn tee(onward: Box<dyn Sink>, look: impl FnMut(&[Record]) + Send + 'static) -> Box<dyn Sink> {
    Box::new(Tee { look, onward })
}

struct Tee<F> {
    look: F,
    onward: Box<dyn Sink>,
}

impl<F: FnMut(&[Record]) + Send> Sink for Tee<F> {
    fn write(&mut self, batch: &mut Vec<Record>, safe: &mut Vec<u64>) -> io::Result<()> {
        (self.look)(batch);
        self.onward.write(batch, safe)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.onward.flush()
    }

    fn finish(&mut self, safe: &mut Vec<u64>) -> io::Result<()> {
        self.onward.finish(safe)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use haul::model::{Failure, FailureKind, Phase, Rejected};
    use haul::sink::Null;

    use super::*;

    #[test]
    fn records_are_seen_and_go_on() {
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        let mut tee = tee(Box::new(Null), move |batch| {
            count.fetch_add(batch.len(), Ordering::SeqCst);
        });
        let failure = Failure::new(Phase::Input, FailureKind::BadUrl, "no");
        let record = Record::Rejected(Rejected { seq: 7, line: 1, given: "x".into(), id: None, failure });
        let mut safe = Vec::new();
        tee.write(&mut vec![record], &mut safe).expect("can't fail");
        tee.flush().expect("can't fail");
        tee.finish(&mut safe).expect("can't fail");
        assert_eq!((seen.load(Ordering::SeqCst), safe), (1, vec![7]));
    }
}

//! One body on its way to its file, on the side of the thread that fetches.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::disk::{Disk, DiskTask, SavePath, What};
use crate::model::{BodyWriter, Failure, FailureKind, Phase};

/// Bytes of one body that may wait for the disk before its peer has to.
const MOST_WAITING: usize = 64 << 10;

/// What a file's writer and its thread know of it together.
pub(super) struct SavedFile {
    pub(super) number: u64,
    pub(super) place: SavePath,
    state: Mutex<FileProgress>,
}

#[derive(Default)]
struct FileProgress {
    /// Bytes handed over and not yet written.
    waiting: usize,
    /// Where it stands, or why nowhere.
    end: Option<Result<Box<str>, Box<str>>>,
    writer: Option<Waker>,
}

impl SavedFile {
    fn state(&self) -> MutexGuard<'_, FileProgress> {
        self.state.lock().expect("no holder of this lock panics")
    }

    fn change(&self, change: impl FnOnce(&mut FileProgress)) {
        let mut state = self.state();
        change(&mut state);
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// So many bytes wait no longer.
    pub(super) fn written(&self, bytes: usize) {
        self.change(|state| state.waiting -= bytes);
    }

    /// The file stands in its place, or never will.
    pub(super) fn ended(&self, end: Result<Box<str>, Box<str>>) {
        self.change(|state| state.end = Some(end));
    }

    /// Nobody waits for its end any longer.
    fn abandon(&self) {
        let mut state = self.state();
        if state.end.is_none() {
            state.end = Some(Err("given up before it was written".into()));
        }
    }

    /// Whether nothing more is to be done for it.
    pub(super) fn has_ended(&self) -> bool {
        self.state().end.is_some()
    }
}

/// Hands a body to the thread that writes its file.
pub(super) struct FileWriter {
    orders: Option<Sender<DiskTask>>,
    file: Arc<SavedFile>,
    finishing: bool,
}

impl FileWriter {
    pub(super) fn new(disk: &Disk, place: SavePath) -> Self {
        let (number, orders) = disk.begin();
        let state = FileProgress {
            end: orders.is_none().then(|| Err("can't save a body: saving has ended".into())),
            ..FileProgress::default()
        };
        Self { orders, file: Arc::new(SavedFile { number, place, state: Mutex::new(state) }), finishing: false }
    }

    fn order(&self, what: What) {
        if let Some(orders) = &self.orders {
            let sent = orders.send(DiskTask { file: Arc::clone(&self.file), what });
            if sent.is_err() {
                self.file.ended(Err("can't save a body: the thread that writes has died".into()));
            }
        }
    }
}

fn failure(message: &str) -> Failure {
    Failure::new(Phase::Sink, FailureKind::NotSaved, message)
}

impl BodyWriter for FileWriter {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let mut state = self.file.state();
        match &state.end {
            Some(Err(message)) => Poll::Ready(Err(failure(message))),
            _ if state.waiting < MOST_WAITING => Poll::Ready(Ok(())),
            _ => {
                state.writer = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn write(&mut self, piece: Bytes) {
        self.file.state().waiting += piece.len();
        self.order(What::Piece(piece));
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Box<str>>, Failure>> {
        if !self.finishing {
            self.finishing = true;
            self.order(What::Finish);
        }
        let mut state = self.file.state();
        match &state.end {
            Some(Ok(path)) => Poll::Ready(Ok(Some(path.clone()))),
            Some(Err(message)) => Poll::Ready(Err(failure(message))),
            None => {
                state.writer = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        // A finish that has not been carried out yet is not any more.
        self.file.abandon();
        self.order(What::Abort);
    }
}

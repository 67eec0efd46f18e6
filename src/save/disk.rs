//! The threads that write files.
//!
//! Each file belongs to one thread, which does everything to it in the order it was told. What waits for a thread is
//! bounded by the files' own limits.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::name;
use super::taken_names::{Name, TakenNames};
use super::writer::SavedFile;

/// Threads: enough that one file's slow write does not hold up all others.
const THREADS: usize = 2;

/// Bytes gathered before a file is made: shorter bodies are written in one go and never keep a descriptor.
const GATHER: usize = 64 << 10;

/// Told of errors.
pub(super) type OnFailure = Box<dyn Fn(&io::Error) + Send + Sync>;

/// Where a file goes.
#[derive(Clone, Debug)]
pub(super) enum SavePath {
    /// To this path.
    At(PathBuf),
    /// Into this directory, under its content's hash.
    ByContent(PathBuf),
}

/// Something to do for a file.
pub(super) struct DiskTask {
    pub(super) file: Arc<SavedFile>,
    pub(super) what: What,
}

/// What to do.
pub(super) enum What {
    /// Write this.
    Piece(Bytes),
    /// That was all: put it in its place.
    Finish,
    /// Forget it.
    Abort,
}

/// The threads, shared by all who write.
#[derive(Clone)]
pub(super) struct Disk(Arc<DiskThreads>);

/// A thread and the way to tell it what to do.
type Writing = (Sender<DiskTask>, JoinHandle<()>);

struct DiskThreads {
    /// `None` once closed.
    threads: Mutex<Option<Vec<Writing>>>,
    files: AtomicU64,
    saved: Arc<AtomicU64>,
    on_failure: Arc<OnceLock<OnFailure>>,
}

impl Disk {
    pub(super) fn start() -> io::Result<Self> {
        let (saved, on_failure) = (Arc::<AtomicU64>::default(), Arc::<OnceLock<OnFailure>>::default());
        let taken = Arc::new(Mutex::new(TakenNames::new()));
        let start = |number: usize| {
            let (sender, orders) = mpsc::channel();
            let (saved, on_failure) = (Arc::clone(&saved), Arc::clone(&on_failure));
            let worker = Worker { drafts: HashMap::new(), taken: Arc::clone(&taken), saved, on_failure };
            let thread = thread::Builder::new().name(format!("haul-save-{number}")).spawn(move || worker.run(&orders));
            thread.map(|thread| (sender, thread))
        };
        let threads = Mutex::new(Some((0..THREADS).map(start).collect::<io::Result<_>>()?));
        Ok(Self(Arc::new(DiskThreads { threads, files: AtomicU64::new(0), saved, on_failure })))
    }

    pub(super) fn on_failure(&self, tell: OnFailure) {
        // A second one would take the place of the first without a word.
        let _ = self.0.on_failure.set(tell);
    }

    pub(super) fn saved(&self) -> u64 {
        self.0.saved.load(Ordering::Acquire)
    }

    /// A number for a new file, and its thread; no thread once closed.
    pub(super) fn begin(&self) -> (u64, Option<Sender<DiskTask>>) {
        let threads = self.0.threads.lock().expect("no holder of this lock panics");
        let number = self.0.files.fetch_add(1, Ordering::Relaxed);
        let turn = usize::try_from(number % THREADS as u64).unwrap_or(0);
        (number, threads.as_ref().map(|threads| threads[turn].0.clone()))
    }

    /// Waits for the threads to do what they were told.
    pub(super) fn close(&self) {
        let threads = self.0.threads.lock().expect("no holder of this lock panics").take();
        for (sender, thread) in threads.into_iter().flatten() {
            drop(sender);
            // It ends when the last writer has gone. A panic in it has been printed, and its files are removed.
            let _ = thread.join();
        }
    }
}

struct Worker {
    /// The files that pieces have come for.
    drafts: HashMap<u64, Draft>,
    taken: Arc<Mutex<TakenNames>>,
    saved: Arc<AtomicU64>,
    on_failure: Arc<OnceLock<OnFailure>>,
}

/// A file being written.
struct Draft {
    place: SavePath,
    /// What no file has been made for yet.
    gathered: Vec<u8>,
    file: Option<NamedTempFile>,
    digest: Option<Sha256>,
}

impl Draft {
    fn new(place: SavePath) -> Self {
        let digest = matches!(place, SavePath::ByContent(_)).then(Sha256::new);
        Self { place, gathered: Vec::new(), file: None, digest }
    }

    /// The directory that temporary files are made in: that of the final place, as far as it is known.
    fn directory(&self) -> &Path {
        match &self.place {
            SavePath::At(path) => path.parent().unwrap_or(path),
            SavePath::ByContent(directory) => directory,
        }
    }

    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        if let Some(digest) = &mut self.digest {
            digest.update(piece);
        }
        if self.file.is_none() && self.gathered.len() + piece.len() <= GATHER {
            self.gathered.extend_from_slice(piece);
            return Ok(());
        }
        self.file()?.write_all(piece)
    }

    /// The file, with what was gathered before.
    fn file(&mut self) -> io::Result<&mut NamedTempFile> {
        if self.file.is_none() {
            fs::create_dir_all(self.directory())?;
            let mut file = with_usual_rights().tempfile_in(self.directory())?;
            file.write_all(&std::mem::take(&mut self.gathered))?;
            self.file = Some(file);
        }
        Ok(self.file.as_mut().expect("it was just made"))
    }

    /// Puts the file in its place, and says which. `number`: of the file, in this run.
    fn finish(&mut self, number: u64, taken: &Mutex<TakenNames>) -> io::Result<PathBuf> {
        let path = match (&self.place, self.digest.take()) {
            (SavePath::ByContent(directory), Some(digest)) => directory.join(name::of_content(&digest.finalize())),
            (SavePath::At(path) | SavePath::ByContent(path), _) => path.clone(),
        };
        if matches!(self.place, SavePath::ByContent(_)) && path.exists() {
            return Ok(path);
        }
        self.file()?;
        let file = self.file.take().expect("it was just made");
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        if matches!(self.place, SavePath::ByContent(_)) {
            file.persist(&path).map_err(|error| error.error)?;
            return Ok(path);
        }
        let found = taken.lock().expect("no holder of this lock panics").take(&path);
        let file = match found {
            Name::New => {
                file.persist(&path).map_err(|error| error.error)?;
                return Ok(path);
            }
            Name::TakenNames => file,
            Name::Unknown => match file.persist_noclobber(&path) {
                Ok(_) => return Ok(path),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => error.file,
                Err(error) => return Err(error.error),
            },
        };
        // What stands there under this number is an earlier run's.
        let path = name::numbered(&path, number);
        file.persist(&path).map_err(|error| error.error)?;
        Ok(path)
    }
}

/// Temporary files become the real ones, so they get the rights that new files get.
fn with_usual_rights() -> tempfile::Builder<'static, 'static> {
    use std::os::unix::fs::PermissionsExt;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".haul-").permissions(fs::Permissions::from_mode(0o666));
    builder
}

impl Worker {
    /// Does what it is told until nobody can tell it any more.
    fn run(mut self, orders: &Receiver<DiskTask>) {
        while let Ok(DiskTask { file, what }) = orders.recv() {
            match what {
                What::Piece(piece) => {
                    if !file.has_ended() {
                        let written = self.draft(&file).write(&piece);
                        self.check(&file, written);
                    }
                    file.written(piece.len());
                }
                What::Finish if file.has_ended() => drop(self.drafts.remove(&file.number)),
                What::Finish => {
                    let taken = Arc::clone(&self.taken);
                    let finished = self.draft(&file).finish(file.number, &taken);
                    self.drafts.remove(&file.number);
                    let counted = finished.map(|path| {
                        self.saved.fetch_add(1, Ordering::AcqRel);
                        file.ended(Ok(path.to_string_lossy().into()));
                    });
                    self.check(&file, counted);
                }
                What::Abort => drop(self.drafts.remove(&file.number)),
            }
        }
    }

    fn draft(&mut self, file: &SavedFile) -> &mut Draft {
        self.drafts.entry(file.number).or_insert_with(|| Draft::new(file.place.clone()))
    }

    /// After an error the file is gone, and its writer is told.
    fn check(&mut self, file: &SavedFile, result: io::Result<()>) {
        let Err(error) = result else { return };
        self.drafts.remove(&file.number);
        let (SavePath::At(path) | SavePath::ByContent(path)) = &file.place;
        let error = io::Error::new(error.kind(), format!("can't save a body as {}: {error}", path.display()));
        file.ended(Err(error.to_string().into()));
        if let Some(tell) = self.on_failure.get() {
            tell(&error);
        }
    }
}

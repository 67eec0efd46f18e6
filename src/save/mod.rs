//! Bodies streamed into files, as they come.
//!
//! Owns the names of the files and the threads that write them: a slow disk holds up the bodies that go to it, and not the
//! thread that fetches. Invariant: a file stands under its name only when its body was whole; whatever happens before
//! that, its temporary file is removed. And no file of a run takes the place of another of the same run: where a record says its
//! body is, there it is. Nothing here knows hosts, limits or the engine.

mod disk;
mod name;
mod taken_names;
mod writer;

use std::io;
use std::path::{Path, PathBuf};

use self::disk::Disk;
use self::writer::FileWriter;
use crate::model::{BodyUse, Hooks, ResponseHead};

/// How saved files are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Naming {
    /// After the request: `HOST/LAST-PART-OF-PATH-HASH.EXT`. The hash is over method, URL, own headers and body, so that
    /// different requests have different files and the same one has the same in every run: a new run's body replaces it. A
    /// request that is made more than once in a run has a file for each, the later ones with a number: `…-HASH-7.EXT`.
    #[default]
    Request,
    /// After the content: `AB/CDEF…`, its SHA-256. Equal bodies are kept once.
    Content,
}

/// Saves the bodies of responses with a status from 200 to 299 into files: the [`Hooks`] of a run. Other bodies are left
/// to the run's settings.
///
/// Up to 192 KiB a body are in memory on their way to the disk; a file is open only while a body of more than 64 KiB is being
/// written. A process that ends without [`Self::close`] may leave temporary files (`.haul-…`) behind. Nothing is synced.
///
/// ```
/// # let server = haul_testserver::TestServer::start()?;
/// # let (url, directory) = (server.url("/bytes/1000"), tempfile::tempdir()?);
/// use std::sync::Arc;
/// use haul::engine::{Engine, Extensions};
/// use haul::save::{Naming, SaveBodies};
///
/// let save = Arc::new(SaveBodies::into(directory.path(), Naming::Request)?);
/// let mut extensions = Extensions::default();
/// extensions.add_hooks(save.clone());
/// let engine = Engine::with(haul::config::Config::default(), extensions)?;
/// let report = engine.run(Box::new(haul::source::Urls::new([url])), Box::new(haul::sink::Null));
/// save.close();
/// assert_eq!((report.totals.succeeded, save.saved()), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SaveBodies {
    directory: PathBuf,
    naming: Naming,
    disk: Disk,
}

impl SaveBodies {
    /// Will save into `directory`, which is made if it is not there.
    ///
    /// # Errors
    /// It can't be made or written to.
    pub fn into(directory: &Path, naming: Naming) -> io::Result<Self> {
        let explain = |error: io::Error| {
            io::Error::new(error.kind(), format!("can't save bodies in {}: {error}", directory.display()))
        };
        std::fs::create_dir_all(directory).map_err(explain)?;
        // Found out now rather than with the first response.
        tempfile::tempfile_in(directory).map_err(explain)?;
        Ok(Self { directory: directory.to_owned(), naming, disk: Disk::start().map_err(explain)? })
    }

    /// Calls `tell` with each error of writing a file, from the threads that write. Only the first call of this counts.
    ///
    /// The body's job fails with kind `not_saved`. Where the disk is full, the others will soon fail too: this is the place
    /// to stop the run.
    pub fn on_failure(&self, tell: impl Fn(&io::Error) + Send + Sync + 'static) {
        self.disk.on_failure(Box::new(tell));
    }

    /// Files that stand under their names.
    #[must_use]
    pub fn saved(&self) -> u64 {
        self.disk.saved()
    }

    /// Waits until every file is written or removed. What comes later is not saved.
    pub fn close(&self) {
        self.disk.close();
    }
}

impl Hooks for SaveBodies {
    fn body(&self, head: &ResponseHead<'_>) -> BodyUse {
        if !head.last || !head.status.is_success() {
            return BodyUse::Collect;
        }
        let place = match self.naming {
            Naming::Request => disk::SavePath::At(self.directory.join(name::of_request(head))),
            Naming::Content => disk::SavePath::ByContent(self.directory.clone()),
        };
        BodyUse::Stream(Box::new(FileWriter::new(&self.disk, place)))
    }
}

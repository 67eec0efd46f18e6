//! A file that is written at the end of a run: found writable before it, and what it held stays until then.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file that can be written to.
#[derive(Debug)]
pub(crate) struct OutFile {
    file: File,
    path: PathBuf,
    flag: &'static str,
}

impl OutFile {
    /// `flag`: what named it.
    ///
    /// # Errors
    /// It can't be written to, or is one of the files `used` by the run.
    pub(crate) fn open<'a>(
        flag: &'static str,
        path: &Path,
        used: impl IntoIterator<Item = &'a Path>,
    ) -> Result<Self, String> {
        if path == Path::new("-") {
            return Err(format!("{flag} needs the name of a file: standard output has the records or the answer"));
        }
        let failed = |error: io::Error| format!("can't write {} ({flag}): {error}", path.display());
        let file = File::options().write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let own = file.metadata().map_err(failed)?;
        let is_it =
            |path: &Path| fs::metadata(path).is_ok_and(|used| (used.dev(), used.ino()) == (own.dev(), own.ino()));
        if own.is_file() && used.into_iter().any(is_it) {
            let name = path.display();
            return Err(format!("{name} ({flag}) is also an input or another output of this run; name another file"));
        }
        Ok(Self { file, path: path.to_owned(), flag })
    }

    /// Replaces what it held.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn write(self, content: &[u8]) -> Result<(), String> {
        let Self { mut file, path, flag } = self;
        let cut = |file: &File| if file.metadata()?.is_file() { file.set_len(0) } else { Ok(()) };
        let written: io::Result<()> = cut(&file).and_then(|()| file.write_all(content));
        written.map_err(|error| format!("can't write {} ({flag}): {error}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_run_is_refused_by_any_name_and_a_folder_with_its_reason() {
        let directory = tempfile::tempdir().expect("a directory");
        let (input, link) = (directory.path().join("input"), directory.path().join("link"));
        fs::write(&input, "http://a.test/").expect("ours");
        std::os::unix::fs::symlink(&input, &link).expect("ours");
        let refused = OutFile::open("--csv", &link, [&*input]).expect_err("the same file");
        assert!(refused.contains("name another file"), "{refused}");
        let refused = OutFile::open("--csv", directory.path(), []).expect_err("a folder");
        assert!(refused.contains("can't write"), "{refused}");
        let refused = OutFile::open("--csv", Path::new("-"), []).expect_err("no file");
        assert!(refused.contains("needs the name of a file"), "{refused}");
        assert_eq!(fs::read(&input).expect("still there"), b"http://a.test/");
    }

    #[test]
    fn what_the_file_held_is_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("series.csv");
        fs::write(&path, "x".repeat(1 << 20)).expect("ours");
        OutFile::open("--csv", &path, []).expect("writable").write(b"new\n").expect("written");
        assert_eq!(fs::read(&path).expect("there"), b"new\n");
    }
}

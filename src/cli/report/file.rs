//! The file of a report: found writable before the run, and written after it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Run, machine, page};

/// A file that can be written to. What it held stays until the report is there.
#[derive(Debug)]
pub(in crate::cli) struct ReportFile {
    file: File,
    path: PathBuf,
}

impl ReportFile {
    /// # Errors
    /// It can't be written to, or is one of the files `used` by the run.
    pub(in crate::cli) fn open<'a>(path: &Path, used: impl IntoIterator<Item = &'a Path>) -> Result<Self, String> {
        if path == Path::new("-") {
            return Err("--report needs the name of a file: standard output has the records or the answer".to_owned());
        }
        let name = path.display();
        let file = File::options().write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| format!("can't write report {name}: {error}"))?;
        let own = file.metadata().map_err(|error| format!("can't write report {name}: {error}"))?;
        let is_it =
            |path: &Path| fs::metadata(path).is_ok_and(|used| (used.dev(), used.ino()) == (own.dev(), own.ino()));
        if own.is_file() && used.into_iter().any(is_it) {
            return Err(format!("report {name} is also an input or the output of this run; name another file"));
        }
        Ok(Self { file, path: path.to_owned() })
    }

    /// Writes a page that tells these runs.
    ///
    /// # Errors
    /// It can't be written.
    pub(in crate::cli) fn write(self, title: &str, runs: &[Run]) -> Result<(), String> {
        let page = page::page(title, runs, &machine::look());
        let Self { mut file, path } = self;
        let cut = |file: &File| if file.metadata()?.is_file() { file.set_len(0) } else { Ok(()) };
        let written: io::Result<()> = cut(&file).and_then(|()| file.write_all(page.as_bytes()));
        written.map_err(|error| format!("can't write report {}: {error}", path.display()))
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
        let refused = ReportFile::open(&link, [&*input]).expect_err("the same file");
        assert!(refused.contains("name another file"), "{refused}");
        let refused = ReportFile::open(directory.path(), []).expect_err("a folder");
        assert!(refused.contains("can't write report"), "{refused}");
        let refused = ReportFile::open(Path::new("-"), []).expect_err("no file");
        assert!(refused.contains("needs the name of a file"), "{refused}");
        assert_eq!(fs::read(&input).expect("still there"), b"http://a.test/");
    }

    #[test]
    fn what_the_file_held_is_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("report.html");
        fs::write(&path, "x".repeat(10 << 20)).expect("ours");
        ReportFile::open(&path, []).expect("writable").write("title", &[]).expect("written");
        let page = fs::read_to_string(&path).expect("text");
        assert!(page.ends_with("</html>\n"), "{}", &page[page.len() - 50..]);
    }
}

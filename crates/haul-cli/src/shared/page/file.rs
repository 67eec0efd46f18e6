//! The file of a report: found writable before the run, and written after it.

use std::path::Path;

use super::{AnswerSection, Run, html, machine};
use crate::shared::outfile::OutFile;

/// A file that a page can be written to.
#[derive(Debug)]
pub(crate) struct ReportFile(OutFile);

impl ReportFile {
    /// # Errors
    /// As [`OutFile::open`].
    pub(crate) fn open<'a>(path: &Path, used: impl IntoIterator<Item = &'a Path>) -> Result<Self, String> {
        OutFile::open("--report", path, used).map(Self)
    }

    /// Writes a page that tells these runs, and what was worked out from them and others.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn write(self, title: &str, answer: Option<&AnswerSection>, runs: &[Run]) -> Result<(), String> {
        self.0.write(html::page(title, answer, runs, &machine::look()).as_bytes())
    }
}

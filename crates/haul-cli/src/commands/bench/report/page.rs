//! What a load came to, for a page. Pure.

use super::BenchReport;
use crate::commands::bench::steps;
use crate::shared::page::{AnswerSection, Run};

impl BenchReport {
    /// What a page tells of it, with all that the answer says besides the figures.
    pub(in crate::commands::bench) fn completes(&self, mut run: Run) -> Run {
        run.settings.splice(0..0, self.asked.facts());
        let remarks = self.remarks().into_iter().flatten().map(|(_, words)| words);
        let lacks = self.lacks.iter().map(|lack| lack.text().split_whitespace().collect::<Vec<_>>().join(" "));
        run.notes.extend(remarks.chain(lacks));
        run
    }

    /// The steps of a ramp, for a page.
    pub(in crate::commands::bench) fn answer(&self) -> Option<AnswerSection> {
        let heading = "A ramp: rates held one after the other, in one load.".to_owned();
        let tables = vec![("Steps".to_owned(), steps::rows(&self.steps))];
        (!self.steps.is_empty()).then(|| AnswerSection { heading, tables, ..AnswerSection::default() })
    }
}

//! The one table of exit codes.

use std::process::ExitCode;

use haul::engine::RunReport;

/// How the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: every URL got an HTTP response, whatever its status.
    Complete,
    /// 1: some URLs failed, records could not be written, or the doctor found a problem.
    SomeFailed,
    /// 2: the command line is wrong, the run can't start, or the input can't be read.
    Usage,
    /// 130: the run was interrupted.
    Interrupted,
}

impl Exit {
    /// How a run that took place ends. What the user did not do himself comes first.
    pub(crate) const fn of(report: &RunReport) -> Self {
        if report.source_error.is_some() {
            Self::Usage
        } else if report.sink_error.is_some() {
            Self::SomeFailed
        } else if report.stopped {
            Self::Interrupted
        } else if report.totals.failed > 0 {
            Self::SomeFailed
        } else {
            Self::Complete
        }
    }

    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::SomeFailed => 1,
            Self::Usage => 2,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::shared::summary::tests::report;

    #[test]
    fn each_end_has_its_code() {
        let broken = || Some(io::Error::other("broken"));
        let mut run = report();
        assert_eq!(Exit::of(&run).code(), 1, "some failed");
        run.totals.failed = 0;
        assert_eq!(Exit::of(&run).code(), 0);
        run.stopped = true;
        assert_eq!(Exit::of(&run).code(), 130);
        run.sink_error = broken();
        assert_eq!(Exit::of(&run).code(), 1, "a full disk also stops the run");
        run.source_error = broken();
        assert_eq!(Exit::of(&run).code(), 2);
    }
}

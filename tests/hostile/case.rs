//! A case: what the peer does, what haul must say of it, and how to find out.

use std::fmt;

use haul::model::{FailureKind, Outcome, Phase};

/// What haul said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A response, with so many decoded body bytes.
    Complete {
        status: u16,
        bytes: u64,
    },
    /// The same, and the record says that nothing but the connection's end proves it complete.
    UntilClose {
        status: u16,
        bytes: u64,
    },
    Failed {
        phase: Phase,
        kind: FailureKind,
    },
    /// Nothing, until the case's deadline.
    Hang,
    /// Not a verdict at all: haul or the case panicked. The message is on standard error.
    Panic,
}

impl Verdict {
    /// What the record of a job says.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        match &outcome.last.result {
            Ok(response) if response.close_delimited => {
                Self::UntilClose { status: response.status, bytes: response.body_bytes }
            }
            Ok(response) => Self::Complete { status: response.status, bytes: response.body_bytes },
            Err(failure) => Self::Failed { phase: failure.phase, kind: failure.kind },
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete { status, bytes } => write!(f, "{status}, {bytes} bytes"),
            Self::UntilClose { status, bytes } => write!(f, "{status}, {bytes} bytes until close"),
            Self::Failed { phase, kind } => write!(f, "{phase}: {kind}"),
            Self::Hang => f.write_str("hang"),
            Self::Panic => f.write_str("panic"),
        }
    }
}

/// Shorthands for tables of cases.
pub(crate) const fn complete(status: u16, bytes: u64) -> Verdict {
    Verdict::Complete { status, bytes }
}

pub(crate) const fn until_close(status: u16, bytes: u64) -> Verdict {
    Verdict::UntilClose { status, bytes }
}

pub(crate) const fn failed(phase: Phase, kind: FailureKind) -> Verdict {
    Verdict::Failed { phase, kind }
}

/// One thing a peer does.
pub(crate) struct Case {
    /// What the peer does, in plain words: the row's name.
    pub(crate) what: String,
    /// The rule it touches, as `RFC 9112 §6.3`; empty where there is none.
    pub(crate) rule: &'static str,
    pub(crate) expected: Verdict,
    /// What haul says instead, where something it is built on can't be made to do right: told under "Known limits".
    pub(crate) limit: Option<Verdict>,
    /// Plays it and says what haul made of it. It has a thread of its own and the runner's deadline.
    pub(crate) run: Box<dyn FnOnce() -> Verdict + Send>,
}

impl Case {
    pub(crate) fn new(
        what: impl Into<String>,
        rule: &'static str,
        expected: Verdict,
        run: impl FnOnce() -> Verdict + Send + 'static,
    ) -> Self {
        Self { what: what.into(), rule, expected, limit: None, run: Box::new(run) }
    }

    /// A known limit: what is said instead of what is expected.
    pub(crate) fn but(mut self, limit: Verdict) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// Cases that belong together: one table of the page.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) cases: Vec<Case>,
}

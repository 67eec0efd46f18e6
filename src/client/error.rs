//! Why there is no response, or not all of one.

use std::error;
use std::fmt;

use http::StatusCode;

use crate::model::{Failure, FailureKind, Phase};

/// Why there is no response, or not all of one: where it failed ([`Phase`]), why ([`FailureKind`]), and for which URL.
///
/// An HTTP status is not an error, whatever it is; [`super::Response::error_for_status`] makes it one.
///
/// ```
/// use haul::model::{FailureKind, Phase};
///
/// let client = haul::Client::builder().retries(0).build()?;
/// let sent = haul::blocking::Client::from(client).get("http://127.0.0.1:1/").send();
/// let error = sent.expect_err("nobody listens there");
/// assert_eq!((error.phase(), error.kind()), (Phase::Connect, FailureKind::Refused));
/// assert!(error.to_string().starts_with("http://127.0.0.1:1/: connect (refused)"));
/// let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<haul::model::OsError>());
/// assert_eq!(source.map(|source| source.number()), Some(111), "ECONNREFUSED on Linux");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Error(Box<ErrorParts>);

struct ErrorParts {
    failure: Failure,
    url: Box<str>,
    attempts: u32,
    status: Option<StatusCode>,
}

impl Error {
    pub(super) fn new(failure: Failure, url: impl Into<Box<str>>, attempts: u32) -> Self {
        Self(Box::new(ErrorParts { failure, url: url.into(), attempts, status: None }))
    }

    pub(super) fn status_error(status: StatusCode, url: &str, attempts: u32) -> Self {
        let failure = Failure::new(Phase::Head, FailureKind::Status, format!("the server answered {status}"));
        Self(Box::new(ErrorParts { failure, url: url.into(), attempts, status: Some(status) }))
    }

    /// The part of the fetch that failed.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.0.failure.phase
    }

    /// Why it failed: small, stable, comparable.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.0.failure.kind
    }

    /// The URL as given, without credentials.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Attempts made; 0 when nothing was sent.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The status that [`super::Response::error_for_status`] made an error of.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// Whether a time-out ended it, that of a phase or the total one.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind(), FailureKind::Timeout | FailureKind::TotalTimeout)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorParts { failure, url, attempts, .. } = &*self.0;
        match attempts {
            0 | 1 => write!(f, "{url}: {failure}"),
            _ => write!(f, "{url}: {failure} ({attempts} attempts)"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorParts { failure, url, attempts, .. } = &*self.0;
        f.debug_struct("Error")
            .field("url", url)
            .field("phase", &failure.phase)
            .field("kind", &failure.kind)
            .field("message", &failure.message)
            .field("attempts", attempts)
            .finish()
    }
}

impl error::Error for Error {
    /// What the operating system said, where it was the one that failed.
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.failure.source()
    }
}

//! What the operating system said, by its number.

use std::error::Error;
use std::fmt;
use std::io;
use std::num::NonZeroI32;

/// An error of the operating system: its number, as [`io::Error::raw_os_error`] has it.
///
/// ```
/// # extern crate haul_core as haul;
/// use std::error::Error;
/// use std::io;
///
/// use haul::model::{Failure, FailureKind, OsError, Phase};
///
/// let refused = io::Error::from_raw_os_error(111);
/// let failure = Failure::new(Phase::Connect, FailureKind::Refused, "nobody listens there").because_of(&refused);
/// let source = failure.source().and_then(|source| source.downcast_ref::<OsError>());
/// assert_eq!(source.map(|source| source.number()), Some(111));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OsError(NonZeroI32);

impl OsError {
    /// That of `error`, if the operating system made it.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        error.raw_os_error().and_then(NonZeroI32::new).map(Self)
    }

    /// The number: on Unix, errno.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0.get()
    }
}

impl fmt::Display for OsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        io::Error::from_raw_os_error(self.number()).fmt(f)
    }
}

impl Error for OsError {}

//! The clocks of the comparison: the only place where it looks at one.

use std::time::Instant;

/// Now.
#[expect(
    clippy::disallowed_methods,
    reason = "what several engines do together has no engine's clock to be measured by"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}

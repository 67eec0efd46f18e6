//! The bytes are the value of a `Retry-After` header.
//!
//! Promise: blanks around the value change nothing, and a later look never finds a longer wait.

use std::time::{Duration, SystemTime};

use haul::policy::retry_after::parse;

/// Reads one value.
pub fn run(value: &[u8]) {
    // Sun, 06 Nov 1994 08:49:37 GMT.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let wait = parse(value, now);
    assert_eq!(parse(&[b" \t", value, b"\t "].concat(), now), wait);
    let later = parse(value, now + Duration::from_secs(3600));
    assert_eq!(later.is_some(), wait.is_some());
    assert!(later <= wait, "{later:?} an hour later, {wait:?} before");
}

//! The vocabulary: what every other part talks about.
//!
//! Plain data and the traits at the edges. Nothing here knows tokio, hyper or the settings, and nothing here
//! reads a clock.

mod clock;
mod control;
mod failure;
mod headers;
mod hooks;
mod job;
mod normal;
mod os_error;
mod outcome;
mod ports;
mod printable;
mod reason;
mod redact;
mod redacted;
mod redirected;
mod site;
mod time;
mod timing;
mod url;
pub(crate) mod work;

pub(crate) use failure::named;
pub use failure::{Failure, FailureKind, Phase};
pub use headers::HeaderList;
pub use hooks::{BodyUse, BodyWriter, Hooks, Reply, RequestHead, ResponseHead};
pub use job::{Egress, Extra, Hop, Job, RequestOverrides};
pub use os_error::OsError;
pub use outcome::{Attempt, CompleteResponse, Outcome};
pub use ports::{Acknowledge, Ending, More, Record, Rejected, Resolve, Resolved, Settled, Sink, Source};
pub use printable::printable;
pub use reason::{DeferReason, GiveUpReason};
pub use site::site_of;
pub use time::Time;
pub use timing::Timings;
pub use url::{Credentials, Scheme, UrlError, WebUrl};
// For haul's own crates: nothing here is promised.
#[doc(hidden)]
pub use clock::Clock;
#[doc(hidden)]
pub use control::Control;
#[doc(hidden)]
pub use reason::CloseReason;
#[doc(hidden)]
pub use redact::{without_credentials, without_headers};
#[doc(hidden)]
pub use redacted::{Redacted, is_credential};
#[doc(hidden)]
pub use redirected::{describes_body, remove_headers, stays_with_origin};

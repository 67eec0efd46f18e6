//! What is tried again, and when a host is given up.

use std::time::Duration;

use clap::Args;
use haul::config::RetrySettings;

use super::{set, values};

#[derive(Debug, Args)]
#[command(next_help_heading = "Retries")]
pub(crate) struct RetryArgs {
    /// Retries per URL after its first attempt, where repeating does no harm; a wait that the host asks for with
    /// Retry-After is none [default: 2]
    #[arg(long, value_name = "N")]
    pub(crate) retries: Option<u32>,
    /// Retry POST and PATCH too, although the server may have acted on the first attempt
    #[arg(long)]
    pub(crate) retry_unsafe: bool,
    /// Give a host up after N failures in a row, for 5 minutes; 0 means never [default: 5]
    #[arg(long, value_name = "N")]
    pub(crate) dead_after: Option<u32>,
    /// How long a host that has answered well may fail without an end before it is given up; one that never has, a third [default: 90s]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) outage: Option<Duration>,
    /// Statuses that are tried again; none means none [default: 408,429,502,503,504]
    #[arg(long, value_name = "STATUSES", value_parser = values::statuses)]
    pub(crate) retry_on: Option<values::Statuses>,
    /// Statuses that ask for fewer requests, so that the whole host waits as Retry-After says [default: 429]
    #[arg(long, value_name = "STATUSES", value_parser = values::statuses)]
    pub(crate) hold_on: Option<values::Statuses>,
    /// Waits before a retry, and of a host that fails: the first, and the longest they double to [default: 500ms..60s]
    #[arg(long, value_name = "TIME..TIME", value_parser = values::back_off)]
    pub(crate) back_off: Option<(Duration, Duration)>,
    /// The longest Retry-After that is waited for; a URL whose host asks for more is not tried again [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) retry_after_max: Option<Duration>,
}

impl RetryArgs {
    /// What these flags say of retries and of hosts that fail.
    pub(crate) fn settings(&self) -> RetrySettings {
        let mut retries = RetrySettings { unsafe_methods: self.retry_unsafe, ..RetrySettings::default() };
        set(&mut retries.retries, self.retries);
        set(&mut retries.dead_after, self.dead_after);
        set(&mut retries.outage, self.outage);
        set(&mut retries.retry_statuses, self.retry_on.clone().map(|statuses| statuses.0));
        set(&mut retries.hold_statuses, self.hold_on.clone().map(|statuses| statuses.0));
        set(&mut retries.retry_after_max, self.retry_after_max);
        if let Some((base, max)) = self.back_off {
            (retries.backoff_base, retries.backoff_max) = (base, max);
        }
        retries
    }
}

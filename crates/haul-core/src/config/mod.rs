//! Settings: plain typed data. Each says its unit, its default, what happens at the extremes, what it costs.
//!
//! Nothing here knows flags, files or the environment.

mod body;
mod check;
mod egress;
mod limits;
mod memory;
mod network;
mod request;
mod retries;
mod setting;
mod timeouts;

pub use body::BodySettings;
pub use check::ConfigError;
pub use egress::EgressSettings;
pub use limits::{HostRule, Limits, Rate};
pub use memory::Shares;
pub use network::{ConnectTo, DnsSettings, FamilyPreference, NetworkSettings, PoolSettings, ResolveRule, TlsSettings};
pub use request::RequestSettings;
pub use retries::RetrySettings;
pub use setting::Setting;
pub use timeouts::Timeouts;

/// Everything a run can be told.
///
/// ```
/// # extern crate haul_core as haul;
/// let mut config = haul::config::Config::default();
/// config.limits.per_host = 2.try_into()?;
/// config.limits.delay = std::time::Duration::from_millis(250);
/// config.retries.retries = 5;
/// config.body.keep = true;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// How much at once and how often.
    pub limits: Limits,
    /// How long each phase may take.
    pub timeouts: Timeouts,
    /// What is tried again, when, and how often.
    pub retries: RetrySettings,
    /// The request sent where a job says nothing else.
    pub request: RequestSettings,
    /// What is done with bodies.
    pub body: BodySettings,
    /// Addresses, sockets, protocols.
    pub network: NetworkSettings,
    /// Connections kept and closed.
    pub pool: PoolSettings,
    /// Names.
    pub dns: DnsSettings,
    /// TLS.
    pub tls: TlsSettings,
    /// The seed of all randomness (jitter, order of ties). Default 0; equal seeds make equal choices.
    pub seed: u64,
}

//! Why a run can't start.

use std::error::Error;
use std::fmt;
use std::io;

use super::rules::PatternError;
use crate::config::{ConfigError, Setting};
use crate::dial::TlsError;
use crate::source::RequestError;

/// Why a run can't start. The text says how to change that, and names settings by
/// [`Setting::name`](crate::config::Setting::name), between backticks.
///
/// ```
/// use haul::config::{Config, ConfigError};
/// use haul::engine::{Engine, StartError};
///
/// let mut config = Config::default();
/// config.limits.max_memory = Some(1000);
/// let error = Engine::new(config).err().expect("1,000 bytes are too little");
/// assert!(matches!(error, StartError::Config(ConfigError::TooLittleMemory { budget: 1000, .. })));
/// ```
#[non_exhaustive]
#[derive(Debug)]
pub enum StartError {
    /// Settings exclude each other.
    Config(ConfigError),
    /// A rule's pattern can't be used.
    Rule(PatternError),
    /// The settings' method can't be sent.
    Method(RequestError),
    /// One of the settings' headers can't be sent.
    Header(RequestError),
    /// Names are to be looked up at the far end ([`EgressSettings::remote_dns`](crate::config::EgressSettings::remote_dns)), and there is no
    /// connector that could take them there.
    RemoteDnsNeedsConnector,
    /// The same, with an address filter that would never see the address.
    RemoteDnsEvadesFilter,
    /// A file of the TLS settings can't be used.
    Tls(TlsError),
    /// The machine does not give what a run needs.
    Machine {
        /// What is lacking, and how to get it.
        message: Box<str>,
        /// What the system says.
        source: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Rule(error) => error.fmt(f),
            Self::Method(error) => write!(f, "request method: {error}"),
            Self::Header(error) => write!(f, "request headers: {error}"),
            Self::RemoteDnsNeedsConnector => write!(
                f,
                "names that are looked up at the far end (`remote_dns` in `{}`) need a connector that takes them there; give \
                 `Extensions::connector`, or leave out `remote_dns`",
                Setting::Egress
            ),
            Self::RemoteDnsEvadesFilter => write!(
                f,
                "an address filter never sees the addresses of names that are looked up at the far end; leave out `remote_dns` in `{}`, or \
                 the filter",
                Setting::Egress
            ),
            Self::Tls(error) => error.fmt(f),
            Self::Machine { message, .. } => f.write_str(message),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Rule(error) => error.source(),
            Self::Tls(error) => error.source(),
            Self::Machine { source, .. } => Some(source),
            Self::Config(_)
            | Self::Method(_)
            | Self::Header(_)
            | Self::RemoteDnsNeedsConnector
            | Self::RemoteDnsEvadesFilter => None,
        }
    }
}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

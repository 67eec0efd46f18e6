//! Settings that exclude each other. Each contradiction has one text, here, whoever shows it.

use std::error::Error;
use std::fmt;

use super::{Config, EgressSettings, FamilyPreference, Setting, Shares};

/// Why no run can have these settings. The text names settings by [`Setting::name`], between backticks.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// A limit per address with several shards, which would not know of each other's requests.
    PerAddressOverShards,
    /// Public addresses only, by way of a socket of this machine.
    UnixSocketNotPublic,
    /// A way to choose among addresses, and a socket that has none.
    UnixSocketHasNoAddress,
    /// No way out of this machine.
    NoEgress,
    /// Public addresses only, by a way out whose names are looked up at the far end: nobody here sees the address.
    RemoteDnsNotPublic,
    /// HTTP/1.1 only, and HTTP/2 without asking.
    BothProtocols,
    /// A budget from which too little is left to fetch with.
    TooLittleMemory {
        /// The budget, in bytes.
        budget: u64,
        /// The request body that is there from the first request to the last, in bytes.
        body: u64,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Setting as S;
        match *self {
            Self::PerAddressOverShards => write!(
                f,
                "a limit per address needs one shard, because hosts of several shards may share an address; set `{}` to 1, or leave \
                 out `{}` and the rules with such a limit",
                S::Shards,
                S::PerAddress
            ),
            Self::UnixSocketNotPublic => write!(
                f,
                "a Unix socket is not on the public internet; leave out `{}` or `{}`",
                S::UnixSocket,
                S::PublicOnly
            ),
            Self::UnixSocketHasNoAddress => write!(
                f,
                "`{}` leaves no address to choose; leave out `{}`, `{}`, `{}` and `{}`",
                S::UnixSocket,
                S::Resolve,
                S::ConnectTo,
                S::Egress,
                S::Family
            ),
            Self::NoEgress => write!(f, "no request can leave this machine: `{}` is empty", S::Egress),
            Self::RemoteDnsNotPublic => write!(
                f,
                "whether an address is public can't be told where names are looked up at the far end; leave out `remote_dns` in `{}`, \
                 or `{}`",
                S::Egress,
                S::PublicOnly
            ),
            Self::BothProtocols => {
                write!(f, "`{}` and `{}` exclude each other; leave one out", S::Http1Only, S::Http2PriorKnowledge)
            }
            Self::TooLittleMemory { budget, body } => {
                write!(f, "`{}` is too small to fetch with: {budget} bytes", S::MaxMemory)?;
                if body > 0 {
                    write!(f, ", beside a request body of {body}")?;
                }
                write!(f, "; give {} or more", Shares::LEAST.saturating_add(body))
            }
        }
    }
}

impl Error for ConfigError {}

impl Config {
    /// Whether the settings can hold together.
    ///
    /// # Errors
    /// They can't; of several contradictions, the first.
    ///
    /// ```
    /// # extern crate haul_core as haul;
    /// use haul::config::{Config, ConfigError};
    ///
    /// let mut config = Config::default();
    /// assert_eq!(config.check(), Ok(()));
    /// config.network.unix_socket = Some("/run/site.sock".into());
    /// config.network.public_only = true;
    /// assert_eq!(config.check(), Err(ConfigError::UnixSocketNotPublic));
    /// ```
    pub fn check(&self) -> Result<(), ConfigError> {
        let (limits, network) = (&self.limits, &self.network);
        let chooses_address = !network.resolve.is_empty()
            || !network.connect_to.is_empty()
            || network.egress.iter().any(|egress| *egress != EgressSettings::default())
            || network.family != FamilyPreference::Both;
        let is_unix = network.unix_socket.is_some();
        let contradictions = [
            (network.http1_only && network.http2_prior_knowledge, ConfigError::BothProtocols),
            (network.egress.is_empty(), ConfigError::NoEgress),
            (is_unix && chooses_address, ConfigError::UnixSocketHasNoAddress),
            (is_unix && network.public_only, ConfigError::UnixSocketNotPublic),
            (
                network.public_only && network.egress.iter().any(|egress| egress.remote_dns),
                ConfigError::RemoteDnsNotPublic,
            ),
            (limits.has_per_address() && limits.shards > 1, ConfigError::PerAddressOverShards),
        ];
        contradictions.into_iter().find(|(holds, _)| *holds).map_or(Ok(()), |(_, error)| Err(error))?;
        self.memory_shares().map(drop)
    }

    /// How the memory budget is divided, if there is one.
    ///
    /// # Errors
    /// [`ConfigError::TooLittleMemory`].
    pub fn memory_shares(&self) -> Result<Option<Shares>, ConfigError> {
        let Some(budget) = self.limits.max_memory else { return Ok(None) };
        // All requests share it, and it is there from the first to the last.
        let body = self.request.body.as_ref().map_or(0, |body| body.len() as u64);
        let shares = budget.checked_sub(body).and_then(Shares::of);
        shares.map(Some).ok_or(ConfigError::TooLittleMemory { budget, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(change: impl FnOnce(&mut Config)) -> Result<(), ConfigError> {
        let mut config = Config::default();
        change(&mut config);
        config.check()
    }

    #[test]
    fn each_contradiction_is_found_and_says_what_to_change() {
        let unix = |config: &mut Config| config.network.unix_socket = Some("/run/x".into());
        let found = [
            checked(|config| (config.network.http1_only, config.network.http2_prior_knowledge) = (true, true)),
            checked(|config| {
                unix(config);
                config.network.family = FamilyPreference::Ipv4Only;
            }),
            checked(|config| {
                unix(config);
                config.network.egress = vec![EgressSettings::from_address(std::net::Ipv4Addr::LOCALHOST.into())];
            }),
            checked(|config| config.network.egress.clear()),
            checked(|config| {
                config.network.public_only = true;
                config.network.egress.push(EgressSettings { remote_dns: true, ..EgressSettings::default() });
            }),
            checked(|config| {
                unix(config);
                config.network.public_only = true;
            }),
            checked(|config| (config.limits.per_address, config.limits.shards) = (2.try_into().ok(), 2)),
            checked(|config| {
                config.limits.max_memory = Some(Shares::LEAST);
                config.request.body = Some(vec![0; 100].into());
            }),
        ];
        use ConfigError as E;
        let short = E::TooLittleMemory { budget: Shares::LEAST, body: 100 };
        let expected = [
            E::BothProtocols,
            E::UnixSocketHasNoAddress,
            E::UnixSocketHasNoAddress,
            E::NoEgress,
            E::RemoteDnsNotPublic,
            E::UnixSocketNotPublic,
            E::PerAddressOverShards,
            short,
        ];
        assert_eq!(found, expected.map(Err));
        assert_eq!(
            short.to_string(),
            "`limits.max_memory` is too small to fetch with: 64000000 bytes, beside a request body of 100; give 64000100 or more"
        );
        for error in expected {
            assert!(Setting::named_in(&error.to_string()).next().is_some(), "{error}");
        }
    }

    #[test]
    fn what_does_not_exclude_each_other_passes() {
        assert_eq!(
            checked(|config| (config.limits.per_address, config.limits.shards) = (2.try_into().ok(), 1)),
            Ok(())
        );
        assert_eq!(checked(|config| config.limits.max_memory = Some(Shares::LEAST)), Ok(()));
        assert_eq!(checked(|config| config.network.unix_socket = Some("/run/x".into())), Ok(()));
    }
}

//! One question to one name server, asked the way a run asks.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use haul::config::{Config, DnsSettings, Timeouts};
use haul::model::{FailureKind, Resolve, Time};
use haul_net::dns::Resolver;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use super::facts::NameServerAnswer;
use crate::shared::setting_names::with_flags;

/// Asks `server` for the addresses of `name`, and waits no longer than `patience`.
pub(super) fn ask(server: SocketAddr, name: &str, patience: Duration) -> NameServerAnswer {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => LocalSet::new().block_on(&runtime, look_up(server, name, patience)),
        Err(error) => NameServerAnswer::None(format!("can't ask: {error}")),
    }
}

async fn look_up(server: SocketAddr, name: &str, patience: Duration) -> NameServerAnswer {
    let config = Config {
        dns: DnsSettings { servers: vec![server], query_timeout: patience, ..DnsSettings::default() },
        timeouts: Timeouts { dns: patience, ..Timeouts::default() },
        ..Config::default()
    };
    let begun = begin();
    let resolver = Resolver::new(&config, move || Time::ZERO + begun.elapsed());
    let result = resolver.resolve(name).await;
    let took = begun.elapsed();
    let stats = resolver.stats();
    match result {
        _ if stats.lookups == 0 => NameServerAnswer::NotNeeded(name.to_owned()),
        // That there is no such name is an answer.
        Err(failure) if !matches!(failure.kind, FailureKind::NameNotFound | FailureKind::NoAddress) => {
            NameServerAnswer::None(with_flags(&failure.message).into_owned())
        }
        _ => NameServerAnswer::After(took),
    }
}

#[expect(clippy::disallowed_methods, reason = "how long an answer takes is what is asked here")]
fn begin() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};

    use super::*;

    #[test]
    fn a_server_that_does_not_answer_is_told_with_its_address() {
        let nobody = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let nobody = nobody.local_addr().expect("bound");
        let NameServerAnswer::None(message) = ask(nobody, "a.example", Duration::from_millis(20)) else {
            panic!("nobody listens there")
        };
        assert!(message.contains(&nobody.to_string()), "{message}");
    }

    #[test]
    fn a_name_that_needs_no_server_is_told() {
        assert!(matches!(ask(([127, 0, 0, 1], 1).into(), "localhost", Duration::ZERO), NameServerAnswer::NotNeeded(_)));
    }
}

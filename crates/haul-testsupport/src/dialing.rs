//! A dialer with settings of the test's choosing.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use haul::config::Config;
use haul::model::{Egress, Failure, FailureKind, Phase, Resolve, Resolved, Scheme};
use haul_net::dial::{DialError, DialedConnection, Dialer, Target, Tls};

use crate::clock;

/// Names and their addresses; a name without any never gets an answer.
#[derive(Default)]
pub struct Names(pub HashMap<&'static str, Vec<IpAddr>>);

impl Resolve for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = Result<Resolved, Failure>> + 'a>> {
        Box::pin(async move {
            match self.0.get(name) {
                None => Err(Failure::new(Phase::Dns, FailureKind::NameNotFound, "not in the test's list")),
                Some(none) if none.is_empty() => std::future::pending().await,
                Some(all) => Ok(Resolved { addresses: all.as_slice().into(), valid_for: Duration::from_secs(60) }),
            }
        })
    }
}

/// A dialer for `config`.
pub fn dialer(config: &Config, resolver: Rc<dyn Resolve>) -> Dialer {
    let tls = Tls::new(&config.tls, config.network.http1_only).unwrap_or_else(|error| panic!("{error}"));
    Dialer::new(config, Arc::new(tls), resolver, clock::running())
}

/// Dials `host` at the address's port, within ten seconds.
pub async fn dial(dialer: &Dialer, scheme: Scheme, host: &str, to: SocketAddr) -> Result<DialedConnection, DialError> {
    let target = Target { scheme, host, port: to.port() };
    dialer.dial(&target, Egress::default(), Duration::from_secs(10)).await
}

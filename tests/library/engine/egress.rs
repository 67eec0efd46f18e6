//! Ways out of this machine: what one lacks is no fact about hosts that are reached by another.

use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use haul::config::{Config, EgressSettings};
use haul::engine::{ByteStream, Connect, Connecting, Destination, Endpoint, Engine, Extensions, StartError};
use haul::model::{Egress, Failure, FailureKind, Job, Phase, RequestOverrides, Resolve, Resolved, Time, WebUrl};
use haul::source::JobStream;
use tokio::net::TcpStream;

use super::{Origin, Tap, config, count, failure, status};

/// By name, with remote DNS.
const REMOTE: Egress = Egress(1);
const DIRECT: Egress = Egress(0);

/// How long after the first the others come.
const LATER: Duration = Duration::from_millis(30);

/// A proxy's end of the way: every name is this machine.
struct Proxy;

impl Connect for Proxy {
    fn connect(&self, to: &Destination<'_>) -> Connecting {
        let port = match to.endpoint {
            Endpoint::Name { port, .. } => port,
            Endpoint::Address(address) => address.port(),
        };
        Box::pin(async move {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        })
    }
}

/// Knows no name, and says so after a while.
struct Ignorant {
    asked: Mutex<Vec<String>>,
    after: Duration,
    kind: FailureKind,
}

impl Resolve for Ignorant {
    fn resolve<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = Result<Resolved, Failure>> + 'a>> {
        self.asked.lock().expect("no holder panics").push(name.to_owned());
        Box::pin(async move {
            tokio::time::sleep(self.after).await;
            Err(Failure::new(Phase::Dns, self.kind, format!("nobody knows {name}")))
        })
    }
}

/// Direct, and by a proxy that looks the names up.
fn two_ways() -> Config {
    let mut config = config();
    config.limits.per_host = count(2);
    config.retries.retries = 1;
    config.network.egress.push(EgressSettings { remote_dns: true, ..EgressSettings::default() });
    config
}

/// How a job ended: its status, or why it has none.
type End = Result<u16, (Phase, FailureKind)>;

/// The ends of jobs of one host by these ways, in turn, and how often a name server was asked. All but the first come a while after it.
fn ends(ways: &[Egress], after: Duration, kind: FailureKind) -> (Vec<End>, usize) {
    let origin = Origin::start();
    let job = |(n, egress): (u64, &Egress)| {
        let url = origin.url_on("shop.internal", &format!("/slow/{n}"));
        let mut job = Job::new(n, WebUrl::parse(&url).expect("a URL").0, Time::ZERO);
        job.extra_mut().overrides = Some(RequestOverrides { egress: *egress, ..RequestOverrides::default() }.into());
        (n, job)
    };
    let jobs: Vec<_> = (0..).zip(ways).map(job).collect();
    let names = Arc::new(Ignorant { asked: Mutex::default(), after, kind });
    let mut extensions = Extensions::default();
    extensions.connector = Some(Arc::new(Proxy));
    extensions.resolver = Some(Arc::clone(&names) as _);
    let engine = Engine::with(two_ways(), extensions).expect("valid settings");
    let (sender, records) = channel();
    let (to_run, coming) = futures::channel::mpsc::unbounded();
    let feeding = std::thread::spawn(move || {
        for (n, job) in jobs {
            to_run.unbounded_send((n, job)).expect("the run reads to the end");
            std::thread::sleep(if n == 0 { LATER } else { Duration::ZERO });
        }
    });
    let source = JobStream::new(coming, |_, _| {});
    let report = engine.run(Box::new(source), Box::new(Tap(sender)));
    feeding.join().expect("it has fed all");
    assert_eq!(report.totals.failed + report.totals.succeeded, ways.len() as u64);
    let mut records: Vec<_> = records.iter().collect();
    records.sort_by_key(|record| record.job.seq);
    let end = |record| status(record).ok_or_else(|| failure(record).expect("a failure"));
    let asked = names.asked.lock().expect("no holder panics").len();
    (records.iter().map(end).collect(), asked)
}

#[test]
fn nothing_is_looked_up_here_for_those_that_go_by_name() {
    let (ends, asked) = ends(&[REMOTE; 20], Duration::ZERO, FailureKind::NameNotFound);
    assert_eq!((ends, asked), (vec![Ok(200); 20], 0));
}

#[test]
fn a_name_that_is_not_found_here_is_nothing_to_those_that_are_looked_up_elsewhere() {
    for kind in [FailureKind::NameNotFound, FailureKind::ServerFailure] {
        for after in [Duration::ZERO, 3 * LATER] {
            for first in [DIRECT, REMOTE] {
                let ways: Vec<_> = (0..20).map(|n| if n % 5 == 0 { first } else { Egress(1 - first.0) }).collect();
                let expected = |way: &Egress| if *way == REMOTE { Ok(200) } else { Err((Phase::Dns, kind)) };
                let expected: Vec<_> = ways.iter().map(expected).collect();
                assert_eq!(ends(&ways, after, kind).0, expected, "{kind} after {after:?}, first {first:?}");
            }
        }
    }
}

#[test]
fn remote_dns_needs_a_connector_and_no_filter_that_would_see_nothing() {
    let mut extensions = Extensions::default();
    let error = Engine::with(two_ways(), extensions.clone()).err();
    assert!(matches!(error, Some(StartError::RemoteDnsNeedsConnector)), "{error:?}");
    extensions.connector = Some(Arc::new(Proxy));
    extensions.address_filter = Some(Arc::new(|_| true));
    let error = Engine::with(two_ways(), extensions).err();
    assert!(matches!(error, Some(StartError::RemoteDnsEvadesFilter)), "{error:?}");
}

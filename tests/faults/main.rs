//! A fault at every step: each scenario is run once for each kind of fault and each input or output operation of its
//! connections, with the fault at that operation. Exhaustive, not sampled.
//!
//! Every run checks: each job has one outcome, no body is wrong or short, what may be repeated succeeds in the end, what may
//! not is never sent twice, and while the run still lives every stream has been closed and no permit is held. The engine's
//! own books are checked by the engine.

mod net;
mod peer;
mod scenario;

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use haul::Client;
use haul::config::Config;
use haul::engine::{Engine, Extensions, Handle};
use haul::model::{Failure, Job, More, Outcome, Rejected, RequestOverrides, Resolve, Resolved, Source, Time, WebUrl};
use haul_testsupport::tap::Tap;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use net::{Fault, Net, Site};
use peer::Protocol;
use scenario::Scenario;

/// How long the streams of a run may take to close once its jobs are done, beyond what they may be idle.
const CLOSING: Duration = Duration::from_secs(10);

type Sites = Vec<(IpAddr, Arc<Site>)>;

fn address(number: usize) -> IpAddr {
    let [.., high, low] = u32::try_from(number).expect("few").to_be_bytes();
    Ipv4Addr::new(10, 7, high, low).into()
}

/// A site for each step at which the fault may happen.
fn sites(fault: Fault, steps: std::ops::RangeInclusive<usize>) -> Sites {
    steps.map(|at| (address(at), Arc::new(Site::new(fault, at)))).collect()
}

fn server_tls(protocol: Protocol) -> Arc<rustls::ServerConfig> {
    static PAIR: OnceLock<(CertificateDer<'static>, Vec<u8>)> = OnceLock::new();
    let (certificate, key) = PAIR.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).expect("a certificate");
        (made.cert.der().clone(), made.signing_key.serialize_der())
    });
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("a provider with suites")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], PrivateKeyDer::Pkcs8(key.clone().into()))
        .expect("a pair");
    config.alpn_protocols = vec![if protocol == Protocol::Http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    Arc::new(config)
}

/// Every name has an address that refuses and the one it is called after.
struct Names;

impl Resolve for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = Result<Resolved, Failure>> + 'a>> {
        let number = name.trim_start_matches('h').split('.').next().and_then(|number| number.parse().ok());
        let addresses = vec![IpAddr::from([10, 9, 9, 9]), address(number.expect("a name of ours"))];
        Box::pin(async { Ok(Resolved { addresses: addresses.into(), valid_for: Duration::from_secs(60) }) })
    }
}

/// The jobs of all sites; its end comes when all is quiet, so that what is left open is seen while the run lives.
struct Jobs {
    left: std::vec::IntoIter<(usize, String)>,
    total: u64,
    overrides: Option<Arc<RequestOverrides>>,
    sites: Sites,
    handle: Handle,
    loud: Sender<String>,
}

impl Jobs {
    /// What is still open after a while; nothing when all is well.
    fn unrest(&self) -> Option<String> {
        let progress = self.handle.progress();
        let ended = progress.succeeded + progress.failed + progress.cancelled;
        let open: Vec<_> = self.sites.iter().filter(|(_, site)| site.alive() > 0).map(|(address, _)| address).collect();
        let quiet = ended == self.total && progress.in_flight == 0 && progress.queued == 0 && open.is_empty();
        (!quiet).then(|| format!("still open {CLOSING:?} after the last job should have ended: {progress:?}, {open:?}"))
    }
}

impl Source for Jobs {
    fn read(&mut self, max: usize, now: Time, into: &mut Vec<Result<Job, Rejected>>) -> io::Result<More> {
        for (seq, url) in self.left.by_ref().take(max) {
            let mut job = Job::new(seq as u64, WebUrl::parse(&url).expect("valid").0, now);
            if let Some(overrides) = &self.overrides {
                job.extra_mut().overrides = Some(Arc::clone(overrides));
            }
            into.push(Ok(job));
        }
        if !into.is_empty() {
            return Ok(More::Yes);
        }
        if let Some(unrest) = settled(|| self.unrest()) {
            let _ = self.loud.send(unrest);
            self.handle.stop_now();
        }
        Ok(More::No)
    }
}

fn net(scenario: &Scenario, sites: &Sites) -> Net {
    let tls = scenario.tls.then(|| server_tls(scenario.protocol));
    Net::new(scenario.protocol, tls, sites.iter().cloned().collect())
}

fn extensions(scenario: &Scenario, sites: &Sites) -> Extensions {
    let mut extensions = Extensions::default();
    extensions.connector = Some(Arc::new(net(scenario, sites)));
    extensions.resolver = Some(Arc::new(Names));
    extensions
}

fn url(scenario: &Scenario, number: usize, path: &str) -> String {
    let scheme = if scenario.tls { "https" } else { "http" };
    if scenario.named {
        format!("{scheme}://h{number}.test{path}")
    } else {
        format!("{scheme}://{}{path}", address(number))
    }
}

/// The scenario's requests to the site of this number, at their place among those of all sites.
fn urls(scenario: &Scenario, site: usize, place: usize) -> impl Iterator<Item = (usize, String)> {
    let first = place * scenario.paths.len();
    (first..).zip(scenario.paths.iter().map(move |path| url(scenario, site, path)))
}

/// Runs the scenario on all sites at once. The outcomes come in input order; what was wrong with the run as a whole beside.
fn run(scenario: &Scenario, sites: &Sites, first: usize) -> (Vec<Outcome>, Vec<String>) {
    let jobs: Vec<_> = (0..sites.len()).flat_map(|place| urls(scenario, first + place, place)).collect();
    let count = jobs.len();
    let config: Config = scenario.config();
    let engine = Engine::with(config, extensions(scenario, sites)).expect("valid settings");
    let (outcomes, received) = channel();
    let (loud, complaints) = channel();
    let overrides = RequestOverrides {
        method: Some(scenario.method.clone()),
        body: (scenario.upload > 0).then(|| vec![b'u'; scenario.upload].into()),
        ..RequestOverrides::default()
    };
    let source = Jobs {
        left: jobs.into_iter(),
        total: count as u64,
        overrides: Some(overrides.into()),
        sites: sites.clone(),
        handle: engine.handle(),
        loud,
    };
    let report = engine.run(Box::new(source), Box::new(Tap(outcomes)));
    let mut outcomes: Vec<_> = received.iter().collect();
    outcomes.sort_by_key(|outcome| outcome.job.seq);
    let mut complaints: Vec<_> = complaints.iter().collect();
    if outcomes.iter().map(|outcome| outcome.job.seq).ne(0..count as u64) {
        complaints.push(format!("{count} jobs, {} outcomes: {:?}", outcomes.len(), report.totals));
    }
    (outcomes, complaints)
}

/// What is wrong with an outcome; nothing when it is as it should be.
fn judge(scenario: &Scenario, fault: Fault, outcome: &Outcome, path: &str) -> Option<String> {
    let last = path.replace("/redirect", "");
    match &outcome.last.result {
        Ok(response) => {
            let expected = match (last.as_str(), &scenario.method) {
                ("/refuse-upload", _) => (413, peer::body("/len/100")),
                ("/empty", _) => (204, Vec::new()),
                (_, &http::Method::HEAD) => (200, Vec::new()),
                _ => (200, peer::body(&last)),
            };
            let body = response.body.as_deref().unwrap_or_default();
            let cut = scenario.ends_with_the_connection()
                && fault == Fault::Eof
                && response.close_delimited
                && expected.1.starts_with(body);
            let right = response.status == expected.0 && (body == expected.1 || cut);
            (!right).then(|| format!("{}, {} bytes: not what was sent", response.status, body.len()))
        }
        // The one fault of a request that may be repeated is fixed by repeating it.
        Err(failure) if scenario.method.is_idempotent() => Some(failure.to_string()),
        Err(failure) if matches!(fault, Fault::None | Fault::Short) => Some(failure.to_string()),
        Err(_) => None,
    }
}

/// How often a site may have been asked.
fn most_requests(scenario: &Scenario) -> usize {
    if scenario.method.is_idempotent() { usize::MAX } else { scenario.paths.len() }
}

/// All faults of one kind; returns what is wrong and how many places were tried.
fn with_fault(scenario: &Scenario, fault: Fault, steps: usize) -> (Vec<String>, usize) {
    // One more than there are: a fault that is never met.
    let sites = sites(fault, 1..=steps + 1);
    let (outcomes, mut wrong) = run(scenario, &sites, 1);
    for outcome in &outcomes {
        let seq = usize::try_from(outcome.job.seq).expect("small");
        let (at, path) = (seq / scenario.paths.len() + 1, scenario.paths[seq % scenario.paths.len()]);
        if let Some(what) = judge(scenario, fault, outcome, path) {
            wrong.push(format!("step {at}, {path}: {what} ({} attempts)", outcome.attempts));
        }
    }
    for (at, (_, site)) in (1..).zip(&sites) {
        if site.visits.requests() > most_requests(scenario) {
            wrong.push(format!("step {at}: asked {} times what may be asked once", site.visits.requests()));
        }
    }
    let wrong = wrong.into_iter().map(|what| format!("{}: {fault:?}: {what}", scenario.name)).collect();
    (wrong, sites.len())
}

/// The steps that the scenario takes when all goes well.
fn steps(scenario: &Scenario) -> usize {
    let sites = sites(Fault::None, 1..=1);
    let (outcomes, mut wrong) = run(scenario, &sites, 1);
    let judged =
        outcomes.iter().zip(&scenario.paths).filter_map(|(outcome, path)| judge(scenario, Fault::None, outcome, path));
    wrong.extend(judged);
    assert!(wrong.is_empty(), "{} without a fault: {wrong:#?}", scenario.name);
    sites[0].1.steps()
}

/// The one who asks leaves at each step, by dropping the future of his request or of its body, and another asks the same
/// host, which takes one request at a time: his turn comes.
fn with_leaving(scenario: &Scenario, fault: Fault, steps: usize) -> (Vec<String>, usize) {
    let sites = sites(fault, 1..=steps + 1);
    let client = Client::builder().config(|config| *config = scenario.config()).per_host(1).resolver(Names);
    let client = client.connector(net(scenario, &sites)).build().expect("valid settings");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let asked = runtime.block_on(futures::future::join_all(sites.iter().zip(1..).map(async |((_, site), number)| {
        let asking = async {
            let request = client.request(scenario.method.clone(), url(scenario, number, scenario.paths[0]));
            let response = request.body(vec![b'u'; scenario.upload]).send().await?;
            response.bytes().await
        };
        // Whoever is told to leave does so at once; at the last step he has had what he wanted.
        let first = tokio::select! {
            biased;
            () = site.leave.notified() => Ok(()),
            asked = asking => asked.map(drop).map_err(|error| error.to_string()),
        };
        let second = client.get(url(scenario, number, "/len/10")).send();
        let second = match tokio::time::timeout(CLOSING, second).await {
            Ok(answered) => answered.map(drop).map_err(|error| error.to_string()),
            Err(_) => Err("the next request never got its turn".to_owned()),
        };
        first.and(second).err().map(|what| format!("step {number}: {what}"))
    })));
    let mut wrong: Vec<_> = asked.into_iter().flatten().collect();
    wrong.extend(settled(|| {
        let progress = client.handle().progress();
        let open = sites.iter().filter(|(_, site)| site.alive() > 0).count();
        (progress.in_flight > 0 || progress.queued > 0 || open > 0).then(|| format!("{open} sites open: {progress:?}"))
    }));
    let wrong = wrong.into_iter().map(|what| format!("{}: leaving: {what}", scenario.name)).collect();
    (wrong, sites.len())
}

/// What is still wrong after a while.
fn settled(unrest: impl Fn() -> Option<String>) -> Option<String> {
    for _ in 0..CLOSING.as_millis() / 5 {
        unrest()?;
        std::thread::sleep(Duration::from_millis(5));
    }
    unrest()
}

/// Runs all scenarios with this fault, two at a time.
fn exhaust(fault: Fault, with: impl Fn(&Scenario, Fault, usize) -> (Vec<String>, usize) + Sync) {
    let scenarios = scenario::all();
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut wrong, mut places) = (Vec::new(), 0);
        while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::SeqCst)) {
            let steps = steps(scenario);
            let (more, tried) = with(scenario, fault, steps);
            println!("{}: {fault:?} at each of {steps} steps: {} wrong", scenario.name, more.len());
            wrong.extend(more);
            places += tried;
        }
        (wrong, places)
    };
    let (wrong, places): (Vec<_>, Vec<_>) = std::thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.into_iter().map(|worker| worker.join().expect("no panic")).unzip()
    });
    let (wrong, places) = (wrong.concat(), places.iter().sum::<usize>());
    println!("{} scenarios, {fault:?} at {places} places: {} wrong", scenarios.len(), wrong.len());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn an_error_at_every_step() {
    exhaust(Fault::Error, with_fault);
}

#[test]
fn the_end_at_every_step() {
    exhaust(Fault::Eof, with_fault);
}

#[test]
fn one_byte_at_a_time_from_every_step_on() {
    exhaust(Fault::Short, with_fault);
}

#[test]
fn a_stall_at_every_step() {
    exhaust(Fault::Stall, with_fault);
}

#[test]
fn leaving_at_every_step() {
    exhaust(Fault::Cancel, with_leaving);
}

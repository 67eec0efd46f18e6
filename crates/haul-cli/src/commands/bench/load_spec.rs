//! What was asked for, as far as it makes a load what it is: told with the answer, and compared with an earlier one's. Pure.
//!
//! Invariant: no secret is in it. Of most headers the names alone are told, of bodies the size and the digest; URLs have lost
//! their credentials before, and their queries here.

use std::fmt::Write;
use std::time::Duration;

use haul::config::{Config, FamilyPreference, NetworkSettings, Timeouts};
use http::header::{ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE, HOST, RANGE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::args::LoadPlan;
use super::figures::rate;
use crate::shared::experiment::Target;
use crate::shared::page::{NamedValues, shown};

/// The fields' names are those of the JSON object.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct LoadSpec {
    /// The first URL, without its query.
    pub(super) url: String,
    pub(super) urls: usize,
    /// Of all URLs in order, and of what is different about each.
    pub(super) urls_sha256: String,
    pub(super) method: String,
    pub(super) headers: Vec<String>,
    pub(super) body: Option<BodyDigest>,
    pub(super) protocol: &'static str,
    /// Whether connections are used again.
    pub(super) reuse: bool,
    /// What else is not as it would be without flags: how hosts are reached.
    pub(super) network: Vec<String>,
    pub(super) timeouts_s: TimeoutSeconds,
    pub(super) connections: u32,
    /// Requests at once on each.
    pub(super) streams: u32,
    /// That fetch.
    pub(super) threads: usize,
    pub(super) warm_up_s: f64,
    /// Of an open loop: its rates, and how they are made.
    pub(super) rates_per_s: Vec<f64>,
    pub(super) arrivals: Option<&'static str>,
    pub(super) seed: Option<u64>,
}

/// A body, without what it says.
#[derive(Clone, Debug, Serialize)]
pub(super) struct BodyDigest {
    bytes: usize,
    sha256: String,
}

/// Time-outs.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct TimeoutSeconds {
    total: f64,
    dns: f64,
    connect: f64,
    tls: f64,
    first_byte: f64,
    idle: f64,
}

impl LoadSpec {
    /// `targets`: at least one.
    pub(super) fn new(targets: &[Target], config: &Config, load: &LoadPlan) -> Self {
        let plan = load.plan();
        let (request, network) = (&config.request, &config.network);
        Self {
            url: shown(targets[0].url.as_str()),
            urls: targets.len(),
            urls_sha256: hex(targets.iter().fold(Sha256::new(), digest)),
            method: request.method.to_string(),
            headers: headers(&request.headers),
            body: request.body.as_deref().map(BodyDigest::of),
            protocol: match (network.http1_only, network.http2_prior_knowledge) {
                (true, _) => "HTTP/1.1",
                (false, true) => "HTTP/2",
                (false, false) => "negotiated",
            },
            reuse: config.pool.reuse,
            network: unusual(config),
            timeouts_s: TimeoutSeconds::of(&config.timeouts),
            connections: config.pool.max_h2_connections,
            streams: config.pool.max_h2_streams,
            threads: config.limits.shards,
            warm_up_s: load.warm_up().as_secs_f64(),
            rates_per_s: plan.iter().flat_map(|plan| &plan.rates).map(|rate| rate.per_second()).collect(),
            arrivals: plan.map(|plan| plan.arrivals.name()),
            seed: plan.map(|plan| plan.seed),
        }
    }
}

impl LoadSpec {
    /// The load itself for the reader of a page, which has the other settings.
    pub(super) fn facts(&self) -> NamedValues {
        let Self { urls, connections, streams, warm_up_s, rates_per_s, arrivals, seed, .. } = self;
        let at_once = match streams {
            1 => format!("{connections} connections"),
            _ => format!("{connections} connections of {streams} streams"),
        };
        let load = match rates_per_s.as_slice() {
            [] => format!("closed loop over {at_once}"),
            [only] => format!("open loop, {}, up to {at_once}", rate(*only)),
            [first, .., last] => format!("open loop, {} to {}, up to {at_once}", rate(*first), rate(*last)),
        };
        let arrivals = arrivals.zip(*seed).map(|(arrivals, seed)| ("arrivals", format!("{arrivals}, seed {seed}")));
        [Some(("load", load)), arrivals, Some(("URLs", urls.to_string())), Some(("warm-up", format!("{warm_up_s} s")))]
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

impl BodyDigest {
    pub(super) fn of(body: &[u8]) -> Self {
        Self { bytes: body.len(), sha256: hex(Sha256::new_with_prefix(body)) }
    }
}

impl TimeoutSeconds {
    fn of(timeouts: &Timeouts) -> Self {
        let Timeouts { dns, connect, tls, first_byte, idle, total, .. } = timeouts;
        let [total, dns, connect, tls, first_byte, idle] =
            [total, dns, connect, tls, first_byte, idle].map(Duration::as_secs_f64);
        Self { total, dns, connect, tls, first_byte, idle }
    }
}

/// Adds a URL and how its request differs from the others. Each part ends where no part can go on.
fn digest(mut all: Sha256, target: &Target) -> Sha256 {
    all.update(target.url.as_str());
    if let Some(overrides) = &target.overrides {
        let method = overrides.method.as_ref().map_or("", |method| method.as_str());
        let body = overrides.body.as_deref().map(BodyDigest::of).map(|body| body.sha256).unwrap_or_default();
        all.update(format!("\n{method}\n{body}\n{:?}", overrides.timeout));
        for (name, value) in &overrides.headers {
            all.update(format!("\n{name}\n"));
            all.update(value);
        }
    }
    all.update("\n\n");
    all
}

fn hex(digest: Sha256) -> String {
    let mut text = String::new();
    for byte in digest.finalize() {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn headers(headers: &HeaderMap) -> Vec<String> {
    let shown = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let one = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = if may_be_secret(name, value) { "…".to_owned() } else { shown(value) };
        format!("{name}: {value}")
    };
    headers.iter().map(one).collect()
}

/// In any other header there may be something that only some may know.
const HARMLESS: [HeaderName; 8] =
    [ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE, HOST, RANGE, USER_AGENT];

fn may_be_secret(name: &HeaderName, value: &HeaderValue) -> bool {
    value.is_sensitive() || !HARMLESS.contains(name)
}

/// How hosts are reached, where that is not as without flags.
fn unusual(config: &Config) -> Vec<String> {
    let NetworkSettings { family, public_only, egress, unix_socket, resolve, connect_to, .. } = &config.network;
    let mut texts = Vec::new();
    texts.extend((*family == FamilyPreference::Ipv4Only).then(|| "IPv4 only".to_owned()));
    texts.extend((*family == FamilyPreference::Ipv6Only).then(|| "IPv6 only".to_owned()));
    texts.extend(public_only.then(|| "public addresses only".to_owned()));
    texts.extend(egress.iter().filter_map(|egress| egress.local_address).map(|address| format!("from {address}")));
    texts.extend(unix_socket.iter().map(|path| format!("by the socket {}", path.display())));
    texts.extend(config.dns.servers.iter().map(|server| format!("name server {server}")));
    texts.extend(resolve.iter().map(|rule| {
        let addresses: Vec<_> = rule.addresses.iter().map(ToString::to_string).collect();
        format!("{}:{} at {}", rule.host.as_deref().unwrap_or("*"), rule.port, addresses.join(", "))
    }));
    let port = |port: Option<u16>| port.map_or_else(String::new, |port| port.to_string());
    texts.extend(connect_to.iter().map(|rule| {
        let (from, to) = (rule.from_host.as_deref().unwrap_or(""), rule.to_host.as_deref().unwrap_or(""));
        format!("{from}:{} to {to}:{}", port(rule.from_port), port(rule.to_port))
    }));
    texts.extend((config.timeouts.min_rate > 0).then(|| format!("at least {} B/s", config.timeouts.min_rate)));
    texts.extend(config.tls.insecure.then(|| "any certificate".to_owned()));
    texts.extend(config.tls.client_certificate.is_some().then(|| "a client certificate".to_owned()));
    texts
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use haul::model::RequestOverrides;
    use http::Method;

    use super::*;
    use crate::commands::bench::closed_loop::tests::targets;

    const CLOSED: LoadPlan = LoadPlan::Closed { requests: None, lasts: None, warm_up: Duration::from_secs(1) };

    fn asked(change: impl FnOnce(&mut Vec<Target>, &mut Config)) -> serde_json::Value {
        let (mut targets, mut config) = (targets(), Config::default());
        change(&mut targets, &mut config);
        serde_json::to_value(LoadSpec::new(&targets, &config, &CLOSED)).expect("JSON")
    }

    #[test]
    fn whatever_changes_the_load_is_told() {
        let plain = asked(|_, _| {});
        assert_eq!(
            (&plain["method"], &plain["protocol"], &plain["warm_up_s"]),
            (&"GET".into(), &"negotiated".into(), &1.0.into())
        );
        let differs = |field: &str, change: fn(&mut Vec<Target>, &mut Config)| {
            let now = asked(change);
            let fields = now.as_object().expect("an object").iter();
            let differ: Vec<_> =
                fields.filter(|(name, value)| plain[name.as_str()] != **value).map(|(name, _)| name).collect();
            assert_eq!(differ, [field]);
        };
        differs("method", |_, config| config.request.method = Method::PUT);
        differs("headers", |_, config| _ = config.request.headers.insert("accept", HeaderValue::from_static("*/*")));
        differs("body", |_, config| config.request.body = Some("text".into()));
        differs("protocol", |_, config| config.network.http1_only = true);
        differs("reuse", |_, config| config.pool.reuse = false);
        differs("threads", |_, config| config.limits.shards = 7);
        differs("timeouts_s", |_, config| config.timeouts.connect = Duration::from_millis(1));
        differs("network", |_, config| config.network.unix_socket = Some("/run/x".into()));
        differs("network", |_, config| config.dns.servers = vec!["192.0.2.1:53".parse().expect("an address")]);
        differs("urls_sha256", |targets, _| targets[1] = targets[0].clone());
        differs("urls_sha256", |targets, _| {
            let overrides = RequestOverrides { method: Some(Method::HEAD), ..RequestOverrides::default() };
            targets[1].overrides = Some(Arc::new(overrides));
        });
    }

    #[test]
    fn bodies_and_what_only_some_may_know_are_not_written() {
        let mut config = Config::default();
        for name in ["authorization", "cookie", "x-api-key", "x-jwt-assertion", "x-user"] {
            config.request.headers.insert(name, HeaderValue::from_static("s3cret"));
        }
        let mut marked = HeaderValue::from_static("s3cret");
        marked.set_sensitive(true);
        config.request.headers.insert("x-a", marked);
        config.request.headers.insert("accept", HeaderValue::from_static("text/html"));
        config.request.body = Some("id=s3cret".into());
        let text = serde_json::to_string(&LoadSpec::new(&targets(), &config, &CLOSED)).expect("JSON");
        assert!(!text.contains("s3cret"), "{text}");
        for part in ["\"accept: text/html\"", "\"authorization: …\"", "\"bytes\":9"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn the_digest_is_the_one_that_everybody_has() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(BodyDigest::of(b"abc").sha256, abc);
    }
}

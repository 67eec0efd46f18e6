//! A run's settings for the reader of its report. Pure.
//!
//! Of headers the names alone, of bodies the size, of files their number: a report is passed on.

use std::fmt::Display;
use std::time::Duration;

use haul::config::{Config, FamilyPreference};
use humantime::format_duration;
use indicatif::{HumanBytes, HumanCount};

use super::NamedValues;

/// The settings that say how a run fetched.
pub(crate) fn settings(config: &Config) -> NamedValues {
    let mut facts = limits(config);
    facts.extend(requests(config));
    facts.extend(time_outs(config));
    facts.extend(network(config));
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn limits(config: &Config) -> Vec<(&'static str, String)> {
    let limits = &config.limits;
    let threads = if limits.shards == 0 { "one per core".to_owned() } else { limits.shards.to_string() };
    vec![
        ("in flight, all hosts", HumanCount(limits.concurrency.get().into()).to_string()),
        ("in flight per host", HumanCount(limits.per_host.get().into()).to_string()),
        ("in flight per address", or_none(limits.per_address)),
        ("in flight per site", or_none(limits.per_site)),
        ("starts, all hosts", or_none(limits.rate.map(|rate| format!("{}/s", rate.per_second())))),
        ("starts per host", or_none(limits.host_rate.map(|rate| format!("{}/s", rate.per_second())))),
        ("delay between starts on a host", time(limits.delay)),
        ("follows what a host stands", yes(limits.adaptive)),
        ("rules for hosts", limits.rules.len().to_string()),
        ("threads that fetch", threads),
        ("read ahead", format!("{} URLs", HumanCount(limits.window as u64))),
        ("memory", or_none(limits.max_memory.map(HumanBytes))),
    ]
}

fn requests(config: &Config) -> Vec<(&'static str, String)> {
    let (request, retries, body) = (&config.request, &config.retries, &config.body);
    let names: Vec<_> = request.headers.keys().map(http::HeaderName::as_str).collect();
    vec![
        ("method", request.method.to_string()),
        ("headers", or_none((!names.is_empty()).then(|| names.join(", ")))),
        ("body", or_none(request.body.as_ref().map(|body| HumanBytes(body.len() as u64)))),
        ("redirects followed", request.max_redirects.to_string()),
        ("retries", retries.retries.to_string()),
        (
            "a host is dead after",
            if retries.dead_after == 0 { "never".to_owned() } else { retries.dead_after.to_string() + " failures" },
        ),
        ("bodies decoded", yes(body.decode)),
    ]
}

fn time_outs(config: &Config) -> Vec<(&'static str, String)> {
    let times = &config.timeouts;
    vec![
        ("time-out of an attempt", time(times.total)),
        ("time-out of a name", time(times.dns)),
        ("time-out of a connection", time(times.connect)),
        ("time-out of TLS", time(times.tls)),
        ("time-out of the first byte", time(times.first_byte)),
        ("time-out between reads", time(times.idle)),
    ]
}

fn network(config: &Config) -> Vec<(&'static str, String)> {
    let (network, pool) = (&config.network, &config.pool);
    let protocol = match (network.http1_only, network.http2_prior_knowledge) {
        (true, _) => "HTTP/1.1 only",
        (false, true) => "HTTP/2, without asking",
        (false, false) => "HTTP/2 where offered, else HTTP/1.1",
    };
    let family = match network.family {
        FamilyPreference::Both => "IPv4 and IPv6",
        FamilyPreference::Ipv4Only => "IPv4",
        FamilyPreference::Ipv6Only => "IPv6",
    };
    vec![
        ("protocol", protocol.to_owned()),
        ("HTTP/2 connections per host", pool.max_h2_connections.to_string()),
        ("HTTP/2 streams per connection", pool.max_h2_streams.to_string()),
        ("connections used again", yes(pool.reuse)),
        ("addresses", family.to_owned()),
        ("public addresses only", yes(network.public_only)),
        ("any certificate accepted", yes(config.tls.insecure)),
    ]
}

fn or_none(value: Option<impl Display>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

fn time(time: Duration) -> String {
    format_duration(time).to_string()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn no_header_s_value_and_no_body_is_told() {
        let mut config = Config::default();
        config.request.headers.insert(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer s3cret"));
        config.request.headers.insert(http::header::COOKIE, HeaderValue::from_static("id=s3cret"));
        config.request.body = Some("password=s3cret".into());
        let text = format!("{:?}", settings(&config));
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains("authorization, cookie") && text.contains("15 B"), "{text}");
    }
}

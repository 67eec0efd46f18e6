//! What the library's settings are called on the command line.

use std::borrow::Cow;

use haul::config::Setting;

/// The flag of a setting.
pub(crate) fn flag(setting: Setting) -> &'static str {
    match setting {
        Setting::Concurrency => "--concurrency",
        Setting::PerAddress => "--per-address",
        Setting::Shards => "--shards",
        Setting::MaxMemory => "--max-memory",
        Setting::FirstByteTimeout => "--first-byte-timeout",
        Setting::IdleTimeout => "--idle-timeout",
        Setting::TotalTimeout => "--timeout",
        Setting::MinRate => "--min-rate",
        Setting::DeadAfter => "--dead-after",
        Setting::MaxRedirects => "--max-redirects",
        Setting::MaxWire => "--max-wire",
        Setting::MaxDecoded | Setting::MaxKept => "--max-body",
        Setting::MaxRatio => "--max-ratio",
        Setting::MaxHead => "--max-head",
        Setting::MaxHeaders => "--max-headers",
        Setting::Family => "--ipv4/--ipv6",
        Setting::Ipv4Only => "--ipv4",
        Setting::Ipv6Only => "--ipv6",
        Setting::Resolve => "--resolve",
        Setting::ConnectTo => "--connect-to",
        Setting::Egress => "--local-address",
        Setting::Http1Only => "--http1.1",
        Setting::Http2PriorKnowledge => "--http2-prior-knowledge",
        Setting::PublicOnly => "--public-only",
        Setting::UnixSocket => "--unix-socket",
        Setting::DnsServers => "--dns-server",
        Setting::CaFiles => "--cacert FILE",
        Setting::Insecure => "--insecure",
        Setting::ClientCertificate => "--cert",
        Setting::ClientKey => "--key",
        // One that is not known here has the library's name.
        other => other.name(),
    }
}

/// A message of the library's that names flags in place of settings.
pub(crate) fn with_flags(message: &str) -> Cow<'_, str> {
    Setting::rename(message, flag)
}

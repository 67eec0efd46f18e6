//! The settings that messages name, and how another front end has them named its way.
//!
//! The library does not know what its users call a setting: a flag, a keyword argument, a field. So a message names it by its path
//! in [`Config`], between backticks, and whoever shows the message puts its own name in that place ([`Setting::rename`]).
//!
//! [`Config`]: super::Config

use std::borrow::Cow;
use std::fmt;

use crate::model::named;

named! {
    /// A setting that a message may name. Its name is its path in [`Config`](super::Config).
    #[non_exhaustive]
    pub enum Setting {
        /// [`Limits::concurrency`](super::Limits::concurrency).
        Concurrency = "limits.concurrency",
        /// [`Limits::per_address`](super::Limits::per_address).
        PerAddress = "limits.per_address",
        /// [`Limits::shards`](super::Limits::shards).
        Shards = "limits.shards",
        /// [`Limits::max_memory`](super::Limits::max_memory).
        MaxMemory = "limits.max_memory",
        /// [`Timeouts::first_byte`](super::Timeouts::first_byte).
        FirstByteTimeout = "timeouts.first_byte",
        /// [`Timeouts::idle`](super::Timeouts::idle).
        IdleTimeout = "timeouts.idle",
        /// [`Timeouts::total`](super::Timeouts::total).
        TotalTimeout = "timeouts.total",
        /// [`Timeouts::min_rate`](super::Timeouts::min_rate).
        MinRate = "timeouts.min_rate",
        /// [`RetrySettings::dead_after`](super::RetrySettings::dead_after).
        DeadAfter = "retries.dead_after",
        /// [`RequestSettings::max_redirects`](super::RequestSettings::max_redirects).
        MaxRedirects = "request.max_redirects",
        /// [`BodySettings::max_wire`](super::BodySettings::max_wire).
        MaxWire = "body.max_wire",
        /// [`BodySettings::max_decoded`](super::BodySettings::max_decoded).
        MaxDecoded = "body.max_decoded",
        /// [`BodySettings::max_kept`](super::BodySettings::max_kept).
        MaxKept = "body.max_kept",
        /// [`BodySettings::max_ratio`](super::BodySettings::max_ratio).
        MaxRatio = "body.max_ratio",
        /// [`BodySettings::max_head`](super::BodySettings::max_head).
        MaxHead = "body.max_head",
        /// [`BodySettings::max_headers`](super::BodySettings::max_headers).
        MaxHeaders = "body.max_headers",
        /// [`NetworkSettings::family`](super::NetworkSettings::family).
        Family = "network.family",
        /// [`FamilyPreference::Ipv4Only`](super::FamilyPreference::Ipv4Only).
        Ipv4Only = "FamilyPreference::Ipv4Only",
        /// [`FamilyPreference::Ipv6Only`](super::FamilyPreference::Ipv6Only).
        Ipv6Only = "FamilyPreference::Ipv6Only",
        /// [`NetworkSettings::resolve`](super::NetworkSettings::resolve).
        Resolve = "network.resolve",
        /// [`NetworkSettings::connect_to`](super::NetworkSettings::connect_to).
        ConnectTo = "network.connect_to",
        /// [`NetworkSettings::egress`](super::NetworkSettings::egress).
        Egress = "network.egress",
        /// [`NetworkSettings::http1_only`](super::NetworkSettings::http1_only).
        Http1Only = "network.http1_only",
        /// [`NetworkSettings::http2_prior_knowledge`](super::NetworkSettings::http2_prior_knowledge).
        Http2PriorKnowledge = "network.http2_prior_knowledge",
        /// [`NetworkSettings::public_only`](super::NetworkSettings::public_only).
        PublicOnly = "network.public_only",
        /// [`NetworkSettings::unix_socket`](super::NetworkSettings::unix_socket).
        UnixSocket = "network.unix_socket",
        /// [`DnsSettings::servers`](super::DnsSettings::servers).
        DnsServers = "dns.servers",
        /// [`TlsSettings::ca_files`](super::TlsSettings::ca_files).
        CaFiles = "tls.ca_files",
        /// [`TlsSettings::insecure`](super::TlsSettings::insecure).
        Insecure = "tls.insecure",
        /// [`TlsSettings::client_certificate`](super::TlsSettings::client_certificate).
        ClientCertificate = "tls.client_certificate",
        /// [`TlsSettings::client_key`](super::TlsSettings::client_key).
        ClientKey = "tls.client_key",
    }
}

impl Setting {
    /// `message` with each setting that it names between backticks named by `name`, without them.
    ///
    /// ```
    /// # extern crate haul_core as haul;
    /// use haul::config::Setting;
    ///
    /// let message = "no complete response head within 10s (`timeouts.first_byte`)";
    /// let keyword = |setting| match setting {
    ///     Setting::FirstByteTimeout => "first_byte_timeout=",
    ///     other => other.name(),
    /// };
    /// assert_eq!(Setting::rename(message, keyword), "no complete response head within 10s (first_byte_timeout=)");
    /// ```
    pub fn rename<'m>(message: &'m str, name: impl Fn(Self) -> &'static str) -> Cow<'m, str> {
        let mut renamed = Cow::Borrowed("");
        let mut rest = message;
        while let Some((before, setting, after)) = Self::first_in(rest) {
            renamed.to_mut().extend([before, name(setting)]);
            rest = after;
        }
        match renamed {
            Cow::Borrowed(_) => Cow::Borrowed(message),
            Cow::Owned(renamed) => Cow::Owned(renamed + rest),
        }
    }

    /// The settings that `message` names, in their order.
    ///
    /// ```
    /// # extern crate haul_core as haul;
    /// use haul::config::Setting;
    ///
    /// let message = "a body of more than 100 bytes is not kept (`body.max_kept`, `limits.max_memory`)";
    /// assert!(Setting::named_in(message).eq([Setting::MaxKept, Setting::MaxMemory]));
    /// ```
    pub fn named_in(message: &str) -> impl Iterator<Item = Self> {
        let mut rest = message;
        std::iter::from_fn(move || {
            let (_, setting, after) = Self::first_in(rest)?;
            rest = after;
            Some(setting)
        })
    }

    /// The first setting that `text` names, and what stands before and after it.
    fn first_in(text: &str) -> Option<(&str, Self, &str)> {
        text.match_indices('`').find_map(|(at, _)| {
            let (name, after) = text[at + 1..].split_once('`')?;
            let setting = Self::ALL.iter().find(|setting| setting.name() == name)?;
            Some((&text[..at], *setting, after))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_setting_between_backticks_is_renamed() {
        let shout = |setting: Setting| if setting == Setting::Insecure { "INSECURE" } else { "OTHER" };
        for (message, expected) in [
            ("", ""),
            ("tls.insecure", "tls.insecure"),
            ("`tls.insecure`", "INSECURE"),
            ("a `b` c `tls.insecure`, `limits.shards`!", "a `b` c INSECURE, OTHER!"),
            ("`tls.insecure``tls.insecure`", "INSECUREINSECURE"),
            ("`tls.insecure", "`tls.insecure"),
            ("``tls.insecure`", "`INSECURE"),
            ("` `é` `tls.insecure` `", "` `é` INSECURE `"),
        ] {
            assert_eq!(Setting::rename(message, shout), expected, "{message}");
        }
        assert_eq!(Setting::rename("`tls.insecure`", |_| ""), "");
    }
}

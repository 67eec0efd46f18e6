//! Which hosts belong together: the registrable domain (eTLD+1), or the address itself.

/// The registrable domain of `host` (`a.b.example.co.uk` → `example.co.uk`) by the Public Suffix List; an address
/// or a name without one is its own site.
///
/// ```
/// # extern crate haul_core as haul;
/// use haul::model::site_of;
///
/// assert_eq!(site_of("www.shop.co.uk"), "shop.co.uk");
/// assert_eq!(site_of("127.0.0.1"), "127.0.0.1");
/// ```
#[must_use]
pub fn site_of(host: &str) -> &str {
    if host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok() {
        return host;
    }
    psl::domain_str(host).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_one_owner_share_a_site_and_addresses_are_their_own() {
        assert_eq!(site_of("a.b.example.co.uk"), "example.co.uk");
        assert_eq!(site_of("www.example.com"), "example.com");
        assert_eq!(site_of("127.0.0.1"), "127.0.0.1");
        assert_eq!(site_of("[::1]"), "[::1]");
        assert_eq!(site_of("localhost"), "localhost");
    }
}

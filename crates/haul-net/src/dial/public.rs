//! Is this address on the public internet? Pure.
//!
//! Owns the table of the addresses that are not, from IANA's registries of special-purpose addresses (RFC 6890 and its
//! successors), and of those that clouds have taken out of their public space for services to their own machines: metadata,
//! name servers, the platform's interfaces. (Most of these are link-local, private or shared.) IPv6 is refused unless it is assigned: outside `2000::/3` nothing is anybody's public address (RFC 4291
//! §2.4), but for the prefix of NAT64.
//!
//! Invariant: an address that a translator turns into an IPv4 address (NAT64) is public only if that one is. Networks with
//! IPv6 alone reach all of IPv4 this way, so these can't be refused altogether; other forms of IPv4 addresses are.
//!
//! It must not know where an address came from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses that are not on the public internet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SpecialPurposeRange {
    first: IpAddr,
    prefix: u32,
    /// What they are: goes on after "… is".
    pub(super) what: &'static str,
    /// Who says so.
    pub(super) source: &'static str,
}

const fn v4(a: u8, b: u8, c: u8, prefix: u32, what: &'static str, source: &'static str) -> SpecialPurposeRange {
    SpecialPurposeRange { first: IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), prefix, what, source }
}

const fn v6(head: [u16; 4], prefix: u32, what: &'static str, source: &'static str) -> SpecialPurposeRange {
    let [a, b, c, d] = head;
    SpecialPurposeRange { first: IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)), prefix, what, source }
}

const PLATFORM: &str = "of a cloud's platform";

const fn host(a: u8, b: u8, c: u8, d: u8, prefix: u32, source: &'static str) -> SpecialPurposeRange {
    SpecialPurposeRange { first: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix, what: PLATFORM, source }
}

/// The first that holds an address counts.
///
/// Some blocks have reachable pieces in the registries (anycast of PCP, TURN, AMT and AS112, ORCHIDv2). None of those
/// serves HTTP to anyone; the whole block is refused.
const REFUSED: [SpecialPurposeRange; 45] = [
    v4(0, 0, 0, 8, "of \"this network\"", "RFC 791 §3.2"),
    v4(10, 0, 0, 8, "private", "RFC 1918"),
    v4(100, 64, 0, 10, "shared behind a carrier's NAT", "RFC 6598"),
    v4(127, 0, 0, 8, "loopback", "RFC 1122 §3.2.1.3"),
    v4(161, 26, 0, 16, PLATFORM, "IBM Cloud: services of the infrastructure"),
    v4(166, 8, 0, 14, PLATFORM, "IBM Cloud: private service endpoints"),
    host(168, 63, 129, 16, 32, "Azure: agents, name server and health probes of a virtual machine"),
    v4(169, 254, 0, 16, "link-local", "RFC 3927"),
    v4(172, 16, 0, 12, "private", "RFC 1918"),
    v4(192, 0, 0, 24, "reserved for protocols", "RFC 6890 §2.1"),
    v4(192, 0, 2, 24, "for documentation", "RFC 5737"),
    v4(192, 88, 99, 24, "a 6to4 relay", "RFC 7526"),
    v4(192, 168, 0, 16, "private", "RFC 1918"),
    v4(198, 18, 0, 15, "for benchmarks", "RFC 2544"),
    v4(198, 51, 100, 24, "for documentation", "RFC 5737"),
    host(199, 36, 153, 4, 30, "Google Cloud: restricted.googleapis.com"),
    host(199, 36, 153, 8, 30, "Google Cloud: private.googleapis.com"),
    v4(203, 0, 113, 24, "for documentation", "RFC 5737"),
    v4(224, 0, 0, 4, "multicast", "RFC 5771"),
    SpecialPurposeRange { first: IpAddr::V4(Ipv4Addr::BROADCAST), prefix: 32, what: "broadcast", source: "RFC 919" },
    v4(240, 0, 0, 4, "reserved", "RFC 1112 §4"),
    SpecialPurposeRange {
        first: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        prefix: 128,
        what: "unspecified",
        source: "RFC 4291 §2.5.2",
    },
    SpecialPurposeRange {
        first: IpAddr::V6(Ipv6Addr::LOCALHOST),
        prefix: 128,
        what: "loopback",
        source: "RFC 4291 §2.5.3",
    },
    v6([0, 0, 0, 0], 96, "IPv4 in a form given up", "RFC 4291 §2.5.5.1"),
    SpecialPurposeRange {
        first: IpAddr::V6(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped()),
        prefix: 96,
        what: "IPv4 written as IPv6",
        source: "RFC 4291 §2.5.5.2",
    },
    v6([0x64, 0xff9b, 1, 0], 48, "of a local translator", "RFC 8215"),
    v6([0x100, 0, 0, 0], 64, "for discarding", "RFC 6666"),
    v6([0x2001, 0, 0, 0], 32, "Teredo", "RFC 4380"),
    v6([0x2001, 2, 0, 0], 48, "for benchmarks", "RFC 5180"),
    v6([0x2001, 0x10, 0, 0], 28, "an identifier (ORCHID)", "RFC 4843"),
    v6([0x2001, 0x20, 0, 0], 28, "an identifier (ORCHID)", "RFC 7343"),
    v6([0x2001, 0, 0, 0], 23, "reserved for protocols", "RFC 2928"),
    v6([0x2001, 0xdb8, 0, 0], 32, "for documentation", "RFC 3849"),
    v6([0x2002, 0, 0, 0], 16, "IPv4 in a form given up (6to4)", "RFC 7526"),
    v6([0x2600, 0x2d00, 2, 0x1000], 64, PLATFORM, "Google Cloud: restricted.googleapis.com"),
    v6([0x2600, 0x2d00, 2, 0x2000], 64, PLATFORM, "Google Cloud: private.googleapis.com"),
    v6([0x3fff, 0, 0, 0], 20, "for documentation", "RFC 9637"),
    v6([0x5f00, 0, 0, 0], 16, "a segment's identifier (SRv6)", "RFC 9602"),
    v6([0xfc00, 0, 0, 0], 7, "private", "RFC 4193"),
    v6([0xfe80, 0, 0, 0], 10, "link-local", "RFC 4291 §2.5.6"),
    v6([0xfec0, 0, 0, 0], 10, "site-local", "RFC 3879"),
    v6([0xff00, 0, 0, 0], 8, "multicast", "RFC 4291 §2.7"),
    // What is left on both sides of 2000::/3.
    v6([0, 0, 0, 0], 3, "assigned to nobody", "RFC 4291 §2.4"),
    v6([0x4000, 0, 0, 0], 2, "assigned to nobody", "RFC 4291 §2.4"),
    v6([0x8000, 0, 0, 0], 1, "assigned to nobody", "RFC 4291 §2.4"),
];

/// The last 32 bits are the IPv4 address that a translator connects to.
const NAT64: SpecialPurposeRange = v6([0x64, 0xff9b, 0, 0], 96, "NAT64", "RFC 6052");

impl SpecialPurposeRange {
    const fn holds(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                (first.to_bits() ^ address.to_bits()) >> (32 - self.prefix) == 0
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                (first.to_bits() ^ address.to_bits()) >> (128 - self.prefix) == 0
            }
            _ => false,
        }
    }
}

/// Whether `address` is on the public internet, as far as its number tells: not loopback, private, link-local, shared,
/// multicast, reserved, for documentation or benchmarks, nor an IPv4 address in another form (mapped, compatible, 6to4,
/// Teredo). An address of NAT64 (`64:ff9b::/96`) is what the IPv4 address in it is.
///
/// For an address filter with exceptions; without any, [`NetworkSettings::public_only`] is simpler.
///
/// ```
/// use std::net::IpAddr;
/// # use haul_net::dial::is_public;
///
/// let staging = IpAddr::from([10, 1, 2, 3]);
/// let may_be_asked = move |address| is_public(address) || address == staging;
/// assert!(may_be_asked(staging) && !may_be_asked(IpAddr::from([10, 1, 2, 4])));
/// ```
///
/// [`NetworkSettings::public_only`]: haul_core::config::NetworkSettings::public_only
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    refused(address).is_none()
}

/// The range because of which `address` is not public.
pub(super) fn refused(address: IpAddr) -> Option<&'static SpecialPurposeRange> {
    let meant = stands_for(address).map_or(address, IpAddr::V4);
    REFUSED.iter().find(|range| range.holds(meant))
}

/// The IPv4 address that the network makes of this one.
pub(super) fn stands_for(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V6(v6) if NAT64.holds(address) => {
            let [.., a, b, c, d] = v6.octets();
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn what(text: &str) -> Option<&'static str> {
        refused(ip(text)).map(|range| range.what)
    }

    /// Each range: the address before it, its first, its last, the one after it, and what the four are. The addresses
    /// come from the registries, not from the table.
    #[test]
    fn every_range_ends_where_its_registry_says() {
        const PUBLIC: Option<&str> = None;
        let doc = Some("for documentation");
        let nobody = Some("assigned to nobody");
        let protocols = Some("reserved for protocols");
        let v4_form = Some("IPv4 in a form given up");
        let orchid = Some("an identifier (ORCHID)");
        let private = Some("private");
        let platform = Some(PLATFORM);
        for (addresses, first, inside, after) in [
            ("- 0.0.0.0 0.255.255.255 1.0.0.0", PUBLIC, Some("of \"this network\""), PUBLIC),
            ("9.255.255.255 10.0.0.0 10.255.255.255 11.0.0.0", PUBLIC, private, PUBLIC),
            (
                "100.63.255.255 100.64.0.0 100.127.255.255 100.128.0.0",
                PUBLIC,
                Some("shared behind a carrier's NAT"),
                PUBLIC,
            ),
            ("126.255.255.255 127.0.0.0 127.255.255.255 128.0.0.0", PUBLIC, Some("loopback"), PUBLIC),
            ("161.25.255.255 161.26.0.0 161.26.255.255 161.27.0.0", PUBLIC, platform, PUBLIC),
            ("166.7.255.255 166.8.0.0 166.11.255.255 166.12.0.0", PUBLIC, platform, PUBLIC),
            ("168.63.129.15 168.63.129.16 168.63.129.16 168.63.129.17", PUBLIC, platform, PUBLIC),
            ("199.36.153.3 199.36.153.4 199.36.153.7 199.36.153.8", PUBLIC, platform, platform),
            ("199.36.153.7 199.36.153.8 199.36.153.11 199.36.153.12", platform, platform, PUBLIC),
            (
                "2600:2d00:2:fff:ffff:: 2600:2d00:2:1000:: 2600:2d00:2:1000:ffff:ffff:ffff:ffff 2600:2d00:2:1001::",
                PUBLIC,
                platform,
                PUBLIC,
            ),
            (
                "2600:2d00:2:1fff:ffff:: 2600:2d00:2:2000:: 2600:2d00:2:2000:ffff:ffff:ffff:ffff 2600:2d00:2:2001::",
                PUBLIC,
                platform,
                PUBLIC,
            ),
            ("169.253.255.255 169.254.0.0 169.254.255.255 169.255.0.0", PUBLIC, Some("link-local"), PUBLIC),
            ("172.15.255.255 172.16.0.0 172.31.255.255 172.32.0.0", PUBLIC, private, PUBLIC),
            ("191.255.255.255 192.0.0.0 192.0.0.255 192.0.1.0", PUBLIC, protocols, PUBLIC),
            ("192.0.1.255 192.0.2.0 192.0.2.255 192.0.3.0", PUBLIC, doc, PUBLIC),
            ("192.88.98.255 192.88.99.0 192.88.99.255 192.88.100.0", PUBLIC, Some("a 6to4 relay"), PUBLIC),
            ("192.167.255.255 192.168.0.0 192.168.255.255 192.169.0.0", PUBLIC, private, PUBLIC),
            ("198.17.255.255 198.18.0.0 198.19.255.255 198.20.0.0", PUBLIC, Some("for benchmarks"), PUBLIC),
            ("198.51.99.255 198.51.100.0 198.51.100.255 198.51.101.0", PUBLIC, doc, PUBLIC),
            ("203.0.112.255 203.0.113.0 203.0.113.255 203.0.114.0", PUBLIC, doc, PUBLIC),
            ("223.255.255.255 224.0.0.0 239.255.255.255 240.0.0.0", PUBLIC, Some("multicast"), Some("reserved")),
            (
                "239.255.255.255 240.0.0.0 255.255.255.254 255.255.255.255",
                Some("multicast"),
                Some("reserved"),
                Some("broadcast"),
            ),
            ("255.255.255.254 255.255.255.255 255.255.255.255 -", Some("reserved"), Some("broadcast"), PUBLIC),
            ("- :: :: ::1", PUBLIC, Some("unspecified"), Some("loopback")),
            (":: ::1 ::1 ::2", Some("unspecified"), Some("loopback"), v4_form),
            ("::1 ::2 ::ffff:ffff ::1:0:0", Some("loopback"), v4_form, nobody),
            (
                "::fffe:ffff:ffff ::ffff:0.0.0.0 ::ffff:255.255.255.255 ::1:0:0:0",
                nobody,
                Some("IPv4 written as IPv6"),
                nobody,
            ),
            (
                "64:ff9b:0:ffff:ffff:ffff:ffff:ffff 64:ff9b:1:: 64:ff9b:1:ffff:ffff:ffff:ffff:ffff 64:ff9b:2::",
                nobody,
                Some("of a local translator"),
                nobody,
            ),
            (
                "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 100:: 100::ffff:ffff:ffff:ffff 100:0:0:1::",
                nobody,
                Some("for discarding"),
                nobody,
            ),
            (
                "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff 2001:: 2001:0:ffff:ffff:ffff:ffff:ffff:ffff 2001:1::",
                PUBLIC,
                Some("Teredo"),
                protocols,
            ),
            (
                "2001:1:ffff:ffff:ffff:ffff:ffff:ffff 2001:2:: 2001:2:0:ffff:ffff:ffff:ffff:ffff 2001:2:1::",
                protocols,
                Some("for benchmarks"),
                protocols,
            ),
            (
                "2001:f:ffff:ffff:ffff:ffff:ffff:ffff 2001:10:: 2001:1f:ffff:ffff:ffff:ffff:ffff:ffff 2001:20::",
                protocols,
                orchid,
                orchid,
            ),
            (
                "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff 2001:20:: 2001:2f:ffff:ffff:ffff:ffff:ffff:ffff 2001:30::",
                orchid,
                orchid,
                protocols,
            ),
            (
                "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff 2001:30:: 2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff 2001:200::",
                orchid,
                protocols,
                PUBLIC,
            ),
            (
                "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff 2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 2001:db9::",
                PUBLIC,
                doc,
                PUBLIC,
            ),
            (
                "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff 2002:: 2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff 2003::",
                PUBLIC,
                Some("IPv4 in a form given up (6to4)"),
                PUBLIC,
            ),
            (
                "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff 3fff:: 3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff 3fff:1000::",
                PUBLIC,
                doc,
                PUBLIC,
            ),
            (
                "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 5f00:: 5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff 5f01::",
                nobody,
                Some("a segment's identifier (SRv6)"),
                nobody,
            ),
            (
                "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fc00:: fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fe00::",
                nobody,
                private,
                nobody,
            ),
            (
                "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff fe80:: febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff fec0::",
                nobody,
                Some("link-local"),
                Some("site-local"),
            ),
            (
                "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff fec0:: feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ff00::",
                Some("link-local"),
                Some("site-local"),
                Some("multicast"),
            ),
            (
                "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ff00:: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -",
                Some("site-local"),
                Some("multicast"),
                PUBLIC,
            ),
            (
                "100:0:0:0:ffff:ffff:ffff:ffff 100:0:0:1:: 1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 2000::",
                Some("for discarding"),
                nobody,
                PUBLIC,
            ),
            (
                "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 4000:: 5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 5f00::",
                PUBLIC,
                nobody,
                Some("a segment's identifier (SRv6)"),
            ),
            (
                "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff 5f01:: fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fc00::",
                Some("a segment's identifier (SRv6)"),
                nobody,
                private,
            ),
        ] {
            let expected = [first, inside, inside, after];
            for (address, expected) in addresses.split(' ').zip(expected).filter(|(address, _)| *address != "-") {
                assert_eq!(what(address), expected, "{address}");
            }
        }
    }

    #[test]
    fn no_range_of_the_table_is_out_of_reach() {
        for range in &REFUSED {
            let last = match range.first {
                IpAddr::V4(first) => {
                    IpAddr::V4(Ipv4Addr::from_bits(first.to_bits() | u32::MAX.checked_shr(range.prefix).unwrap_or(0)))
                }
                IpAddr::V6(first) => {
                    IpAddr::V6(Ipv6Addr::from_bits(first.to_bits() | u128::MAX.checked_shr(range.prefix).unwrap_or(0)))
                }
            };
            assert!(
                [range.first, last].into_iter().any(|ip| refused(ip) == Some(range)),
                "{range:?} is never the reason"
            );
        }
    }

    #[test]
    fn a_form_of_an_ipv4_address_is_what_that_address_is_or_refused() {
        for (address, expected) in [
            ("64:ff9b::8.8.8.8", None),
            ("64:ff9b::127.0.0.1", Some("loopback")),
            ("64:ff9b::10.0.0.1", Some("private")),
            ("64:ff9b::169.254.169.254", Some("link-local")),
            ("64:ff9b:0:0:0:1:808:808", Some("assigned to nobody")),
            ("64:ff9b::", Some("of \"this network\"")),
            ("64:ff9b::255.255.255.255", Some("broadcast")),
            ("2002:808:808::1", Some("IPv4 in a form given up (6to4)")),
            ("2002:7f00:1::1", Some("IPv4 in a form given up (6to4)")),
            ("2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
            ("2003::", None),
            ("::ffff:8.8.8.8", Some("IPv4 written as IPv6")),
            ("::127.0.0.1", Some("IPv4 in a form given up")),
        ] {
            assert_eq!(what(address), expected, "{address}");
        }
    }

    #[test]
    fn what_people_fetch_is_public() {
        for address in ["1.1.1.1", "93.184.215.14", "192.0.1.1", "2606:4700::1111", "2a00:1450:4001::65", "2400:cb00::"]
        {
            assert!(is_public(ip(address)), "{address}");
        }
    }

    #[test]
    fn the_metadata_services_of_clouds_are_not_public() {
        for address in [
            "169.254.169.254",      // AWS, Azure, Google, Oracle, DigitalOcean, Hetzner, OpenStack and others
            "169.254.170.2",        // AWS: credentials of containers
            "169.254.169.253",      // AWS: name server
            "fd00:ec2::254",        // AWS
            "fd00:ec2::23",         // AWS: credentials of pods
            "fd20:ce::254",         // Google
            "168.63.129.16",        // Azure
            "64:ff9b::a83f:8110",   // the same behind NAT64
            "::ffff:168.63.129.16", // and in IPv6's form
            "100.100.100.200",      // Alibaba
            "192.0.0.192",          // Oracle
            "169.254.0.23",         // Tencent
            "169.254.42.42",        // Scaleway
            "fd00:42::42",          // Scaleway
            "fe80::a9fe:a9fe",      // OpenStack
        ] {
            assert!(!is_public(ip(address)), "{address}");
        }
    }

    /// What the registries call globally reachable stays so.
    #[test]
    fn what_is_reachable_from_everywhere_is_public() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "168.63.129.15",
            "192.31.196.1",
            "192.52.193.1",
            "192.175.48.1",
            "199.36.153.12",
            "2600::",
            "2606:4700::1111",
            "2620:4f:8000::1",
            "2a00:1450::1",
        ] {
            assert!(is_public(ip(address)), "{address}");
        }
    }
}

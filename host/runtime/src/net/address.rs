//! Which addresses are public, so that a name which an attacker controls cannot point into the operator's network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Whether an address is reachable on the Internet at large and belongs to no special purpose.
///
/// IPv6 is public only inside 2000::/3, the one block from which global unicast addresses are handed out. Addresses
/// that carry an IPv4 address inside (mapped, compatible, NAT64, 6to4, Teredo) are never public: a gateway would take
/// them to that IPv4 address, whatever it is.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_UNICAST.contains(&address) && !SPECIAL_V6.iter().any(|net| net.contains(&address))
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// The IANA IPv4 Special-Purpose Address Registry, multicast, and what a cloud keeps for itself.
const SPECIAL_V4: &[Ipv4Net] = &[
    v4(0, 0, 0, 0, 8),        // this network, RFC 791
    v4(10, 0, 0, 0, 8),       // private, RFC 1918
    v4(100, 64, 0, 0, 10),    // carrier-grade NAT, RFC 6598; one cloud's metadata service
    v4(127, 0, 0, 0, 8),      // loopback, RFC 1122
    v4(168, 63, 129, 16, 32), // one cloud's platform services, which answer from inside only
    v4(169, 254, 0, 0, 16),   // link-local, RFC 3927; metadata services at .169.254
    v4(172, 16, 0, 0, 12),    // private, RFC 1918
    v4(192, 0, 0, 0, 24),     // protocol assignments, RFC 6890
    v4(192, 0, 2, 0, 24),     // documentation, RFC 5737
    v4(192, 31, 196, 0, 24),  // AS112, RFC 7535
    v4(192, 52, 193, 0, 24),  // automatic multicast tunnelling, RFC 7450
    v4(192, 88, 99, 0, 24),   // 6to4 relay, RFC 7526
    v4(192, 168, 0, 0, 16),   // private, RFC 1918
    v4(192, 175, 48, 0, 24),  // AS112, RFC 7534
    v4(198, 18, 0, 0, 15),    // benchmarks, RFC 2544
    v4(198, 51, 100, 0, 24),  // documentation, RFC 5737
    v4(203, 0, 113, 0, 24),   // documentation, RFC 5737
    v4(224, 0, 0, 0, 4),      // multicast, RFC 5771
    v4(240, 0, 0, 0, 4),      // reserved and broadcast, RFC 1112, RFC 8190
];

/// Global unicast, RFC 4291 §2.4 and the IANA registry of assignments. Everything outside is left out by this:
/// unspecified, loopback, v4-mapped and v4-compatible (::/8), NAT64 (64:ff9b::/96), discard-only (100::/64), unique
/// local with its metadata service (fc00::/7), link-local (fe80::/10), multicast (ff00::/8).
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 0, 3);

/// The special purposes inside global unicast, from the IANA IPv6 Special-Purpose Address Registry.
const SPECIAL_V6: &[Ipv6Net] = &[
    v6(0x2001, 0, 0, 23),         // protocol assignments with Teredo, RFC 2928, RFC 4380
    v6(0x2001, 0x0db8, 0, 32),    // documentation, RFC 3849
    v6(0x2002, 0, 0, 16),         // 6to4, RFC 3056
    v6(0x2620, 0x4f, 0x8000, 48), // AS112, RFC 7534
    v6(0x3fff, 0, 0, 20),         // documentation, RFC 9637
];

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: &[&str] = &[
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "192.168.255.255",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::2",
        "::7f00:1",
        "::8.8.8.8",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:8.8.8.8",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:2::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2002:808:808::1",
        "2620:4f:8000::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fe80::1",
        "fe80::a9fe:a9fe",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "4000::1",
    ];

    const PUBLIC: &[&str] = &[
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1",
        "168.63.129.15",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:4860:4860::8888",
        "2606:4700:4700::1111",
        "2a00:1450:4001::1",
        "2001:200::1",
        "2003::1",
        "2400::1",
    ];

    #[test]
    fn special_addresses_are_not_public() {
        for text in PRIVATE {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn their_neighbours_are_public() {
        for text in PUBLIC {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}

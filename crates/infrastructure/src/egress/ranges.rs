//! Which IP addresses are public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks of IPv4 that are not the public internet, from IANA's registry of special purposes, and the addresses of
/// metadata services outside of them.
const NOT_PUBLIC_V4: &[(Ipv4Addr, u8)] = &[
    // This network, the unspecified address among it.
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Behind a carrier's translation; metadata of Alibaba Cloud (100.100.100.200) is in it.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Metadata of Azure, at a public address.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    // Link-local: the metadata of most clouds.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    // Protocol assignments; metadata of Oracle Cloud is in it.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    // Relays of 6to4.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(192, 175, 48, 0), 24),
    // Measuring networks.
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    // Reserved, broadcast among it.
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The one block of IPv6 that public addresses come from. Loopback, unique-local, link-local, multicast, IPv4-mapped and
/// IPv4-compatible addresses and both translations of NAT64 lie outside.
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What is not public inside of it.
const NOT_PUBLIC_V6: &[(Ipv6Addr, u8)] = &[
    // Protocol assignments: Teredo, measuring networks, hashes as addresses.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation, twice.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    // 6to4: an IPv4 address follows.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    // Anycast of name servers for private networks.
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48),
];

/// Whether an address belongs to the public internet and to one host alone. What is in doubt does not.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|(network, prefix)| in_v4(address, *network, *prefix)),
        IpAddr::V6(address) => {
            in_v6(address, GLOBAL_V6.0, GLOBAL_V6.1)
                && !embeds_v4(address)
                && !NOT_PUBLIC_V6.iter().any(|(network, prefix)| in_v6(address, *network, *prefix))
        }
    }
}

/// Whether the address lies in the network. An IPv4 address that is written as IPv6 is in no network of IPv4.
pub(super) fn is_in(address: IpAddr, network: IpAddr, prefix: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => in_v4(address, network, prefix),
        (IpAddr::V6(address), IpAddr::V6(network)) => in_v6(address, network, prefix),
        _ => false,
    }
}

fn in_v4(address: Ipv4Addr, network: Ipv4Addr, prefix: u8) -> bool {
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix.into())).unwrap_or(0);
    address.to_bits() & mask == network.to_bits() & mask
}

fn in_v6(address: Ipv6Addr, network: Ipv6Addr, prefix: u8) -> bool {
    let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix.into())).unwrap_or(0);
    address.to_bits() & mask == network.to_bits() & mask
}

/// ISATAP: any network, then `0:5efe` or `200:5efe`, then an IPv4 address.
fn embeds_v4(address: Ipv6Addr) -> bool {
    let [_, _, _, _, first, second, _, _] = address.segments();
    second == 0x5efe && (first == 0 || first == 0x200)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn addresses_of_hosts_on_the_internet_are_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450:4001::1",
            "2400:3200::1",
            "2001:200::1",
            "2003::1",
        ] {
            assert!(is_public(address(text)), "{text}");
        }
    }

    #[test]
    fn all_others_are_not() {
        for text in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.0",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.0.0",
            "169.254.169.254",
            "169.254.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.0",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.255",
            "224.0.0.0",
            "239.255.255.255",
            "240.0.0.0",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::7f00:1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
            "4000::1",
            "2606:4700::5efe:7f00:1",
            "2606:4700::200:5efe:a00:1",
        ] {
            assert!(!is_public(address(text)), "{text}");
        }
    }

    #[test]
    fn networks_have_their_prefix_and_family() {
        assert!(is_in(address("10.1.2.3"), address("10.0.0.0"), 8));
        assert!(is_in(address("10.1.2.3"), address("10.255.0.0"), 8), "bits behind the prefix do not count");
        assert!(!is_in(address("11.1.2.3"), address("10.0.0.0"), 8));
        assert!(is_in(address("1.2.3.4"), address("0.0.0.0"), 0));
        assert!(is_in(address("fd00::1"), address("::"), 0));
        assert!(is_in(address("::1"), address("::1"), 128));
        assert!(!is_in(address("::2"), address("::1"), 128));
        assert!(!is_in(address("::ffff:10.1.2.3"), address("10.0.0.0"), 8));
    }
}

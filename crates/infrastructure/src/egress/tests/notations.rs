//! Every notation of every kind of inner address is denied: all combinations, judged without a connection.

use crewd_application::ports::{Outbound, OutboundError};

use super::support::guard;
use crate::egress::EgressPolicy;

/// One or more addresses of each network that is not public, both ends of the large ones.
const INNER: &[[u8; 4]] = &[
    [0, 0, 0, 0],
    [10, 0, 0, 1],
    [10, 255, 255, 255],
    [100, 64, 0, 1],
    [100, 100, 100, 200],
    [127, 0, 0, 1],
    [127, 255, 255, 255],
    [168, 63, 129, 16],
    [169, 254, 169, 254],
    [172, 16, 0, 1],
    [172, 31, 255, 255],
    [192, 0, 0, 192],
    [192, 168, 1, 1],
    [198, 18, 0, 1],
    [224, 0, 0, 1],
    [255, 255, 255, 255],
];

/// The notations of IPv4 that parsers understand.
fn notations([a, b, c, d]: [u8; 4]) -> Vec<String> {
    let whole = u32::from_be_bytes([a, b, c, d]);
    let (low, lowest) = (whole & 0xff_ffff, whole & 0xffff);
    vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{a}.{b}.{c}.{d}."),
        format!("{a}.{b}.{lowest}"),
        format!("{a}.{low}"),
        format!("{whole}"),
        format!("{whole:#x}"),
        format!("{whole:#X}").replace('X', "x"),
        format!("0{whole:o}"),
        format!("00000{whole:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a:#x}.0{b:o}.{lowest}"),
        format!("{a}.0{low:o}"),
        format!("{a}%2e{b}%2E{c}.{d}"),
        format!("{a}。{b}．{c}｡{d}"),
        format!("{a}.{b}.{c}.{d}").replace('1', "１").replace('0', "⓪"),
    ]
}

/// The addresses of IPv6 that hold this one.
fn embeddings([a, b, c, d]: [u8; 4]) -> Vec<String> {
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    vec![
        format!("[::ffff:{a}.{b}.{c}.{d}]"),
        format!("[::ffff:{high:x}:{low:x}]"),
        format!("[0:0:0:0:0:FFFF:{high:X}:{low:X}]"),
        format!("[::ffff:0:{high:x}:{low:x}]"),
        format!("[::{a}.{b}.{c}.{d}]"),
        format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
        format!("[64:ff9b::{high:x}:{low:x}]"),
        format!("[64:ff9b:1::{high:x}:{low:x}]"),
        format!("[64:ff9b:1:{high:x}:{low:x}::]"),
        format!("[2002:{high:x}:{low:x}::1]"),
        format!("[2001:0:{high:x}:{low:x}::]"),
        format!("[2001::{:x}:{:x}]", !high, !low),
        format!("[fe80::5efe:{high:x}:{low:x}]"),
        format!("[2606:4700::5efe:{high:x}:{low:x}]"),
        format!("[2606:4700::200:5efe:{high:x}:{low:x}]"),
    ]
}

#[test]
fn no_notation_of_an_inner_address_is_allowed() {
    let guard = guard(Vec::new());
    for address in INNER {
        for host in notations(*address).into_iter().chain(embeddings(*address)) {
            assert_eq!(guard.check_url(&format!("https://{host}/")), Err(OutboundError::Denied), "{host}");
        }
    }
}

#[test]
fn every_notation_of_a_public_address_is_the_same_address() {
    // So it was the address that was denied above, not the notation.
    let policy = EgressPolicy::new(Vec::new());
    for host in notations([8, 8, 4, 1]) {
        let url = policy.check_url(&format!("https://{host}/")).expect("a public address");
        assert_eq!(url.host_str(), Some("8.8.4.1"), "{host}");
    }
    for host in embeddings([8, 8, 4, 1]) {
        assert!(policy.check_url(&format!("https://{host}/")).is_err(), "{host}");
    }
}

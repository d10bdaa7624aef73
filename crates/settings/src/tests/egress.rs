//! Destinations that the operator allows.

use super::environment;
use crate::{EgressAllowance, EgressHost};

fn allowed(text: &str) -> Vec<EgressAllowance> {
    environment(&[("APP_EGRESS_ALLOW", text)]).settings().egress.allow
}

fn name(text: &str, port: Option<u16>) -> EgressAllowance {
    EgressAllowance { host: EgressHost::Name(text.to_owned()), port }
}

fn network(address: &str, prefix: u8, port: Option<u16>) -> EgressAllowance {
    EgressAllowance { host: EgressHost::Network { address: address.parse().expect("an address"), prefix }, port }
}

#[test]
fn nothing_is_allowed_unless_it_is_named() {
    assert_eq!(environment(&[]).settings().egress.allow, []);
    assert_eq!(allowed(" , "), []);
}

#[test]
fn names_domains_addresses_and_networks_are_understood() {
    let below = EgressAllowance { host: EgressHost::Below("corp.example".to_owned()), port: None };
    for (text, expected) in [
        ("hooks.inner", name("hooks.inner", None)),
        ("HOOKS.Inner.", name("hooks.inner", None)),
        ("localhost:9000", name("localhost", Some(9000))),
        ("my_host-1", name("my_host-1", None)),
        ("*.corp.example", below.clone()),
        ("*.corp.example:443", EgressAllowance { port: Some(443), ..below }),
        ("127.0.0.1", network("127.0.0.1", 32, None)),
        ("127.0.0.1:8080", network("127.0.0.1", 32, Some(8080))),
        ("10.0.0.0/8", network("10.0.0.0", 8, None)),
        ("10.0.0.0/8:443", network("10.0.0.0", 8, Some(443))),
        ("::1", network("::1", 128, None)),
        ("[::1]", network("::1", 128, None)),
        ("[::1]:8080", network("::1", 128, Some(8080))),
        ("fd00::/8", network("fd00::", 8, None)),
        ("[fd00::/8]:443", network("fd00::", 8, Some(443))),
        ("64:ff9b::/96", network("64:ff9b::", 96, None)),
        ("0.0.0.0/0", network("0.0.0.0", 0, None)),
    ] {
        assert_eq!(allowed(text), [expected], "{text}");
    }
    assert_eq!(allowed("a.inner, 10.0.0.0/8 ,b.inner").len(), 3);
}

#[test]
fn anything_else_is_refused_and_shown() {
    for text in [
        "http://hooks.inner",
        "hooks.inner/path",
        "user@hooks.inner",
        "hooks..inner",
        ".inner",
        "*",
        "*.",
        "*inner",
        "a.*.inner",
        "hooks.inner:",
        "hooks.inner:0",
        "hooks.inner:65536",
        "hooks.inner:http",
        "10.0.0.0/33",
        "10.0.0.0/x",
        "10.0.0.256",
        "10.0.0",
        "::1/129",
        "[::1",
        "[127.0.0.1]",
        "[hooks.inner]",
        "hooks.inner/24",
        "bücher.inner",
        "a b",
        "2130706433",
    ] {
        let installation = environment(&[("APP_EGRESS_ALLOW", &format!("10.0.0.1,{text}"))]);
        assert_eq!(installation.problem_names(), ["APP_EGRESS_ALLOW"], "{text}");
    }
}

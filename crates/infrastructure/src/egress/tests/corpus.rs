//! Addresses that must never reach the canary: whatever is denied in them, in every notation.

use std::sync::Arc;

use crewd_application::ports::{Outbound, OutboundError};
use futures::future::join_all;

use super::support::{Canary, NO_CONTENT, ScriptedNames, guard, name, open, send};
use crate::egress::{EgressPolicy, GuardedClient};

/// `{p}` is the canary's port. In these tests that port is open to plain HTTP, and every name stands for loopback, so
/// that the host alone decides.
const ADDRESSES: &[&str] = &[
    // Loopback in the notations of IPv4.
    "http://127.0.0.1:{p}/",
    "http://127.1:{p}/",
    "http://127.0.1:{p}/",
    "http://2130706433:{p}/",
    "http://017700000001:{p}/",
    "http://0x7f000001:{p}/",
    "http://0x7F000001:{p}/",
    "http://0x7f.1:{p}/",
    "http://0x7f.0x0.0x0.0x1:{p}/",
    "http://0177.0.0.1:{p}/",
    "http://0177.0.0.01:{p}/",
    "http://127.0.0.1.:{p}/",
    "http://127.000.000.001:{p}/",
    "http://00000177.0.0.1:{p}/",
    "http://127.0.0.2:{p}/",
    "http://127.255.255.254:{p}/",
    "http://0x7f.0.0.1:{p}/",
    "http://127.0x0.0.01:{p}/",
    "http://0300.0250.0.1:{p}/",
    "http://4294967295:{p}/",
    "http://4294967296:{p}/",
    "http://256.256.256.256:{p}/",
    "http://127.0.0.256:{p}/",
    "http://1.2.3.4.5:{p}/",
    "http://0x:{p}/",
    "http://0:{p}/",
    "http://0.0:{p}/",
    "http://0.0.0.0:{p}/",
    "http://00000000:{p}/",
    "http://0x0:{p}/",
    "http://0.0.0.1:{p}/",
    "http://127%2e0%2e0%2e1:{p}/",
    "http://%31%32%37.0.0.1:{p}/",
    "http://127.0.0.1%2e:{p}/",
    "http://%30x7f.1:{p}/",
    "http://１２７.０.０.１:{p}/",
    "http://①②⑦.⓪.⓪.①:{p}/",
    "http://127。0。0。1:{p}/",
    "http://127．0．0．1:{p}/",
    "http://１２７。１:{p}/",
    "http://0ｘ7f.1:{p}/",
    "http://127.0.0.1%00:{p}/",
    "http://127.0.0.1%20:{p}/",
    "https://127.0.0.1:{p}/",
    "https://127.0.0.1/",
    "https://2130706433/",
    "HTTP://127.0.0.1:{p}/",
    "hTtP://127.1:{p}/",
    // Other networks of IPv4.
    "http://10.0.0.1:{p}/",
    "http://10.255.255.255:{p}/",
    "http://167772161:{p}/",
    "http://172.16.0.1:{p}/",
    "http://172.31.255.255:{p}/",
    "http://192.168.0.1:{p}/",
    "http://192.168.257:{p}/",
    "http://3232235521:{p}/",
    "http://100.64.0.1:{p}/",
    "http://192.0.0.1:{p}/",
    "http://192.0.2.1:{p}/",
    "http://192.88.99.1:{p}/",
    "http://198.18.0.1:{p}/",
    "http://198.51.100.1:{p}/",
    "http://203.0.113.1:{p}/",
    "http://224.0.0.1:{p}/",
    "http://239.255.255.250:{p}/",
    "http://240.0.0.1:{p}/",
    "http://255.255.255.255:{p}/",
    // Metadata services.
    "http://169.254.169.254/latest/meta-data/",
    "https://169.254.169.254/",
    "http://169.254.169.254:{p}/",
    "http://2852039166:{p}/",
    "http://0xa9fea9fe:{p}/",
    "http://0251.0376.0251.0376:{p}/",
    "http://169.254.43518:{p}/",
    "http://169.254.170.2:{p}/",
    "http://169.254.0.23:{p}/",
    "http://100.100.100.200:{p}/",
    "http://168.63.129.16:{p}/",
    "http://192.0.0.192:{p}/",
    "http://[fd00:ec2::254]:{p}/",
    "http://[fd20:ce::254]:{p}/",
    "http://metadata.google.internal:{p}/",
    "http://metadata:{p}/",
    "http://instance-data.ec2.internal:{p}/",
    // IPv6.
    "http://[::1]:{p}/",
    "http://[0:0:0:0:0:0:0:1]:{p}/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]:{p}/",
    "http://[::]:{p}/",
    "http://[0::0]:{p}/",
    "http://[::ffff:127.0.0.1]:{p}/",
    "http://[::FFFF:127.0.0.1]:{p}/",
    "http://[::ffff:7f00:1]:{p}/",
    "http://[0:0:0:0:0:ffff:7f00:1]:{p}/",
    "http://[::ffff:0:127.0.0.1]:{p}/",
    "http://[::127.0.0.1]:{p}/",
    "http://[::7f00:1]:{p}/",
    "http://[::ffff:169.254.169.254]:{p}/",
    "http://[::ffff:8.8.8.8]:{p}/",
    "http://[64:ff9b::127.0.0.1]:{p}/",
    "http://[64:ff9b::7f00:1]:{p}/",
    "http://[64:ff9b:1::7f00:1]:{p}/",
    "http://[64:ff9b::a9fe:a9fe]:{p}/",
    "http://[2002:7f00:1::]:{p}/",
    "http://[2002:a9fe:a9fe::1]:{p}/",
    "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]:{p}/",
    "http://[2001::1]:{p}/",
    "http://[2001:db8::1]:{p}/",
    "http://[3fff::1]:{p}/",
    "http://[5f00::1]:{p}/",
    "http://[100::1]:{p}/",
    "http://[fc00::1]:{p}/",
    "http://[fd12:3456::1]:{p}/",
    "http://[fe80::1]:{p}/",
    "http://[fe80::1%25lo]:{p}/",
    "http://[fe80::1%lo]:{p}/",
    "http://[::1%25lo]:{p}/",
    "http://[fec0::1]:{p}/",
    "http://[ff02::1]:{p}/",
    "http://[2606:4700::5efe:7f00:1]:{p}/",
    "http://[::1]",
    "http://[::1]:{p}:80/",
    "http://::1:{p}/",
    "http://[::1:{p}/",
    "http://[127.0.0.1]:{p}/",
    "http://[v1.127.0.0.1]:{p}/",
    "http://%5B::1%5D:{p}/",
    // Names that stand for loopback.
    "http://localhost:{p}/",
    "http://LOCALHOST:{p}/",
    "http://localhost.:{p}/",
    "http://ｌｏｃａｌｈｏｓｔ:{p}/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{p}/",
    "http://local%68ost:{p}/",
    "http://a.localhost:{p}/",
    "http://localhost.localdomain:{p}/",
    "http://canary.example:{p}/",
    "http://canary.example.:{p}/",
    "http://CANARY.example:{p}/",
    "http://127.0.0.1.nip.example:{p}/",
    "http://127-0-0-1.example:{p}/",
    "http://printer.local:{p}/",
    "http://router.home.arpa:{p}/",
    "http://intranet:{p}/",
    "http://host.docker.internal:{p}/",
    "http://db.default.svc.cluster.local:{p}/",
    "http://xn--caf-dma.example:{p}/",
    "http://café.example:{p}/",
    "https://canary.example/",
    "http://canary.example:{p}/?url=https://example.org",
    "http://a..b:{p}/",
    "http://.example.org:{p}/",
    "http://..:{p}/",
    "http://canary.example..:{p}/",
    // Forms that parsers read differently.
    "http://example.org@127.0.0.1:{p}/",
    "http://127.0.0.1:{p}@canary.example/",
    "http://:@canary.example:{p}/",
    "http://@canary.example:{p}/",
    "http://user:password@canary.example:{p}/",
    "http://a@b@127.0.0.1:{p}/",
    "http://canary.example\\@127.0.0.1:{p}/",
    "http://127.0.0.1:{p}\\@canary.example/",
    "http:\\\\127.0.0.1:{p}/",
    "http:/\\127.0.0.1:{p}/",
    "http://canary.example:{p}#@127.0.0.1/",
    "http://127.0.0.1:{p}#@canary.example/",
    "http://127.0.0.1:{p}?@canary.example/",
    "http://canary.example:{p};@127.0.0.1/",
    "http:127.0.0.1:{p}/",
    "http:/127.0.0.1:{p}/",
    "http:///127.0.0.1:{p}/",
    "http:////127.0.0.1:{p}/",
    "//127.0.0.1:{p}/",
    "127.0.0.1:{p}",
    "/api/v1/tasks",
    "api/v1/tasks",
    "?x",
    "#x",
    "",
    " ",
    "http://",
    "https://",
    "http:",
    "http://:{p}/",
    "http://?",
    "://",
    " http://127.0.0.1:{p}/",
    "http://127.0.0.1:{p}/ ",
    "http://127.0.0.1 :{p}/",
    "http://127.0.0.1\t:{p}/",
    "ht\ntp://127.0.0.1:{p}/",
    "http://127.0.0.1:{p}/\r\nx: y",
    "http://canary.example:{p}/\r\n\r\nGET / HTTP/1.1",
    "http://127.0.0.1:{p}\u{0}.example/",
    "http://canary.example\u{2028}:{p}/",
    "http://127.0.0.1:{p}\u{a0}/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:-1/",
    "http://127.0.0.1:{p}a/",
    "http://canary.example:0/",
    // Other schemes.
    "ftp://127.0.0.1:{p}/",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "gopher://127.0.0.1:{p}/_GET",
    "dict://127.0.0.1:{p}/",
    "ldap://127.0.0.1:{p}/",
    "ws://127.0.0.1:{p}/",
    "wss://127.0.0.1:{p}/",
    "data:text/plain,x",
    "javascript:alert(1)",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "tftp://127.0.0.1:{p}/",
    "jar:http://127.0.0.1:{p}!/",
    "view-source:http://127.0.0.1:{p}/",
    "blob:http://127.0.0.1:{p}/x",
    "mailto:a@127.0.0.1",
];

#[tokio::test]
async fn none_of_them_reaches_the_canary() {
    assert!(ADDRESSES.len() >= 120, "{}", ADDRESSES.len());
    let canary = Canary::new(NO_CONTENT).await;
    let strict = guard(Vec::new());
    let mut policy = EgressPolicy::new(Vec::new());
    policy.open_port = Some(canary.port);
    let hosts_alone = GuardedClient::with_resolver(policy, Arc::new(ScriptedNames::default()));
    let port = canary.port.to_string();
    for guard in [&strict, &hosts_alone] {
        let addresses = ADDRESSES.iter().map(|address| address.replace("{p}", &port));
        let answers = join_all(addresses.map(|address| async { (send(guard, &address).await, address) })).await;
        for (answer, address) in answers {
            assert_eq!(answer, Err(OutboundError::Denied), "{address:?}");
        }
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn the_canary_hears_those_that_are_allowed() {
    // So the silence above is the guard's work.
    let canary = Canary::new(NO_CONTENT).await;
    let forms =
        ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "017700000001", "127%2e0%2e0%2e1", "１２７.０.０.１", "127。0。0。1"];
    for form in forms {
        let answer = send(&open(), &format!("http://{form}:{}/", canary.port)).await;
        assert_eq!(answer.map(|answer| answer.status), Ok(204), "{form}");
    }
    let mut policy = EgressPolicy::new(vec![name("canary.example", None)]);
    policy.open_port = Some(canary.port);
    let named = GuardedClient::with_resolver(policy, Arc::new(ScriptedNames::default()));
    let answer = send(&named, &format!("http://canary.example:{}/", canary.port)).await;
    assert_eq!(answer.map(|answer| answer.status), Ok(204));
    assert_eq!(canary.connections(), forms.len() + 1);
}

#[test]
fn what_can_be_kept_is_a_public_address_of_the_web() {
    let guard = guard(Vec::new());
    for url in [
        "https://example.org",
        "https://example.org/",
        "https://EXAMPLE.org:443/a/b?c=d#e",
        "https://example.org:80/",
        "https://hooks.example.org./x",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
        "https://münchen.example/ä?ö",
        "https://example.org/a%20b/@c",
        "https://localhost.example.org/",
    ] {
        assert_eq!(guard.check_url(url), Ok(()), "{url}");
    }
    for url in [
        "http://example.org/",
        "https://example.org:8443/",
        "https://example.org:22/",
        "http://example.org:443/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://api/",
        "https://[::1]/",
        "https://user@example.org/",
        "/hook",
    ] {
        assert_eq!(guard.check_url(url), Err(OutboundError::Denied), "{url}");
    }
    let long = format!("https://example.org/{}", "x".repeat(3_000));
    assert_eq!(guard.check_url(&long), Err(OutboundError::Denied));
}

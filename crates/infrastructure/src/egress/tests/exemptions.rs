//! What the operator allows, and nothing next to it.

use std::sync::Arc;

use crewd_application::ports::OutboundError;

use super::support::{Canary, NO_CONTENT, ScriptedNames, guard, name, network, open, send};
use crate::egress::{AllowedDestination, AllowedHost, EgressPolicy, GuardedClient};

async fn status(allowed: AllowedDestination, url: &str) -> Result<u16, OutboundError> {
    send(&guard(vec![allowed]), url).await.map(|answer| answer.status)
}

fn below(parent: &str) -> AllowedDestination {
    AllowedDestination { host: AllowedHost::Below(parent.to_owned()), port: None }
}

#[tokio::test]
async fn an_exemption_opens_its_host_for_plain_http_and_every_port() {
    let canary = Canary::new(NO_CONTENT).await;
    let port = canary.port;
    for (allowed, host) in [
        (network("127.0.0.1", 32, None), "127.0.0.1"),
        (network("127.0.0.0", 8, None), "127.0.0.1"),
        (network("0.0.0.0", 0, None), "127.0.0.1"),
        (name("hooks.inner", None), "hooks.inner"),
        (name("hooks.inner", None), "HOOKS.inner."),
        (name("localhost", None), "localhost"),
        (below("inner"), "hooks.inner"),
        (below("inner"), "a.b.inner"),
    ] {
        assert_eq!(status(allowed.clone(), &format!("http://{host}:{port}/")).await, Ok(204), "{allowed:?}");
    }
}

#[tokio::test]
async fn an_exemption_with_a_port_opens_that_port() {
    let canary = Canary::new(NO_CONTENT).await;
    let (port, other) = (canary.port, canary.port.wrapping_add(1).max(1));
    let url = canary.url();
    assert_eq!(status(network("127.0.0.1", 32, Some(port)), &url).await, Ok(204));
    assert_eq!(status(network("127.0.0.1", 32, Some(other)), &url).await, Err(OutboundError::Denied));
    let url = format!("http://hooks.inner:{port}/");
    assert_eq!(status(name("hooks.inner", Some(port)), &url).await, Ok(204));
    assert_eq!(status(name("hooks.inner", Some(other)), &url).await, Err(OutboundError::Denied));
    assert_eq!(canary.connections(), 2);
}

#[tokio::test]
async fn what_lies_next_to_an_exemption_stays_closed() {
    let canary = Canary::new(NO_CONTENT).await;
    let port = canary.port;
    for (allowed, host) in [
        (network("127.0.0.2", 32, None), "127.0.0.1"),
        (network("10.0.0.0", 8, None), "127.0.0.1"),
        (network("127.0.0.1", 32, None), "[::ffff:127.0.0.1]"),
        (network("127.0.0.1", 32, None), "[::1]"),
        (network("::1", 128, None), "127.0.0.1"),
        (name("hooks.inner", None), "other.inner"),
        (name("hooks.inner", None), "a.hooks.inner"),
        (name("hooks.inner", None), "hooks.inner.example"),
        (name("hooks.inner", None), "127.0.0.1"),
        (below("inner"), "inner"),
        (below("inner"), ".inner"),
        (below("inner"), "hooksinner"),
        (below("hooks.inner"), "xhooks.inner"),
    ] {
        let answer = status(allowed.clone(), &format!("http://{host}:{port}/")).await;
        assert_eq!(answer, Err(OutboundError::Denied), "{allowed:?} {host}");
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn an_exempt_network_admits_names_that_resolve_into_it_by_the_usual_scheme_and_ports() {
    let canary = Canary::new(NO_CONTENT).await;
    let loopback = || network("127.0.0.1", 32, None);
    // A name needs an exemption of its own for plain HTTP or another port.
    let answer = status(loopback(), &format!("http://hooks.example:{}/", canary.port)).await;
    assert_eq!(answer, Err(OutboundError::Denied));
    let mut policy = EgressPolicy::new(vec![loopback()]);
    policy.open_port = Some(canary.port);
    let guard = GuardedClient::with_resolver(policy, Arc::new(ScriptedNames::default()));
    let answer = send(&guard, &format!("http://hooks.example:{}/", canary.port)).await;
    assert_eq!(answer.map(|answer| answer.status), Ok(204));
}

#[tokio::test]
async fn exemptions_do_not_admit_other_schemes_or_user_information() {
    let canary = Canary::new(NO_CONTENT).await;
    let port = canary.port;
    for url in [
        format!("ftp://127.0.0.1:{port}/"),
        format!("ws://127.0.0.1:{port}/"),
        format!("http://user@127.0.0.1:{port}/"),
        "file:///etc/passwd".to_owned(),
    ] {
        assert_eq!(send(&open(), &url).await, Err(OutboundError::Denied), "{url}");
    }
    assert_eq!(canary.connections(), 0);
}

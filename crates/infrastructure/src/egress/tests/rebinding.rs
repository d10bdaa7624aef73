//! Names whose meaning changes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crewd_application::ports::{Outbound, OutboundError};

use super::support::{Canary, NO_CONTENT, ScriptedNames, network, send};
use crate::egress::{AllowedDestination, EgressPolicy, GuardedClient};

/// A guard that only judges hosts at the canary's port, and asks `names`.
fn guard_over(names: &Arc<ScriptedNames>, canary: &Canary, allowed: Vec<AllowedDestination>) -> GuardedClient {
    let mut policy = EgressPolicy::new(allowed);
    policy.open_port = Some(canary.port);
    GuardedClient::with_resolver(policy, names.clone())
}

#[tokio::test]
async fn a_name_that_turns_to_loopback_is_denied_from_then_on() {
    let canary = Canary::new(NO_CONTENT).await;
    let names = ScriptedNames::of(&[&["127.0.0.1"], &["::1"], &["169.254.169.254"], &["::ffff:127.0.0.1"], &["10.0.0.1"]]);
    let guard = guard_over(&names, &canary, Vec::new());
    let url = format!("http://rebound.example:{}/", canary.port);
    assert_eq!(guard.check_url(&url), Ok(()), "it was fine when it was kept");
    for _ in 0..6 {
        assert_eq!(send(&guard, &url).await, Err(OutboundError::Denied));
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn each_request_looks_a_name_up_once_and_connects_to_what_was_judged() {
    let canary = Canary::new(NO_CONTENT).await;
    // Were the name looked up again for the connection, it would find something else.
    let names = ScriptedNames::of(&[&["127.0.0.1"], &["127.0.0.9"], &["127.0.0.1"]]);
    let guard = guard_over(&names, &canary, vec![network("127.0.0.1", 32, None)]);
    let url = format!("http://rebound.example:{}/", canary.port);
    assert_eq!(send(&guard, &url).await.map(|answer| answer.status), Ok(204));
    assert_eq!(names.asked.load(Ordering::SeqCst), 1);
    assert_eq!(send(&guard, &url).await, Err(OutboundError::Denied));
    assert_eq!(names.asked.load(Ordering::SeqCst), 2);
    assert_eq!(send(&guard, &url).await.map(|answer| answer.status), Ok(204));
    assert_eq!(canary.connections(), 2);
}

#[tokio::test]
async fn of_mixed_answers_only_the_allowed_addresses_are_called() {
    let canary = Canary::new(NO_CONTENT).await;
    let names = ScriptedNames::of(&[&["::1", "10.0.0.1", "127.0.0.1", "169.254.169.254"], &["::1", "10.0.0.1"]]);
    let guard = guard_over(&names, &canary, vec![network("127.0.0.1", 32, None)]);
    let url = format!("http://mixed.example:{}/", canary.port);
    assert_eq!(send(&guard, &url).await.map(|answer| answer.status), Ok(204));
    assert_eq!(send(&guard, &url).await, Err(OutboundError::Denied));
    assert_eq!(canary.connections(), 1);
}

#[tokio::test]
async fn unknown_names_and_names_without_addresses_fail_to_connect() {
    let canary = Canary::new(NO_CONTENT).await;
    let names = ScriptedNames::of(&[&[]]);
    let guard = guard_over(&names, &canary, Vec::new());
    for host in ["empty.example", "unknown.example"] {
        let answer = send(&guard, &format!("http://{host}:{}/", canary.port)).await;
        assert!(matches!(answer, Err(OutboundError::Connect(_))), "{answer:?}");
    }
    assert_eq!(canary.connections(), 0);
}

//! What every test against a real Redis needs.

use std::sync::Arc;
use std::time::Duration;

use crewd_domain::shared::TenantId;
use crewd_telemetry::Metrics;
use crewd_test_services::Service;
use redis::{Cmd, FromRedisValue};
use secrecy::SecretString;
use uuid::Uuid;

use crate::ids::UuidIds;
use crate::redis::{RedisConfig, RedisLink};

/// For whatever must happen soon.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// The address of the Redis under test, if there is one.
pub(super) fn address() -> Option<String> {
    Service::Redis.url()
}

pub(super) fn new_id() -> Uuid {
    crewd_application::ports::IdGenerator::next_id(&UuidIds)
}

pub(super) fn new_prefix() -> String {
    format!("crewd-test-{}", new_id())
}

pub(super) fn tenants() -> [TenantId; 2] {
    ["one", "other"].map(|name| TenantId::try_from(name.to_owned()).unwrap())
}

/// A link of one process.
pub(super) fn link(url: &str, prefix: &str) -> RedisLink {
    let config = RedisConfig {
        url: SecretString::from(url),
        prefix: prefix.to_owned(),
        connect_timeout: Duration::from_secs(1),
        timeout: Duration::from_millis(300),
        origin: new_id(),
    };
    let link = RedisLink::open(config, Arc::new(Metrics::new("0").unwrap())).unwrap();
    let kept = link.clone();
    tokio::spawn(async move { kept.keep().await });
    link
}

/// Links of several processes of one installation, connected.
pub(super) async fn links<const N: usize>(url: &str) -> [RedisLink; N] {
    let prefix = new_prefix();
    let links = [(); N].map(|()| link(url, &prefix));
    for link in &links {
        tokio::time::timeout(PATIENCE, link.connected()).await.expect("Redis answers");
    }
    links
}

pub(super) async fn ask<T: FromRedisValue>(link: &RedisLink, command: &mut Cmd) -> T {
    link.query(command).await.expect("Redis answers")
}

/// Asks again until it is so.
pub(super) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let patience = tokio::time::Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < patience, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

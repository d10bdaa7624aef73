//! Redis that is away in every way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crewd_application::ports::{Cache, HealthCheck, HealthStatus, PlacesUnavailable, RateLimiter, SharedPlaces};
use crewd_application::testing::cache::cache_key;
use crewd_telemetry::Metrics;
use secrecy::SecretString;
use uuid::Uuid;

use super::proxy::{Proxy, Way};
use super::support::{PATIENCE, address, link, new_prefix, tenants, until};
use crate::redis::{RedisCache, RedisConfig, RedisLink, RedisPlaces, RedisRateLimiter};
use crate::security::{LocalRateLimiter, Rate};

async fn degraded(link: &RedisLink) -> String {
    let mut told = String::new();
    until("it is noticed", async || match link.check().await {
        HealthStatus::Degraded(reason) if reason != "it is being connected" => {
            told = reason;
            true
        }
        _ => false,
    })
    .await;
    told
}

#[tokio::test]
async fn a_wrong_password_is_told_in_safe_words() {
    let Some(url) = address() else { return };
    let (_, host) = url.rsplit_once(['/', '@']).map(|_| url.split_at("redis://".len())).unwrap();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let link = link(&format!("redis://somebody:planted-secret@{host}"), &new_prefix());
    let reason = degraded(&link).await;
    assert_eq!(reason, "it does not accept the user or the password (APP_REDIS_URL)");
    assert!(!link.is_up());
}

#[tokio::test]
async fn a_place_where_nobody_listens_is_degraded() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let link = link(&format!("redis://{nobody}"), &new_prefix());
    assert_eq!(degraded(&link).await, "it refuses connections");
}

#[test]
fn an_address_of_something_else_is_refused_without_showing_it() {
    for wrong in ["redis://host:port", "redis://h/planted", "https://planted", "redis://:planted@"] {
        let config = RedisConfig {
            url: SecretString::from(wrong),
            prefix: "x".to_owned(),
            connect_timeout: PATIENCE,
            timeout: PATIENCE,
            origin: Uuid::nil(),
        };
        let refused = RedisLink::open(config, Arc::new(Metrics::new("0").unwrap())).err();
        assert!(refused.is_some_and(|refused| !refused.to_string().contains("planted")), "{wrong}");
    }
}

#[tokio::test]
async fn a_cut_way_is_noticed_lets_everything_go_on_and_heals() {
    let Some(url) = address() else { return };
    let proxy = Proxy::to(&url).await;
    let link = link(&proxy.url(), &new_prefix());
    link.connected().await;
    let rates = [Rate { name: "hour", count: 2, period: Duration::from_secs(3_600) }];
    let limiter = RedisRateLimiter::new(link.clone(), &rates, Arc::new(LocalRateLimiter::new(&rates)));
    let (cache, places) = (RedisCache::new(link.clone()), RedisPlaces::new(link.clone()));
    let [tenant, _] = tenants();
    let key = cache_key(&tenant, "suite", "key");
    cache.set(&key, Bytes::from_static(b"kept"), Duration::from_secs(60)).await;

    for (way, reason) in [(Way::Silent, "it does not answer in time"), (Way::Closed, "it cannot be reached")] {
        proxy.set(way);
        let began = Instant::now();
        assert_eq!(cache.get(&key).await, None, "a miss, no error");
        assert!(began.elapsed() < Duration::from_secs(2), "and soon: {:?}", began.elapsed());
        let told = degraded(&link).await;
        assert!(told == reason || way == Way::Closed, "{told}");
        let began = Instant::now();
        assert!(!limiter.take(&tenant, "key").await.states.is_empty(), "this process counts");
        cache.set(&key, Bytes::from_static(b"lost"), Duration::from_secs(60)).await;
        assert_eq!(places.acquire("model", 1, PATIENCE).await.err(), Some(PlacesUnavailable));
        assert!(began.elapsed() < Duration::from_millis(200), "nobody waits for what is known to be away");
        proxy.set(Way::Open);
        until("it is back", async || link.is_up()).await;
        assert_eq!(link.check().await, HealthStatus::Up);
        assert_eq!(cache.get(&key).await, Some(Bytes::from_static(b"kept")));
    }
    let first = limiter.take(&tenant, "key").await;
    assert_eq!((first.wait, first.states[0].remaining), (None, 1), "what this process counted meanwhile is not shared");
}

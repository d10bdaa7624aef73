//! Limits and values that processes share.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crewd_application::ports::{Cache, RateAnswer, RateLimiter, SharedPlaces};
use crewd_application::testing::cache::{cache_key, check_cache};
use crewd_application::testing::limiter::{check_rate_limiter, check_shared_places};

use super::support::{PATIENCE, address, ask, links, tenants, until};
use crate::redis::{RedisCache, RedisLink, RedisPlaces, RedisRateLimiter};
use crate::security::{LocalRateLimiter, Rate};

const MINUTE: Rate = Rate { name: "minute", count: 3, period: Duration::from_secs(60) };
const HOUR: Rate = Rate { name: "hour", count: 4, period: Duration::from_secs(3_600) };

fn limiter(link: &RedisLink, rates: &[Rate]) -> RedisRateLimiter {
    RedisRateLimiter::new(link.clone(), rates, Arc::new(LocalRateLimiter::new(rates)))
}

#[tokio::test]
async fn the_rate_limiter_keeps_the_promises_of_the_port() {
    let Some(url) = address() else { return };
    let links: [RedisLink; 2] = links(&url).await;
    let rate = Rate { period: Duration::from_millis(1_500), ..MINUTE };
    let [one, other] = links.map(|link| limiter(&link, &[rate]));
    check_rate_limiter(&one, &other, rate.period, &tenants()).await;
}

#[tokio::test]
async fn several_rates_hold_at_once_as_they_do_in_one_process() {
    let Some(url) = address() else { return };
    let [link] = links(&url).await;
    let [tenant, _] = tenants();
    let rates = [HOUR, MINUTE];
    let (shared, local) = (limiter(&link, &rates), LocalRateLimiter::new(&rates));
    let shown = |answer: RateAnswer| {
        let states: Vec<_> = answer.states.iter().map(|state| (state.name, state.remaining)).collect();
        (states, answer.wait.map(|wait| wait.as_secs_f64().round()))
    };
    for _ in 0..5 {
        let (here, there) = (local.take(&tenant, "key").await, shared.take(&tenant, "key").await);
        assert_eq!(shown(there), shown(here));
    }
    let keys: Vec<String> = ask(&link, redis::cmd("KEYS").arg(link.key("rate:*"))).await;
    assert_eq!(keys.len(), 2);
    for key in keys {
        let ttl: i64 = ask(&link, redis::cmd("PTTL").arg(&key)).await;
        assert!((1..=3_600_001).contains(&ttl), "{key} ends by itself: {ttl}");
    }
}

#[tokio::test]
async fn places_keep_the_promises_of_the_port() {
    let Some(url) = address() else { return };
    let links: [RedisLink; 2] = links(&url).await;
    let [one, other] = links.map(RedisPlaces::new);
    check_shared_places(&one, &other).await;
}

#[tokio::test]
async fn the_place_of_a_dead_process_is_free_when_its_time_is_over() {
    let Some(url) = address() else { return };
    let [link] = links(&url).await;
    let places = RedisPlaces::new(link.clone());
    let prefix = link.key("").trim_end_matches(':').to_owned();
    let died = std::thread::spawn(move || {
        let process = tokio::runtime::Runtime::new().unwrap();
        process.block_on(async {
            let link = super::support::link(&url, &prefix);
            link.connected().await;
            let place = RedisPlaces::new(link).acquire("model", 1, Duration::from_millis(500)).await.unwrap();
            std::mem::forget(place.expect("it is free"));
        });
        process.shutdown_background();
    });
    died.join().unwrap();
    assert!(places.acquire("model", 1, PATIENCE).await.unwrap().is_none(), "nobody knows yet");
    until("its time is over", async || places.acquire("model", 1, PATIENCE).await.unwrap().is_some()).await;
}

#[tokio::test]
async fn a_living_holder_keeps_its_place_and_comes_back_after_a_flush() {
    let Some(url) = address() else { return };
    let [link] = links(&url).await;
    let places = RedisPlaces::new(link.clone());
    let ttl = Duration::from_millis(300);
    let place = places.acquire("model", 1, ttl).await.unwrap().expect("it is free");
    tokio::time::sleep(ttl * 2).await;
    assert!(places.acquire("model", 1, ttl).await.unwrap().is_none(), "it is renewed");
    let key = link.key("places:model");
    let _: u64 = ask(&link, redis::cmd("DEL").arg(&key)).await;
    until("it is counted again", async || ask::<u64>(&link, redis::cmd("ZCARD").arg(&key)).await == 1).await;
    drop(place);
    until("it is free", async || ask::<u64>(&link, redis::cmd("ZCARD").arg(&key)).await == 0).await;
}

#[tokio::test]
async fn the_cache_keeps_the_promises_of_the_port() {
    let Some(url) = address() else { return };
    let [link, other] = links(&url).await;
    let [tenant, stranger] = tenants();
    check_cache(&RedisCache::new(link.clone()), &tenant, &stranger).await;
    let key = cache_key(&tenant, "suite", "both");
    RedisCache::new(link).set(&key, Bytes::from_static(b"shared"), PATIENCE).await;
    assert_eq!(RedisCache::new(other).get(&key).await, Some(Bytes::from_static(b"shared")), "all processes see it");
}

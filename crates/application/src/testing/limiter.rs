//! Places in a map, and what all limiters must keep to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use crewd_domain::shared::TenantId;
use tokio::time::Instant;

use crate::ports::{PlacesUnavailable, RateLimiter, SharedPlace, SharedPlaces};

/// Counts places in this process.
#[derive(Clone, Debug, Default)]
pub struct InMemoryPlaces {
    taken: Arc<Mutex<HashMap<String, u32>>>,
}

#[async_trait]
impl SharedPlaces for InMemoryPlaces {
    async fn acquire(&self, name: &str, places: u32, _ttl: Duration) -> Result<Option<SharedPlace>, PlacesUnavailable> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(name.to_owned()).or_default();
        if *count >= places {
            return Ok(None);
        }
        *count += 1;
        let (map, name) = (Arc::clone(&self.taken), name.to_owned());
        Ok(Some(SharedPlace::new(move || {
            if let Some(count) = map.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&name) {
                *count -= 1;
            }
        })))
    }
}

const TTL: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(20);

/// Checks the promises of [`SharedPlaces`] with two that count the same places, which are all free.
///
/// # Panics
/// Where one is broken.
pub async fn check_shared_places(one: &dyn SharedPlaces, other: &dyn SharedPlaces) {
    let first = take(one, "model", 2).await;
    let second = take(other, "model", 2).await;
    assert!(first.is_some() && second.is_some(), "there are two places");
    for full in [one, other] {
        assert!(take(full, "model", 2).await.is_none(), "and no third, whoever asks");
    }
    assert!(take(one, "other", 1).await.is_some(), "names do not disturb each other");
    assert!(take(one, "model", 3).await.is_some(), "the number is the caller's");
    drop(first);
    let again = freed(other).await;
    assert!(take(one, "model", 2).await.is_none(), "one place was freed, and it is taken");
    drop((second, again));
    drop((freed(one).await, freed(other).await));
}

async fn take(places: &dyn SharedPlaces, name: &str, count: u32) -> Option<SharedPlace> {
    let place = places.acquire(name, count, TTL).await;
    assert!(place.is_ok(), "it can count");
    place.ok().flatten()
}

/// A place of `model` that a drop has freed: that may take a moment.
async fn freed(places: &dyn SharedPlaces) -> SharedPlace {
    let patience = Instant::now() + PATIENCE;
    loop {
        if let Some(place) = take(places, "model", 2).await {
            return place;
        }
        assert!(Instant::now() < patience, "a dropped place is free again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Checks the promises of [`RateLimiter`] with two that count together and whose one limit is three in `period`, which
/// must be long enough for a few calls and short enough to wait for.
///
/// # Panics
/// Where one is broken.
pub async fn check_rate_limiter(one: &dyn RateLimiter, other: &dyn RateLimiter, period: Duration, tenants: &[TenantId; 2]) {
    let [tenant, stranger] = tenants;
    for (limiter, left) in [(one, 2), (other, 1), (one, 0)] {
        let answer = limiter.take(tenant, "key-1").await;
        assert_eq!(answer.wait, None, "three may go on at once");
        let states: Vec<_> = answer.states.iter().map(|state| (state.count, state.period, state.remaining)).collect();
        assert_eq!(states, [(3, period, left)]);
        let resets_after = answer.states.first().map(|state| state.resets_after).unwrap_or_default();
        assert!(resets_after <= period && resets_after > Duration::ZERO, "{resets_after:?}");
    }
    for (owner, caller) in [(tenant, "key-2"), (stranger, "key-1")] {
        assert_eq!(other.take(owner, caller).await.wait, None, "callers are counted each by itself");
    }
    let refused = other.take(tenant, "key-1").await;
    let wait = refused.wait.unwrap_or_default();
    assert!(wait > Duration::ZERO && wait <= period / 3, "one comes back in a third of the period, not in {wait:?}");
    assert_eq!(refused.states.first().map(|state| (state.remaining, state.resets_after)), Some((0, wait)));
    assert!(one.take(tenant, "key-1").await.wait.is_some(), "asking in vain costs nothing, and gives nothing");
    tokio::time::sleep(wait).await;
    assert_eq!(one.take(tenant, "key-1").await.wait, None, "the time it named was the right one");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_fake_keeps_the_promises_of_the_port() {
        let places = InMemoryPlaces::default();
        check_shared_places(&places, &places.clone()).await;
    }
}

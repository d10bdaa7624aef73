//! How much work is taken in, from whom, and in which order.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use crewd_application::ports::{Clock, Fairness, RateLimiter};
use crewd_application::runs::{Admission, AdmissionLimits};
use crewd_domain::shared::TenantId;
use crewd_infrastructure::redis::{RedisLink, RedisRateLimiter};
use crewd_infrastructure::security::{ApiKeys, LocalRateLimiter, Rate};
use crewd_settings::Settings;
use secrecy::ExposeSecret;

use super::storage::Storage;

/// What keeps out submissions that are too much.
pub(crate) fn admission(settings: &Settings, storage: &Storage, clock: Arc<dyn Clock>) -> Arc<Admission> {
    let limits = AdmissionLimits {
        queued_per_tenant: settings.admission.max_queued_per_tenant,
        queued: settings.admission.max_queued,
        in_flight: settings.admission.max_submissions_in_flight,
    };
    Arc::new(Admission::new(storage.queue.clone(), clock, limits))
}

/// The order of the queue.
pub(crate) fn fairness(settings: &Settings) -> Fairness {
    Fairness {
        max_active_per_tenant: settings.admission.max_active_per_tenant.unwrap_or(u32::MAX),
        aging: settings.admission.queue_aging,
    }
}

/// How often each key may submit tasks, if that is limited; counted for all processes together where there is Redis.
pub(crate) fn task_rates(settings: &Settings, redis: Option<&RedisLink>) -> Option<Arc<dyn RateLimiter>> {
    let rates: Vec<Rate> = settings
        .admission
        .rate_limit_tasks
        .iter()
        .map(|rate| Rate { name: rate.unit, count: rate.count, period: rate.period })
        .collect();
    if rates.is_empty() {
        return None;
    }
    let local: Arc<dyn RateLimiter> = Arc::new(LocalRateLimiter::new(&rates));
    Some(match redis {
        Some(link) => Arc::new(RedisRateLimiter::new(link.clone(), &rates, local)),
        None => local,
    })
}

/// The accepted keys.
pub(crate) fn api_keys(settings: &Settings) -> anyhow::Result<ApiKeys> {
    let needs_key = !settings.server.is_loopback() || settings.server.environment.is_deployed();
    let owned = settings
        .security
        .api_keys
        .iter()
        .map(|key| Ok((tenant(key.tenant.as_deref())?, key.key.expose_secret().to_owned())))
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(ApiKeys::new(owned, needs_key))
}

/// The tenants of the accepted keys, and the default one.
pub(crate) fn tenants(settings: &Settings) -> anyhow::Result<BTreeSet<TenantId>> {
    let named = settings.security.api_keys.iter().map(|key| tenant(key.tenant.as_deref()));
    named.chain(std::iter::once(Ok(TenantId::default_tenant()))).collect()
}

fn tenant(name: Option<&str>) -> anyhow::Result<TenantId> {
    name.map_or_else(
        || Ok(TenantId::default_tenant()),
        |name| TenantId::try_from(name.to_owned()).context("a tenant in APP_API_KEYS has no good name"),
    )
}

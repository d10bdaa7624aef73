//! How much work is taken in, and in which order.

use std::time::Duration;

use crate::reader::Reader;
use crate::variable::Variable;

pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("admission.max_queued_per_tenant", "APP_MAX_QUEUED_PER_TENANT"),
    Variable::new("admission.max_active_per_tenant", "APP_MAX_ACTIVE_PER_TENANT"),
    Variable::new("admission.max_queued", "APP_MAX_QUEUED"),
    Variable::new("admission.max_submissions_in_flight", "APP_MAX_SUBMISSIONS_IN_FLIGHT"),
    Variable::new("admission.rate_limit_tasks", "APP_RATE_LIMIT_TASKS"),
    Variable::new("admission.queue_aging", "APP_QUEUE_AGING"),
];

const ONE_DAY_IN_SECONDS: f64 = 86_400.0;

/// The `admission` section.
#[derive(Debug, Clone)]
pub struct AdmissionSettings {
    /// Tasks of one tenant that may wait in the queue.
    pub max_queued_per_tenant: u32,
    /// Tasks of one tenant that are worked on at once, over all workers; `None` for no limit.
    pub max_active_per_tenant: Option<u32>,
    /// Tasks of all tenants that may wait in the queue.
    pub max_queued: u64,
    /// Submissions that one process works on at once.
    pub max_submissions_in_flight: usize,
    /// How often each key may submit tasks; none means as often as it likes.
    pub rate_limit_tasks: Vec<RateSetting>,
    /// How long a queued task waits before it moves up one class.
    pub queue_aging: Duration,
}

/// So many in a stretch of time, such as `30 per minute`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateSetting {
    /// How many, at least 1.
    pub count: u32,
    /// The stretch's name: `second`, `minute`, `hour` or `day`.
    pub unit: &'static str,
    /// Its length.
    pub period: Duration,
}

const UNITS: &[(&str, u64)] = &[("second", 1), ("minute", 60), ("hour", 3_600), ("day", 86_400)];

impl AdmissionSettings {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        let has_most = reader.find("admission.max_active_per_tenant").is_some();
        Self {
            max_queued_per_tenant: reader.number("admission.max_queued_per_tenant", 1..=10_000_000),
            max_active_per_tenant: has_most.then(|| reader.number("admission.max_active_per_tenant", 1..=1_000_000)),
            max_queued: reader.number("admission.max_queued", 1..=1_000_000_000),
            max_submissions_in_flight: reader.number("admission.max_submissions_in_flight", 1..=1_000_000),
            rate_limit_tasks: read_rates(reader),
            queue_aging: reader.seconds("admission.queue_aging", ONE_DAY_IN_SECONDS),
        }
    }
}

fn read_rates(reader: &mut Reader) -> Vec<RateSetting> {
    const KEY: &str = "admission.rate_limit_tasks";
    let rates: Vec<Option<RateSetting>> = reader.list(KEY).iter().map(|text| RateSetting::of_text(text)).collect();
    let mut units: Vec<&str> = rates.iter().flatten().map(|rate| rate.unit).collect();
    units.sort_unstable();
    units.dedup();
    if units.len() < rates.len() {
        reader.reject_value(KEY, "rates such as 30 per minute,1000 per hour, each unit (second, minute, hour, day) at most once");
    }
    rates.into_iter().flatten().collect()
}

impl RateSetting {
    /// The rate that `30 per minute` means.
    fn of_text(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [count, "per", unit] = words.as_slice() else { return None };
        let count = count.replace('_', "").parse().ok().filter(|count| (1..=1_000_000).contains(count))?;
        let (unit, seconds) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
        Some(Self { count, unit, period: Duration::from_secs(*seconds) })
    }
}

//! Wake-up calls, live events and orders: inside this process, and between processes over Redis, else over PostgreSQL.

use std::sync::Arc;

use anyhow::Context;
use crewd_application::ports::{EventStream, IdGenerator, RunOrders, RunQueue, WorkSignal};
use crewd_infrastructure::persistence::Database;
use crewd_infrastructure::queue::hints::{
    HintDuties, HintExchange, HintReceiver, HintTransport, Hints, SharedEventStream, SharedOrders, SharedSignal,
};
use crewd_infrastructure::queue::{LocalEventStream, LocalSignal};
use crewd_infrastructure::redis::{RedisConfig, RedisHints, RedisLink};
use crewd_settings::Settings;
use crewd_telemetry::{HintWay, Metrics};

use super::orders::WorkerOrders;

/// What the parts of a process hear each other through.
pub(crate) struct Signals {
    pub(crate) signal: Arc<dyn WorkSignal>,
    pub(crate) stream: Arc<dyn EventStream>,
    pub(crate) orders: Arc<dyn RunOrders>,
    pub(crate) exchange: Option<Exchange>,
}

/// The exchange with other processes.
#[derive(Clone)]
pub(crate) struct Exchange {
    /// Where the hints go over Redis.
    link: Option<RedisLink>,
    hints: Arc<HintExchange>,
}

impl Exchange {
    /// Works until it is dropped.
    pub(crate) async fn run(self, works: bool) {
        let keep = async {
            if let Some(link) = &self.link {
                link.keep().await;
            }
        };
        tokio::join!(keep, self.hints.run(HintDuties { works }));
    }
}

/// The connection to Redis, where one is configured. It connects once somebody runs the exchange.
pub(crate) fn redis(settings: &Settings, metrics: &Arc<Metrics>, ids: &dyn IdGenerator) -> anyhow::Result<Option<RedisLink>> {
    let Some(url) = settings.redis.url.clone() else { return Ok(None) };
    let config = RedisConfig {
        url,
        prefix: settings.redis.prefix.clone(),
        connect_timeout: settings.redis.connect_timeout,
        timeout: settings.redis.timeout,
        origin: ids.next_id(),
    };
    Ok(Some(RedisLink::open(config, metrics.clone()).context("Redis cannot be used (APP_REDIS_URL)")?))
}

/// How hints reach other processes: over Redis where one is configured, else over a database that can do so.
pub(crate) fn way(
    redis: Option<&RedisLink>,
    database: &Database,
    metrics: &Arc<Metrics>,
    ids: &dyn IdGenerator,
) -> Option<(HintWay, Arc<dyn HintTransport>)> {
    match redis {
        Some(link) => Some((HintWay::Redis, Arc::new(RedisHints::new(link.clone())))),
        None => Some((HintWay::Notify, Arc::new(database.notify(ids.next_id(), metrics.clone())?))),
    }
}

/// Signals of this process, shared with others where there is a way to them.
pub(crate) fn signals(
    way: Option<(HintWay, Arc<dyn HintTransport>)>,
    redis: Option<&RedisLink>,
    metrics: &Arc<Metrics>,
    queue: &Arc<dyn RunQueue>,
    stream: LocalEventStream,
    worker: Arc<WorkerOrders>,
) -> Signals {
    let signal = Arc::new(LocalSignal::default());
    let Some((way, transport)) = way else {
        return Signals { signal, stream: Arc::new(stream), orders: worker, exchange: None };
    };
    let hints = Hints::new(metrics.clone(), way);
    let receiver = HintReceiver { signal: signal.clone(), stream: stream.clone(), orders: worker.clone(), hints: hints.clone() };
    let exchange = HintExchange::new(transport, receiver, queue.clone());
    Signals {
        signal: Arc::new(SharedSignal::new(signal, hints.clone())),
        stream: Arc::new(SharedEventStream::new(stream, hints.clone())),
        orders: Arc::new(SharedOrders::new(worker, hints)),
        exchange: Some(Exchange { link: redis.cloned(), hints: Arc::new(exchange) }),
    }
}

//! The connection for short commands, and whether Redis works.

use std::sync::Arc;
use std::time::Duration;

use crewd_telemetry::Metrics;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, RedisError, RedisResult, ScriptInvocation};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use uuid::Uuid;

use super::config::{RedisConfig, RedisConfigError};
use super::failure::Away;

/// How often Redis is asked whether it still works.
const PROBE: Duration = Duration::from_secs(1);
/// Pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// For how long the probe's key is kept, in seconds.
const PROBE_KEPT: u32 = 10;

/// A connection that comes back by itself. While there is none, commands fail at once, so that nobody waits.
///
/// Clones are the same connection. Somebody must run [`RedisLink::keep`].
#[derive(Clone)]
pub struct RedisLink {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    config: RedisConfig,
    state: watch::Sender<LinkState>,
    /// A command failed in a way that makes the connection doubtful.
    suspected: Notify,
    metrics: Arc<Metrics>,
}

#[derive(Clone)]
pub(super) enum LinkState {
    /// Nobody knows yet.
    Connecting,
    Up(MultiplexedConnection),
    Away(Away),
}

impl RedisLink {
    /// A link that is not connected yet.
    ///
    /// # Errors
    /// An address that is none of Redis.
    pub fn open(config: RedisConfig, metrics: Arc<Metrics>) -> Result<Self, RedisConfigError> {
        let client = config.client()?;
        let (state, _) = watch::channel(LinkState::Connecting);
        metrics.set_redis_up(false);
        Ok(Self { inner: Arc::new(Inner { client, config, state, suspected: Notify::new(), metrics }) })
    }

    /// Connects, watches the connection and connects again, for ever.
    pub async fn keep(&self) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.connect().await {
                Ok(connection) => {
                    pause = FIRST_PAUSE;
                    self.set_up(connection.clone());
                    let away = self.watch(connection).await;
                    self.set_away(away);
                }
                Err(away) => self.set_away(away),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether Redis works.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(&*self.inner.state.borrow(), LinkState::Up(_))
    }

    /// Waits until Redis works.
    pub async fn connected(&self) {
        // The sender lives as long as this.
        let _ = self.inner.state.subscribe().wait_for(|state| matches!(state, LinkState::Up(_))).await;
    }

    pub(super) fn state(&self) -> LinkState {
        self.inner.state.borrow().clone()
    }

    pub(super) fn origin(&self) -> Uuid {
        self.inner.config.origin
    }

    pub(super) fn client(&self) -> &Client {
        &self.inner.client
    }

    pub(super) fn timeout(&self) -> Duration {
        self.inner.config.timeout
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        self.inner.config.connect_timeout
    }

    /// A key or channel of this installation.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.inner.config.prefix)
    }

    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Away> {
        let mut connection = self.connection()?;
        self.noted(command.query_async(&mut connection).await)
    }

    pub(super) async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, Away> {
        let mut connection = self.connection()?;
        self.noted(pipeline.query_async(&mut connection).await)
    }

    pub(super) async fn script<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, Away> {
        let mut connection = self.connection()?;
        self.noted(script.invoke_async(&mut connection).await)
    }

    /// A connection of its own whose answers may take `response`.
    pub(super) async fn own_connection(&self, response: Duration) -> Result<MultiplexedConnection, Away> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout()))
            .set_response_timeout(Some(response));
        // The greeting after the connection has no limit of its own.
        let connecting = self.inner.client.get_multiplexed_async_connection_with_config(&config);
        let connected = timeout(self.connect_timeout() + self.timeout(), connecting).await.map_err(|_| Away::no_answer())?;
        connected.map_err(|error| Away::from(&error))
    }

    fn connection(&self) -> Result<MultiplexedConnection, Away> {
        match &*self.inner.state.borrow() {
            LinkState::Up(connection) => Ok(connection.clone()),
            LinkState::Connecting => Err(Away::new("it is being connected")),
            LinkState::Away(away) => Err(away.clone()),
        }
    }

    fn noted<T>(&self, result: RedisResult<T>) -> Result<T, Away> {
        result.map_err(|error| {
            if is_doubtful(&error) {
                self.inner.suspected.notify_one();
            }
            Away::from(&error)
        })
    }

    async fn connect(&self) -> Result<MultiplexedConnection, Away> {
        let mut connection = self.own_connection(self.timeout()).await?;
        self.probe(&mut connection).await?;
        Ok(connection)
    }

    /// Writes: a Redis that only reads is of no use.
    async fn probe(&self, connection: &mut MultiplexedConnection) -> Result<(), Away> {
        let mut command = redis::cmd("SET");
        command.arg(self.key("alive")).arg(self.origin().to_string()).arg("EX").arg(PROBE_KEPT);
        command.query_async::<()>(connection).await.map_err(|error| Away::from(&error))
    }

    /// Returns when the connection is of no use any more.
    async fn watch(&self, mut connection: MultiplexedConnection) -> Away {
        loop {
            tokio::select! {
                () = self.inner.suspected.notified() => {}
                () = tokio::time::sleep(PROBE) => {}
            }
            if let Err(away) = self.probe(&mut connection).await {
                return away;
            }
        }
    }

    fn set_up(&self, connection: MultiplexedConnection) {
        self.inner.metrics.set_redis_up(true);
        let before = self.inner.state.send_replace(LinkState::Up(connection));
        match before {
            LinkState::Connecting => tracing::info!("Redis is connected"),
            LinkState::Away(_) => tracing::info!("Redis is back"),
            LinkState::Up(_) => {}
        }
    }

    /// Says so once for each reason.
    fn set_away(&self, away: Away) {
        self.inner.metrics.set_redis_up(false);
        let (reason, detail) = (away.to_string(), away.detail.clone());
        let before = self.inner.state.send_replace(LinkState::Away(away));
        if !matches!(before, LinkState::Away(known) if known.to_string() == reason) {
            tracing::warn!(reason, error = detail, "Redis is away: everything goes on without it, and it is tried again");
        }
    }
}

/// Errors after which the connection may be dead. What the server says in words came over a living one, but it may have
/// become of no use.
fn is_doubtful(error: &RedisError) -> bool {
    error.is_io_error() || error.is_timeout() || error.is_connection_dropped() || error.is_unrecoverable_error()
}

//! The connection that listens, and whether it still hears.
//!
//! A process hears its own messages, too. So it says from time to time that it is there: when it does not hear that, the
//! connection is dead, or a pooler hands the notifications to somebody else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::DbErr;
use sea_orm::sqlx;
use sea_orm::sqlx::postgres::PgListener;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::neighbours::Presence;
use super::transport::{CHANNEL, PostgresNotify};
use crate::persistence::error::{Fault, failed, fault};
use crate::queue::hints::HintReceiver;

/// How often a process says that it is there. It must have heard itself before the next time.
pub(super) const BEAT: Duration = Duration::from_secs(5);
/// Until a connection must stand and listen.
const CONNECT: Duration = Duration::from_secs(10);
/// Where notifications have never been heard it is tried again after this time.
const DEAF: Duration = Duration::from_secs(60);

/// Why nothing is heard any more.
pub(super) enum Ended {
    /// The connection is gone, or could not be opened.
    Lost(String),
    /// The database refuses to listen, or the connection stands and one's own words do not come back.
    Deaf(String),
}

impl From<sqlx::Error> for Ended {
    fn from(error: sqlx::Error) -> Self {
        let error: DbErr = failed(error);
        match fault(&error) {
            Fault::Lasting => Self::Deaf(error.to_string()),
            Fault::Lost | Fault::Again => Self::Lost(error.to_string()),
        }
    }
}

/// What is known of hearing over all connections of a process.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    /// The process has said something that it has not heard yet.
    is_awaited: AtomicBool,
    /// It has heard itself at least once.
    has_heard: AtomicBool,
    /// It has been told to the operator that nothing is heard.
    pub(super) is_told: AtomicBool,
}

impl PostgresNotify {
    /// Listens until the connection is lost; says why.
    pub(super) async fn hear(&self, receiver: &HintReceiver) -> String {
        let ended = match self.connect().await {
            Ok(mut listener) => {
                tokio::select! {
                    ended = self.take_all(&mut listener, receiver) => ended,
                    ended = self.say_presence() => ended,
                }
            }
            Err(ended) => ended,
        };
        self.metrics.set_notify_up(false);
        match ended {
            Ended::Lost(reason) => reason,
            Ended::Deaf(reason) => {
                self.rest_if_never_heard(&reason).await;
                reason
            }
        }
    }

    async fn connect(&self) -> Result<PgListener, Ended> {
        let connecting = async {
            // A pool for each connection: a dead one may keep its place in its pool for a long time.
            let pool = self.opener.pool(1);
            let mut listener = PgListener::connect_with(pool.get_postgres_connection_pool()).await?;
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok(listener)
        };
        timeout(CONNECT, connecting).await.map_err(|_| Ended::Lost("no answer in time".to_owned()))?
    }

    async fn take_all(&self, listener: &mut PgListener, receiver: &HintReceiver) -> Ended {
        loop {
            match listener.try_recv().await {
                Ok(Some(notification)) => self.take(notification.payload(), receiver),
                Ok(None) => return Ended::Lost("the connection was closed".to_owned()),
                Err(error) => return error.into(),
            }
        }
    }

    /// Returns when the process does not hear itself.
    async fn say_presence(&self) -> Ended {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.hearing.is_awaited.store(false, Ordering::SeqCst);
        let mut presence = Presence::Arrived(self.origin);
        loop {
            tokio::select! {
                _ = beats.tick() => if self.hearing.is_awaited.swap(true, Ordering::SeqCst) {
                    return Ended::Deaf("notifications are accepted and not heard".to_owned());
                },
                () = self.arrived.notified() => {}
            }
            match self.say(&[presence.to_text()]).await {
                Ok(()) => presence = Presence::Here(self.origin),
                // A database that cannot be told anything is no reason to listen anew.
                Err(reason) => {
                    self.hearing.is_awaited.store(false, Ordering::SeqCst);
                    self.metrics.set_notify_up(false);
                    tracing::debug!(reason, "other processes were not told that this one is there");
                }
            }
        }
    }

    /// One's own words have come back.
    pub(super) fn note_own(&self) {
        self.hearing.is_awaited.store(false, Ordering::SeqCst);
        self.metrics.set_notify_up(true);
        self.hearing.is_told.store(false, Ordering::SeqCst);
        if !self.hearing.has_heard.swap(true, Ordering::SeqCst) {
            tracing::info!("PostgreSQL tells this process of work, events and orders of others");
        }
    }

    /// Behind a pooler that hands each transaction to another connection nothing will ever be heard.
    async fn rest_if_never_heard(&self, reason: &str) {
        if self.hearing.has_heard.load(Ordering::SeqCst) {
            return;
        }
        if !self.hearing.is_told.swap(true, Ordering::SeqCst) {
            tracing::warn!(
                reason,
                "PostgreSQL's notifications do not reach this process, perhaps because of a pooler: work, events and orders \
                 of others are found by asking (APP_DATABASE_NOTIFY=off does not try)"
            );
        }
        tokio::time::sleep(DEAF).await;
    }
}

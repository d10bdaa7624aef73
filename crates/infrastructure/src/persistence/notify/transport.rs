//! The way of hints.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use crewd_telemetry::Metrics;
use sea_orm::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use uuid::Uuid;

use super::listening::{BEAT, Hearing};
use super::neighbours::{Neighbours, Presence};
use crate::persistence::dialect::statement;
use crate::persistence::server::Opener;
use crate::persistence::session::Readers;
use crate::queue::hints::{Carried, HintBatch, HintReceiver, HintTransport, TransportError, wire};

/// Channels belong to one database, so that installations do not hear each other.
pub(super) const CHANNEL: &str = "crewd_hints";
/// Logs in one message at most, and as many runs: a message must stay under 8,000 bytes.
const MOST_IN_MESSAGE: usize = 75;
/// Messages in one statement.
const MOST_IN_STATEMENT: usize = 16;
/// Until the database must have taken a message.
const SEND: Duration = Duration::from_secs(1);
/// After a message the next one waits: what comes meanwhile goes with it.
const GATHERING: Duration = Duration::from_millis(5);
/// All idle workers are told of the same work, and most find it taken: none looks more often than this because of it.
const LOOK: Duration = Duration::from_millis(20);
/// Runs that are noted at most while nobody looks.
const MOST_WORK: usize = 1_000;

/// Carries hints over PostgreSQL's notifications. All processes are told of work, and whoever has room looks for it.
pub struct PostgresNotify {
    pub(super) opener: Opener,
    readers: Readers,
    pub(super) origin: Uuid,
    pub(super) metrics: Arc<Metrics>,
    pub(super) hearing: Hearing,
    neighbours: Neighbours,
    work: Mutex<Work>,
    told: Notify,
    /// Somebody has arrived and is to be answered.
    pub(super) arrived: Notify,
}

/// Work that was heard of.
#[derive(Debug, Default)]
struct Work {
    runs: usize,
    looked: Option<Instant>,
}

impl PostgresNotify {
    pub(in crate::persistence) fn new(opener: Opener, readers: Readers, origin: Uuid, metrics: Arc<Metrics>) -> Self {
        metrics.set_notify_up(false);
        Self {
            opener,
            readers,
            origin,
            metrics,
            hearing: Hearing::default(),
            neighbours: Neighbours::default(),
            work: Mutex::default(),
            told: Notify::new(),
            arrived: Notify::new(),
        }
    }

    /// Sends messages in transactions of their own. PostgreSQL lets one such transaction commit at a time, so that none
    /// waits for the disk: a hint that is lost in a crash does no harm.
    pub(super) async fn say(&self, messages: &[String]) -> Result<(), String> {
        for some in messages.chunks(MOST_IN_STATEMENT) {
            let calls = vec!["pg_notify(?, ?)"; some.len()].join(", ");
            let sql = format!("SELECT set_config('synchronous_commit', 'off', true), {calls}");
            let values: Vec<Value> = some.iter().flat_map(|message| [CHANNEL.into(), message.as_str().into()]).collect();
            let question = statement(self.readers.backend(), sql, values);
            let sent = timeout(SEND, self.readers.query_all_raw(question)).await;
            sent.map_err(|_| "no answer in time".to_owned())?.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Passes on what a message tells.
    pub(super) fn take(&self, message: &str, receiver: &HintReceiver) {
        match Presence::of_text(message) {
            Some(Presence::Arrived(origin) | Presence::Here(origin)) if origin == self.origin => self.note_own(),
            Some(Presence::Here(_)) => self.neighbours.note(),
            Some(Presence::Arrived(_)) => {
                self.neighbours.note();
                self.arrived.notify_one();
            }
            None => {
                let Some(batch) = wire::heard(self.origin, message.as_bytes()) else { return };
                self.neighbours.note();
                if batch.work > 0 {
                    let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
                    work.runs = work.runs.saturating_add(batch.work).min(MOST_WORK);
                    drop(work);
                    self.told.notify_one();
                }
                receiver.receive(&HintBatch { work: 0, ..batch });
            }
        }
    }

    /// Takes what was heard of work, up to so many runs. The rest is not kept: who has room then looks anyway.
    fn take_work(&self, most: usize) -> usize {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = std::mem::take(&mut work.runs).min(most);
        if runs > 0 {
            work.looked = Some(Instant::now());
        }
        runs
    }

    fn looked(&self) -> Option<Instant> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).looked
    }
}

#[async_trait]
impl HintTransport for PostgresNotify {
    async fn send(&self, hints: &HintBatch) -> Result<Carried, TransportError> {
        if !self.neighbours.are_there(BEAT * 3) {
            return Ok(Carried::Nobody);
        }
        let messages = wire::messages(self.origin, hints.work, hints, MOST_IN_MESSAGE);
        self.say(&messages).await.map_err(TransportError)?;
        sleep(GATHERING).await;
        Ok(Carried::Told)
    }

    async fn listen(&self, receiver: &HintReceiver) -> TransportError {
        TransportError(self.hear(receiver).await)
    }

    async fn next_work(&self, most: usize) -> Result<usize, TransportError> {
        if let Some(looked) = self.looked() {
            sleep_until(looked + LOOK).await;
        }
        loop {
            let told = self.told.notified();
            let runs = self.take_work(most);
            if runs > 0 {
                return Ok(runs);
            }
            told.await;
        }
    }

    /// The others have been told already.
    async fn hand_on(&self, _: usize) -> Result<(), TransportError> {
        Ok(())
    }

    /// Nothing waits to be told.
    async fn is_time_to_compare(&self) -> Result<bool, TransportError> {
        Ok(false)
    }

    async fn correct(&self, _: u64) -> Result<(), TransportError> {
        Ok(())
    }
}

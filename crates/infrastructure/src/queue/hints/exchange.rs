//! Keeps hints going in both directions.

use std::sync::Arc;
use std::time::Duration;

use crewd_application::ports::{RunQueue, WorkSignal};

use super::{Carried, HintReceiver, HintTransport, Hints};

/// How long hints are gathered that are in no hurry: a reader of a log notices nothing of it.
const GATHERING: Duration = Duration::from_millis(5);
/// Runs that are told of at once.
const MOST_WORK_AT_ONCE: usize = 64;
/// How often somebody asks whether it is time to compare with the queue.
const COMPARE: Duration = Duration::from_secs(5);
/// After a failure it is tried again after this time, later after longer ones.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What a process hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HintDuties {
    /// Whether it has a worker that is to be told of work.
    pub works: bool,
}

/// The exchange of hints with the other processes. It works until its future is dropped.
pub struct HintExchange {
    transport: Arc<dyn HintTransport>,
    hints: Hints,
    receiver: HintReceiver,
    queue: Arc<dyn RunQueue>,
}

impl HintExchange {
    /// Tells what is left in the hints of `receiver`, and gives it what is heard.
    #[must_use]
    pub fn new(transport: Arc<dyn HintTransport>, receiver: HintReceiver, queue: Arc<dyn RunQueue>) -> Self {
        Self { transport, hints: receiver.hints.clone(), receiver, queue }
    }

    /// Works for ever.
    pub async fn run(&self, duties: HintDuties) {
        let work = async {
            if duties.works {
                self.hear_of_work().await;
            }
        };
        tokio::join!(self.tell(), self.listen(), self.compare(), work);
    }

    /// Tells the others. Orders and work go at once; what gathers meanwhile goes together.
    async fn tell(&self) {
        loop {
            let batch = self.hints.next().await;
            match self.transport.send(&batch).await {
                Ok(Carried::Told) => self.hints.count("sent", batch.len()),
                Ok(Carried::Nobody) => {}
                Err(error) => {
                    tracing::debug!(%error, hints = batch.len(), "hints were dropped");
                    self.hints.count("dropped", batch.len());
                }
            }
            if batch.work == 0 && batch.orders.is_empty() {
                tokio::time::sleep(GATHERING).await;
            }
        }
    }

    async fn listen(&self) {
        let mut pause = Pause::default();
        loop {
            let began = tokio::time::Instant::now();
            let error = self.transport.listen(&self.receiver).await;
            tracing::debug!(%error, "hints are not heard for a moment");
            if began.elapsed() > LONGEST_PAUSE {
                pause = Pause::default();
            }
            pause.wait().await;
        }
    }

    /// Hears of work only while there is room for it.
    async fn hear_of_work(&self) {
        let mut pause = Pause::default();
        loop {
            let room = self.hints.room().await.min(MOST_WORK_AT_ONCE);
            match self.transport.next_work(room).await {
                Ok(0) => {}
                Ok(runs) => {
                    pause = Pause::default();
                    self.take_work(runs).await;
                }
                Err(error) => {
                    tracing::debug!(%error, "work is not heard of for a moment");
                    pause.wait().await;
                }
            }
        }
    }

    /// The room may have gone to other runs while this process waited for work.
    async fn take_work(&self, runs: usize) {
        let fit = self.hints.take_rooms(runs);
        if fit > 0 {
            self.receiver.hints.count("heard", fit);
            self.receiver.signal.notify();
        }
        if fit < runs
            && let Err(error) = self.transport.hand_on(runs - fit).await
        {
            tracing::debug!(%error, "work was not handed on");
        }
    }

    /// From time to time one process compares what waits to be told with the queue: hints may be lost, and a worker
    /// takes more than it was told of.
    async fn compare(&self) {
        loop {
            tokio::time::sleep(COMPARE).await;
            if !matches!(self.transport.is_time_to_compare().await, Ok(true)) {
                continue;
            }
            let queued = match self.queue.depth().await {
                Ok(queued) => queued,
                Err(error) => {
                    tracing::debug!(%error, "the queue's depth could not be read");
                    continue;
                }
            };
            if let Err(error) = self.transport.correct(queued).await {
                tracing::debug!(%error, "what waits to be told was not corrected");
            }
        }
    }
}

/// Grows with each failure.
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pause {
    async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}

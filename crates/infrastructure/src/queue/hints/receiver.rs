//! What other processes told.

use std::sync::Arc;

use crewd_application::ports::{RunOrders, WorkSignal};

use super::{HintBatch, Hints};
use crate::queue::{LocalEventStream, LocalSignal};

/// Gives hints to the parts of this process that they are for.
#[derive(Clone)]
pub struct HintReceiver {
    /// Wakes the worker.
    pub signal: Arc<LocalSignal>,
    /// Reaches the readers of logs.
    pub stream: LocalEventStream,
    /// Reaches the runs at work.
    pub orders: Arc<dyn RunOrders>,
    /// Counts what is heard.
    pub hints: Hints,
}

impl HintReceiver {
    /// Passes on what another process told. Never blocks.
    pub fn receive(&self, batch: &HintBatch) {
        self.hints.count("heard", batch.len());
        if batch.work > 0 {
            self.signal.notify();
        }
        for (task, seq) in &batch.events {
            self.stream.hint_read_again(*task, *seq);
        }
        for run in &batch.orders {
            self.orders.look(*run);
        }
    }
}

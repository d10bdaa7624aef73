//! Orders that nobody here hears: they take the way through the database, as those of other processes do.

use crewd_domain::shared::RunId;

use crate::ports::{ControlItem, RunOrders};

/// A process without a worker.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWorker;

impl RunOrders for NoWorker {
    fn give(&self, _: &ControlItem) {}

    fn look(&self, _: RunId) {}
}

//! The way from the task service to the worker of this process, which is made later than the service.

use std::sync::{Arc, OnceLock};

use crewd_application::ports::{ControlItem, RunOrders};
use crewd_domain::shared::RunId;
use crewd_orchestration::worker::Worker;

/// Passes orders to the worker once there is one; until then, and without one, they wait in the database.
#[derive(Default)]
pub(crate) struct WorkerOrders {
    worker: OnceLock<Arc<Worker>>,
}

impl WorkerOrders {
    /// From now on orders reach this worker.
    pub(crate) fn connect(&self, worker: Arc<Worker>) {
        // A process has one worker; a second one would find its orders in the database.
        let _ = self.worker.set(worker);
    }
}

impl RunOrders for WorkerOrders {
    fn give(&self, order: &ControlItem) {
        if let Some(worker) = self.worker.get() {
            worker.give(order);
        }
    }

    fn look(&self, run_id: RunId) {
        if let Some(worker) = self.worker.get() {
            worker.look(run_id);
        }
    }
}

//! Orders to runs that a worker of this process holds. Hints only: the order itself is in the database.

use crewd_domain::shared::RunId;

use super::queue::ControlItem;

/// Reaches the worker of this process at once, so that no step begins after an order was acknowledged. Workers of
/// other processes find the order in the database a moment later, sooner where processes share hints.
pub trait RunOrders: Send + Sync {
    /// Passes on an order that has been committed. Never blocks; a run that is not held here is no error.
    fn give(&self, order: &ControlItem);

    /// There may be an order for this run in the database: whoever holds it here looks at once. Never blocks.
    fn look(&self, run_id: RunId);
}

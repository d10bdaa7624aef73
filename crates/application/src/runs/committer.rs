//! Persist, then publish: the only way an event leaves this process.

use std::sync::Arc;

use crewd_domain::runs::Event;

use crate::fault;
use crate::ports::{EventStream, Store, StoreError, UnitOfWork};

/// Commits units and then tells the readers of their events, so that a published event is never lost.
#[derive(Clone)]
pub struct Committer {
    store: Arc<dyn Store>,
    stream: Arc<dyn EventStream>,
}

impl Committer {
    /// Commits to `store`, publishes to `stream`.
    #[must_use]
    pub const fn new(store: Arc<dyn Store>, stream: Arc<dyn EventStream>) -> Self {
        Self { store, stream }
    }

    /// Commits a unit and publishes its events.
    ///
    /// # Errors
    /// Those of [`Store::commit`]; nothing is published then.
    pub async fn commit(&self, unit: UnitOfWork) -> Result<(), StoreError> {
        let passing = fault::Passing::before(&unit);
        let events: Vec<Arc<Event>> = unit.events().cloned().collect();
        self.store.commit(unit).await?;
        passing.after();
        if !events.is_empty() {
            self.stream.publish(&events);
        }
        Ok(())
    }
}

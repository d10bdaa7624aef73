//! The port for units of work.

use async_trait::async_trait;
use crewd_application::ports::{Store, StoreError, UnitOfWork};

use super::writer::WriterHandle;

/// Commits units through the writer of a database. Dropping the call's future does not take a unit back: it may be
/// committed all the same.
#[derive(Clone, Debug)]
pub struct SeaStore {
    writer: WriterHandle,
}

impl SeaStore {
    pub(super) const fn new(writer: WriterHandle) -> Self {
        Self { writer }
    }
}

#[async_trait]
impl Store for SeaStore {
    async fn commit(&self, unit: UnitOfWork) -> Result<(), StoreError> {
        self.writer.commit(unit).await
    }
}

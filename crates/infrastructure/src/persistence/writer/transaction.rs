//! One group, one transaction.

use std::collections::HashMap;

use crewd_application::ports::{Durability, StoreError};
use crewd_domain::shared::TenantId;
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr};
use sea_orm::{SqliteTransactionMode, TransactionOptions, TransactionTrait};

use super::claim;
use super::lookup;
use super::plan::{Plan, wanted_runs, wanted_tasks};
use super::work::{Outcome, Work};
use super::write;
use crate::persistence::error::unavailable;
use crate::persistence::rows::IDEMPOTENCY_KEYS;

/// Definitions by tenant, name and version. A version never changes, so none is ever stale.
pub(super) type Definitions = HashMap<(TenantId, String, String), String>;

/// Why a transaction came to nothing.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: StoreError,
    /// It could not even begin: trying the same work in parts would only wait once more for each part.
    pub(super) is_general: bool,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { error, is_general: false }
    }
}

fn general(error: DbErr) -> Failure {
    Failure { error: unavailable(error), is_general: true }
}

/// The writing connection and what it remembers between transactions.
pub(super) struct Transactions {
    connection: DatabaseConnection,
    backend: DbBackend,
    durability: Durability,
    definitions: Definitions,
}

impl Transactions {
    pub(super) fn new(connection: DatabaseConnection) -> Self {
        let backend = connection.get_database_backend();
        // Connections are opened with the stronger durability.
        Self { connection, backend, durability: Durability::Journal, definitions: Definitions::new() }
    }

    /// Does all the work, or nothing and an error. A unit that is refused by a guard is just left out.
    pub(super) async fn together(&mut self, work: &Work) -> Result<Outcome, Failure> {
        self.transact(work, false).await
    }

    /// Does the work of one command. A taken idempotency key gets a second look: it may have expired.
    pub(super) async fn alone(&mut self, work: &Work) -> Result<Outcome, Failure> {
        match self.transact(work, false).await {
            Err(Failure { error: StoreError::Duplicate(key), .. }) if key == IDEMPOTENCY_KEYS.key_name => {
                self.transact(work, true).await
            }
            result => result,
        }
    }

    async fn transact(&mut self, work: &Work, purge_keys: bool) -> Result<Outcome, Failure> {
        self.demand(work.durability()).await.map_err(general)?;
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = self.connection.begin_with_options(options).await.map_err(general)?;
        match self.fill(&transaction, work, purge_keys).await {
            Ok(outcome) => {
                transaction.commit().await.map_err(unavailable)?;
                Ok(outcome)
            }
            Err(error) => {
                if let Err(rollback) = transaction.rollback().await {
                    tracing::warn!(error = %rollback, "a failed transaction could not be rolled back");
                }
                Err(error.into())
            }
        }
    }

    async fn fill(&mut self, transaction: &DatabaseTransaction, work: &Work, purge_keys: bool) -> Result<Outcome, StoreError> {
        let mut outcome = Outcome::default();
        if !work.units.is_empty() {
            let runs = lookup::runs(transaction, self.backend, wanted_runs(&work.units)).await?;
            let priorities = lookup::priorities(transaction, self.backend, wanted_tasks(&work.units)).await?;
            let mut plan = Plan::new(runs, priorities);
            outcome.units = work.units.iter().map(|unit| plan.admit(unit)).collect();
            if purge_keys {
                write::purge_keys(transaction, self.backend, &plan).await?;
            }
            write::write(transaction, self.backend, plan).await?;
        }
        for request in &work.claims {
            outcome.claims.push(claim::claim(transaction, self.backend, &mut self.definitions, request).await?);
        }
        for request in &work.renewals {
            outcome.renewals.push(claim::renew(transaction, self.backend, request).await?);
        }
        Ok(outcome)
    }

    /// SQLite flushes the disk at every commit (`FULL`) or only now and then (`NORMAL`). One connection is switched
    /// between the two, because two writing connections would empty each other's page cache.
    async fn demand(&mut self, durability: Durability) -> Result<(), DbErr> {
        if self.durability == durability || self.backend != DbBackend::Sqlite {
            return Ok(());
        }
        let pragma = match durability {
            Durability::Delta => "PRAGMA synchronous = NORMAL",
            Durability::Journal => "PRAGMA synchronous = FULL",
        };
        self.connection.execute_unprepared(pragma).await?;
        self.durability = durability;
        Ok(())
    }
}

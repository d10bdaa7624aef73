//! One group, one transaction.

use std::collections::HashMap;

use crewd_application::ports::{Durability, StoreError};
use crewd_domain::shared::TenantId;
use sea_orm::{DatabaseConnection, DbBackend, DbErr};

use super::bundle::{bundled, is_bundle};
use super::choice;
use super::claim;
use super::lookup;
use super::plan::{Plan, wanted_runs, wanted_tasks};
use super::script;
use super::turns::Turns;
use super::work::{Outcome, Work};
use super::write;
use crate::persistence::error::unavailable;
use crate::persistence::rows::IDEMPOTENCY_KEYS;
use crate::persistence::session::Session;

/// Definitions by tenant, name and version. A version never changes, so none is ever stale.
pub(super) type Definitions = HashMap<(TenantId, String, String), String>;

/// Takes the right to write at once: a transaction that reads first could not get it any more.
const BEGIN: &str = "BEGIN IMMEDIATE";

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
    pool: DatabaseConnection,
    /// The one connection, between two transactions.
    kept: Option<Session>,
    /// Whether it is kept: not in memory, where readers need it.
    keeps: bool,
    backend: DbBackend,
    durability: Durability,
    definitions: Definitions,
    turns: Turns,
}

impl Transactions {
    pub(super) fn new(pool: DatabaseConnection, keeps: bool) -> Self {
        let backend = pool.get_database_backend();
        // Connections are opened with the stronger durability.
        let durability = Durability::Journal;
        Self { pool, kept: None, keeps, backend, durability, definitions: Definitions::new(), turns: Turns::default() }
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
        let session = match self.kept.take() {
            Some(session) => session,
            None => Session::of(&self.pool).await.map_err(general)?,
        };
        let result = self.transact_on(&session, work, purge_keys).await;
        if self.keeps {
            self.kept = Some(session);
        }
        result
    }

    async fn transact_on(&mut self, session: &Session, work: &Work, purge_keys: bool) -> Result<Outcome, Failure> {
        if !purge_keys
            && is_bundle(self.backend, work)
            && let Some(outcome) = self.bundle(session, work).await
        {
            return Ok(outcome);
        }
        self.demand(session, work.durability()).await.map_err(general)?;
        session.execute_text(BEGIN).await.map_err(general)?;
        let filled = self.fill(session, work, purge_keys).await;
        let ended = match filled {
            Ok(outcome) => session.execute_text("COMMIT").await.map(|()| outcome).map_err(unavailable),
            Err(error) => Err(error),
        };
        if ended.is_err()
            && let Err(rollback) = session.execute_text("ROLLBACK").await
        {
            // A commit that failed may have ended the transaction itself.
            tracing::debug!(error = %rollback, "a failed transaction was not rolled back");
        }
        ended.map_err(Failure::from)
    }

    async fn fill(&mut self, transaction: &Session, work: &Work, purge_keys: bool) -> Result<Outcome, StoreError> {
        let mut outcome = Outcome::default();
        if !work.units.is_empty() {
            let runs = lookup::runs(transaction, self.backend, wanted_runs(&work.units)).await?;
            let priorities = lookup::priorities(transaction, self.backend, wanted_tasks(&work.units)).await?;
            let mut plan = Plan::new(runs, priorities);
            outcome.units = work.units.iter().map(|unit| plan.admit(unit)).collect();
            if purge_keys {
                write::purge_keys(transaction, self.backend, &plan).await?;
            }
            plan.hooks.ask(transaction, self.backend).await?;
            write::write(transaction, write::statements(self.backend, &plan)?).await?;
        }
        for request in &work.claims {
            let chosen = choice::choose(transaction, self.backend, &mut self.turns, request).await?;
            outcome.claims.push(claim::claim(transaction, self.backend, &mut self.definitions, request, chosen).await?);
        }
        for script in &work.scripts {
            outcome.scripts.push(script::execute(transaction, script).await?);
        }
        Ok(outcome)
    }

    async fn bundle(&mut self, session: &Session, work: &Work) -> Option<Outcome> {
        let durability = work.durability();
        let begin = match pragma(durability) {
            pragma if self.durability != durability => format!("{pragma};{BEGIN}"),
            _ => BEGIN.to_owned(),
        };
        let outcome = bundled(session, &begin, work).await?;
        self.durability = durability;
        Some(outcome)
    }

    /// SQLite flushes the disk at every commit (`FULL`) or only now and then (`NORMAL`). One connection is switched
    /// between the two, because two writing connections would empty each other's page cache.
    async fn demand(&mut self, session: &Session, durability: Durability) -> Result<(), DbErr> {
        if self.durability == durability || self.backend != DbBackend::Sqlite {
            return Ok(());
        }
        session.execute_text(pragma(durability)).await?;
        self.durability = durability;
        Ok(())
    }
}

const fn pragma(durability: Durability) -> &'static str {
    match durability {
        Durability::Delta => "PRAGMA synchronous = NORMAL",
        Durability::Journal => "PRAGMA synchronous = FULL",
    }
}

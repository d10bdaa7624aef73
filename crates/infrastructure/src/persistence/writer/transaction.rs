//! One group, one transaction.

use std::collections::HashMap;

use crewd_application::ports::{Durability, StoreError};
use crewd_domain::shared::TenantId;
use sea_orm::{DatabaseConnection, DbBackend, DbErr};

use super::bundle::{bundled, is_bundle};
use super::choice;
use super::claim;
use super::evidence::Evidence;
use super::lookup;
use super::plan::{Plan, wanted_runs, wanted_tasks};
use super::script;
use super::turns::Turns;
use super::work::{Outcome, Work};
use super::write;
use crate::persistence::error::{Fault, fault, store_fault, unavailable};
use crate::persistence::info::Capabilities;
use crate::persistence::pools::Pools;
use crate::persistence::rows::IDEMPOTENCY_KEYS;
use crate::persistence::session::{Session, pause_before};

/// Definitions by tenant, name and version. A version never changes, so none is ever stale.
pub(super) type Definitions = HashMap<(TenantId, String, String), String>;

/// Why a transaction came to nothing.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: StoreError,
    /// It could not even begin: trying the same work in parts would only wait once more for each part.
    pub(super) is_general: bool,
    /// The commit was sent and not confirmed: the work may have been done. What it would have answered.
    in_doubt: Option<Box<Outcome>>,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { error, is_general: false, in_doubt: None }
    }
}

fn general(error: DbErr) -> Failure {
    Failure { error: unavailable(error), is_general: true, in_doubt: None }
}

/// The writing connection and what it remembers between transactions.
pub(super) struct Transactions {
    pool: DatabaseConnection,
    /// The one connection, between two transactions.
    kept: Option<Session>,
    keeps: bool,
    backend: DbBackend,
    capabilities: Capabilities,
    retries: u32,
    durability: Durability,
    definitions: Definitions,
    turns: Turns,
}

impl Transactions {
    pub(super) fn new(pools: &Pools, capabilities: Capabilities, retries: u32) -> Self {
        let pool = pools.writer.clone();
        Self {
            backend: pool.get_database_backend(),
            pool,
            kept: None,
            keeps: pools.keeps_writer,
            capabilities,
            retries,
            // Connections are opened with the stronger durability.
            durability: Durability::Journal,
            definitions: Definitions::new(),
            turns: Turns::default(),
        }
    }

    /// Does all the work, or nothing and an error. A unit that is refused by a guard is just left out.
    pub(super) async fn together(&mut self, work: &Work) -> Result<Outcome, Failure> {
        self.insist(work, false).await
    }

    /// Does the work of one command. A taken idempotency key gets a second look: it may have expired.
    pub(super) async fn alone(&mut self, work: &Work) -> Result<Outcome, Failure> {
        match self.insist(work, false).await {
            Err(Failure { error: StoreError::Duplicate(key), .. }) if key == IDEMPOTENCY_KEYS.key_name => {
                self.insist(work, true).await
            }
            result => result,
        }
    }

    /// Tries again after a lost connection, a deadlock or a serialization failure. A commit that was not confirmed is
    /// looked for first: it must not be made twice.
    async fn insist(&mut self, work: &Work, purge_keys: bool) -> Result<Outcome, Failure> {
        let mut attempt = 0;
        let mut in_doubt: Option<Box<Outcome>> = None;
        loop {
            let result = match in_doubt.take() {
                Some(outcome) => self.settle(work, outcome, purge_keys).await,
                None => self.transact(work, purge_keys).await,
            };
            let mut failure = match result {
                Ok(outcome) => return Ok(outcome),
                Err(failure) => failure,
            };
            // Without a way to pass over what others hold, two claims may have chosen the same run.
            let is_race = matches!(failure.error, StoreError::Conflict) && !work.claims.is_empty();
            if attempt >= self.retries || (store_fault(&failure.error) == Fault::Lasting && !is_race) {
                return Err(failure);
            }
            attempt += 1;
            tracing::debug!(error = ?failure.error, attempt, "a transaction is tried again");
            in_doubt = failure.in_doubt.take();
            tokio::time::sleep(pause_before(attempt)).await;
        }
    }

    async fn session(&mut self) -> Result<Session, Failure> {
        match self.kept.take() {
            Some(session) => Ok(session),
            None => {
                self.durability = Durability::Journal;
                Session::of(&self.pool).await.map_err(general)
            }
        }
    }

    async fn put_back(&mut self, session: Session) {
        if session.is_lost() {
            session.close().await;
        } else if self.keeps {
            self.kept = Some(session);
        }
    }

    /// Finds out whether an unconfirmed commit was made, and does the work if it was not.
    async fn settle(&mut self, work: &Work, outcome: Box<Outcome>, purge_keys: bool) -> Result<Outcome, Failure> {
        let Some(evidence) = Evidence::of(work, &outcome) else {
            let lost = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "a commit was not confirmed");
            return Err(StoreError::Unavailable(Box::new(lost)).into());
        };
        let session = match self.session().await {
            Ok(session) => session,
            Err(failure) => return Err(Failure { in_doubt: Some(outcome), ..failure }),
        };
        let found = evidence.is_there(&session, self.backend).await;
        self.put_back(session).await;
        match found {
            Ok(true) => Ok(*outcome),
            Ok(false) => self.transact(work, purge_keys).await,
            Err(error) => Err(Failure { error: unavailable(error), is_general: true, in_doubt: Some(outcome) }),
        }
    }

    async fn transact(&mut self, work: &Work, purge_keys: bool) -> Result<Outcome, Failure> {
        let session = self.session().await?;
        let result = self.transact_on(&session, work, purge_keys).await;
        self.put_back(session).await;
        result
    }

    async fn transact_on(&mut self, session: &Session, work: &Work, purge_keys: bool) -> Result<Outcome, Failure> {
        if !purge_keys
            && is_bundle(self.backend, work)
            && let Some(outcome) = self.bundle(session, work).await
        {
            return Ok(outcome);
        }
        let begin = self.begin(work.durability());
        session.execute_text(&begin).await.map_err(general)?;
        self.durability = work.durability();
        let failure = match self.fill(session, work, purge_keys).await {
            Ok(outcome) => match session.execute_text("COMMIT").await {
                Ok(()) => return Ok(outcome),
                Err(error) => {
                    let is_lost = fault(&error) == Fault::Lost;
                    Failure { error: unavailable(error), is_general: false, in_doubt: is_lost.then(|| Box::new(outcome)) }
                }
            },
            Err(error) => error.into(),
        };
        if !session.is_lost()
            && let Err(rollback) = session.execute_text("ROLLBACK").await
        {
            // A commit that failed may have ended the transaction itself.
            tracing::debug!(error = %rollback, "a failed transaction was not rolled back");
        }
        Err(failure)
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
            write::write(transaction, write::statements((self.backend, self.capabilities), &plan)?).await?;
        }
        for request in &work.claims {
            let chosen = choice::choose(transaction, (self.backend, self.capabilities), &mut self.turns, request).await?;
            outcome.claims.push(claim::claim(transaction, self.backend, &mut self.definitions, request, chosen).await?);
        }
        for script in &work.scripts {
            outcome.scripts.push(script::execute(transaction, script).await?);
        }
        Ok(outcome)
    }

    async fn bundle(&mut self, session: &Session, work: &Work) -> Option<Outcome> {
        let begin = self.begin(work.durability());
        let outcome = bundled(session, self.capabilities, &begin, work).await?;
        self.durability = work.durability();
        Some(outcome)
    }

    /// What begins a transaction. SQLite takes the right to write at once: a transaction that reads first could not get
    /// it any more. SQLite and PostgreSQL flush the disk at every commit or leave it to a later one; SQLite's one
    /// connection is switched between the two, because two writing connections would empty each other's page cache.
    fn begin(&self, durability: Durability) -> String {
        let begin = match self.backend {
            DbBackend::MySql => "START TRANSACTION",
            DbBackend::Postgres if durability == Durability::Delta => "BEGIN; SET LOCAL synchronous_commit TO OFF",
            DbBackend::Postgres => "BEGIN",
            _ => "BEGIN IMMEDIATE",
        };
        if self.backend == DbBackend::Sqlite && self.durability != durability {
            return format!("{};{begin}", pragma(durability));
        }
        begin.to_owned()
    }
}

const fn pragma(durability: Durability) -> &'static str {
    match durability {
        Durability::Delta => "PRAGMA synchronous = NORMAL",
        Durability::Journal => "PRAGMA synchronous = FULL",
    }
}

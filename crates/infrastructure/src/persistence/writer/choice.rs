//! Which queued runs are taken next: by class, within a class in turns over the tenants, of one tenant by age.
//!
//! Mostly one tenant has queued runs and none of them has a key: then one look at the head of the queue is enough. Else
//! tenants and keys are found by jumps in the index, the heads of their queues are read, and `turns` deals the places
//! out. Either way very many queued runs of one tenant or one key cost no more than few.

use std::collections::{HashMap, HashSet};

use crewd_application::ports::StoreError;
use crewd_domain::runs::{Priority, Run, Task};
use crewd_domain::shared::{RunId, TenantId};
use sea_orm::{DbBackend, QueryResult, Value};

use super::command::ClaimRequest;
use super::heads::{chosen_runs, first_runs, free_keys, oldest_runs, tenants};
use super::turns::{COST, Ring, TenantQueue, Turns};
use crate::persistence::dialect::{for_update, statement};
use crate::persistence::error::unavailable;
use crate::persistence::info::Capabilities;
use crate::persistence::rows::{CellReader, read_run, read_task};
use crate::persistence::session::Session;

/// The row of `locks` that is held by who chooses by keys and limits.
const CLAIMS_LOCK: &str = "claims";
/// Tenants among whom places are dealt out at once.
const ROUND: usize = 64;
/// Keys of a tenant that are looked at in a claim. The next claim goes on behind them.
const KEYS_AT_ONCE: usize = 64;

/// A queued run with what is needed to claim it.
pub(super) struct Candidate {
    pub(super) run: Run,
    pub(super) task: Task,
    pub(super) last_seq: u64,
    /// The database's present in microseconds.
    pub(super) now: i64,
    takes_turns: bool,
    /// Runs of its tenant that are worked on; 0 where there is no limit.
    active: u64,
}

/// Chooses up to `request.limit` runs. They are not taken yet.
pub(super) async fn choose(
    transaction: &Session,
    (backend, capabilities): (DbBackend, Capabilities),
    turns: &mut Turns,
    request: &ClaimRequest,
) -> Result<Vec<Candidate>, StoreError> {
    let choice = Choice { transaction, backend, can: capabilities, request };
    let is_limited = request.fairness.max_active_per_tenant != u32::MAX;
    if is_limited {
        choice.hold_claims().await?;
    }
    let (sql, values) = first_runs((backend, capabilities), request.fairness, request.limit);
    let first = choice.candidates(sql, values).await?;
    if !choice.takes_turns(&first) {
        return Ok(first);
    }
    if !is_limited {
        choice.hold_claims().await?;
    }
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let mut chosen = Chosen { runs: Vec::new(), taken: HashMap::new(), keys: HashSet::new(), limit };
    for rank in Priority::ALL.iter().map(|priority| priority.rank()) {
        choice.deal(turns.ring(rank), rank, &mut chosen).await?;
    }
    choice.rows(&chosen.runs).await
}

/// What a claim has chosen so far.
struct Chosen {
    runs: Vec<RunId>,
    /// How many of each tenant.
    taken: HashMap<TenantId, u64>,
    keys: HashSet<(TenantId, String)>,
    limit: usize,
}

impl Chosen {
    const fn places(&self) -> usize {
        self.limit.saturating_sub(self.runs.len())
    }
}

/// A tenant with queued runs.
struct Tenant {
    id: TenantId,
    /// How many of its runs may be taken.
    room: usize,
    has_keys: bool,
}

/// A run that may be taken next.
struct Head {
    created_at: i64,
    run: RunId,
    key: Option<String>,
}

struct Choice<'work> {
    transaction: &'work Session,
    backend: DbBackend,
    can: Capabilities,
    request: &'work ClaimRequest,
}

impl Choice<'_> {
    /// Lets nobody else choose by keys or limits until this transaction has ended: two that choose at once would each see
    /// a free key, or the last free place of a tenant. SQLite has only one writer anyway.
    async fn hold_claims(&self) -> Result<(), StoreError> {
        if self.backend == DbBackend::Sqlite {
            return Ok(());
        }
        let sql = format!("SELECT l.name FROM locks l WHERE l.name = ?{}", for_update(self.backend));
        self.query(sql, vec![CLAIMS_LOCK.into()]).await.map(drop)
    }

    /// Whether the head of the queue is not simply what comes next.
    fn takes_turns(&self, first: &[Candidate]) -> bool {
        let room = u64::from(self.request.fairness.max_active_per_tenant);
        let mut taken: HashMap<&TenantId, u64> = HashMap::new();
        first.iter().any(|candidate| {
            let taken = taken.entry(&candidate.run.tenant_id).or_insert(candidate.active);
            *taken = taken.saturating_add(1);
            candidate.takes_turns || *taken > room
        })
    }

    /// Deals out what places are left among the tenants of a class, each of whom is asked once.
    async fn deal(&self, ring: &mut Ring, rank: i16, chosen: &mut Chosen) -> Result<(), StoreError> {
        let mut asked = HashSet::new();
        while chosen.places() > 0 {
            let mut tenants = self.round(ring, rank).await?;
            let is_whole = tenants.len() < ROUND;
            tenants.retain(|tenant| asked.insert(tenant.id.clone()));
            if tenants.is_empty() {
                break;
            }
            self.deal_round(ring, rank, chosen, tenants).await?;
            if is_whole {
                break;
            }
        }
        Ok(())
    }

    async fn deal_round(
        &self,
        ring: &mut Ring,
        rank: i16,
        chosen: &mut Chosen,
        mut tenants: Vec<Tenant>,
    ) -> Result<(), StoreError> {
        let places = chosen.places();
        for tenant in &mut tenants {
            let taken = chosen.taken.get(&tenant.id).copied().unwrap_or_default();
            let room = u64::try_from(tenant.room).unwrap_or(u64::MAX).saturating_sub(taken);
            tenant.room = usize::try_from(room).unwrap_or(usize::MAX).min(places);
        }
        let mut heads = self.oldest(rank, &tenants).await?;
        let mut owners = HashMap::new();
        let mut queues = Vec::with_capacity(tenants.len());
        for (tenant, heads) in tenants.into_iter().zip(&mut heads) {
            if tenant.has_keys {
                heads.extend(self.of_free_keys(ring, rank, &tenant.id, chosen).await?);
                heads.sort_by_key(|head| (head.created_at, head.run));
            }
            heads.truncate(tenant.room);
            queues.push(TenantQueue { tenant: tenant.id.clone(), runs: heads.iter().map(|head| (head.run, COST)).collect() });
            owners.extend(heads.drain(..).map(|head| (head.run, (tenant.id.clone(), head.key))));
        }
        for run in ring.deal(queues, places) {
            if let Some((tenant, key)) = owners.remove(&run) {
                *chosen.taken.entry(tenant.clone()).or_default() += 1;
                chosen.keys.extend(key.map(|key| (tenant, key)));
            }
            chosen.runs.push(run);
        }
        Ok(())
    }

    /// The tenants whose turn is next, in the order of their turns.
    async fn round(&self, ring: &Ring, rank: i16) -> Result<Vec<Tenant>, StoreError> {
        let last = ring.last().map(TenantId::as_str);
        let mut tenants = self.tenants(rank, (last.unwrap_or_default(), None), ROUND).await?;
        if last.is_some() && tenants.len() < ROUND {
            tenants.extend(self.tenants(rank, ("", last), ROUND - tenants.len()).await?);
        }
        Ok(tenants)
    }

    async fn tenants(&self, rank: i16, range: (&str, Option<&str>), limit: usize) -> Result<Vec<Tenant>, StoreError> {
        let fairness = self.request.fairness;
        let (sql, values) = tenants(self.can, fairness, rank, range, limit);
        let rows = self.query(sql, values).await?;
        rows.iter()
            .map(|row| {
                let mut cells = CellReader::new(row);
                let (id, active) = (cells.tenant()?, cells.number()?);
                let room = u64::from(fairness.max_active_per_tenant).saturating_sub(active);
                Ok(Tenant { id, room: usize::try_from(room).unwrap_or(usize::MAX), has_keys: cells.signed()? != 0 })
            })
            .collect()
    }

    /// The oldest runs without a key of each tenant.
    async fn oldest(&self, rank: i16, tenants: &[Tenant]) -> Result<Vec<Vec<Head>>, StoreError> {
        let mut heads: Vec<Vec<Head>> = tenants.iter().map(|_| Vec::new()).collect();
        let wanted: Vec<(&str, u64)> =
            tenants.iter().map(|tenant| (tenant.id.as_str(), u64::try_from(tenant.room).unwrap_or(u64::MAX))).collect();
        let Some((sql, values)) = oldest_runs(rank, &wanted) else { return Ok(heads) };
        for row in &self.query(sql, values).await? {
            let mut cells = CellReader::new(row);
            let place = usize::try_from(cells.number()?).unwrap_or(usize::MAX);
            let head = Head { created_at: cells.signed()?, run: RunId::new(cells.id()?), key: None };
            if let Some(heads) = heads.get_mut(place) {
                heads.push(head);
            }
        }
        Ok(heads)
    }

    /// The oldest run of each key of a tenant that is free: nobody works with it, and this claim has not chosen it.
    async fn of_free_keys(
        &self,
        ring: &mut Ring,
        rank: i16,
        tenant: &TenantId,
        chosen: &Chosen,
    ) -> Result<Vec<Head>, StoreError> {
        let last = ring.take_key(tenant);
        let after = last.as_deref().unwrap_or_default();
        let (sql, values) = free_keys(self.can, rank, tenant.as_str(), (after, None), KEYS_AT_ONCE);
        let mut rows = self.query(sql, values).await?;
        if rows.len() < KEYS_AT_ONCE && last.is_some() {
            let (sql, values) = free_keys(self.can, rank, tenant.as_str(), ("", last.as_deref()), KEYS_AT_ONCE - rows.len());
            rows.extend(self.query(sql, values).await?);
        }
        let mut heads = rows
            .iter()
            .map(|row| {
                let mut cells = CellReader::new(row);
                let key = Some(cells.text()?);
                Ok(Head { key, created_at: cells.signed()?, run: RunId::new(cells.id()?) })
            })
            .collect::<Result<Vec<Head>, StoreError>>()?;
        if heads.len() == KEYS_AT_ONCE {
            ring.keep_key(tenant, heads.last().and_then(|head| head.key.clone()));
        }
        heads.retain(|head| head.key.as_ref().is_none_or(|key| !chosen.keys.contains(&(tenant.clone(), key.clone()))));
        Ok(heads)
    }

    /// Chosen runs, in the order of the choice.
    async fn rows(&self, chosen: &[RunId]) -> Result<Vec<Candidate>, StoreError> {
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let (sql, values) =
            chosen_runs((self.backend, self.can.skip_locked), chosen.iter().map(|id| Value::from(id.to_string())));
        let mut candidates = self.candidates(sql, values).await?;
        let places: HashMap<RunId, usize> = chosen.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        candidates.sort_by_key(|candidate| places.get(&candidate.run.id).copied());
        Ok(candidates)
    }

    async fn candidates(&self, sql: String, values: Vec<Value>) -> Result<Vec<Candidate>, StoreError> {
        let rows = self.query(sql, values).await?;
        rows.iter()
            .map(|row| {
                let mut cells = CellReader::new(row);
                let (now, last_seq) = (cells.signed()?, cells.number()?);
                let (takes_turns, active) = (cells.signed()? != 0, cells.number()?);
                Ok(Candidate { run: read_run(&mut cells)?, task: read_task(&mut cells)?, last_seq, now, takes_turns, active })
            })
            .collect()
    }

    async fn query(&self, sql: String, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        self.transaction.query_all_raw(statement(self.backend, sql, values)).await.map_err(unavailable)
    }
}

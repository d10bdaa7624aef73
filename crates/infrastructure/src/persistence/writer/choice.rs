//! Which queued runs are taken next: by class, within a class in turns over the tenants, of one tenant by age.
//!
//! Mostly one tenant has queued runs, and one look at the head of the queue is enough. Where several have, their names
//! are found by jumps in the index, the heads of their queues are read, and `turns` deals the places out. Either way a
//! tenant with very many queued runs costs no more than one with few.

use std::collections::{HashMap, HashSet, VecDeque};

use crewd_application::ports::StoreError;
use crewd_domain::runs::{Priority, Run, RunStatus, Task};
use crewd_domain::shared::{RunId, TenantId};
use sea_orm::{DbBackend, Value};

use super::command::ClaimRequest;
use super::turns::{COST, Ring, TenantQueue, Turns};
use crate::persistence::dialect::{for_update, in_list, now_micros, statement};
use crate::persistence::error::unavailable;
use crate::persistence::rows::{CellReader, RUNS, TASKS, read_run, read_task};
use crate::persistence::session::Session;
use crate::persistence::tenants::{HEADS, head_values};

/// Tenants among whom places are dealt out at once.
const ROUND: usize = 64;

/// A run may be taken unless another one with its key is worked on, or is before it in the queue.
const MAY_RUN: &str = "(r.concurrency_key IS NULL OR (NOT EXISTS (SELECT 1 FROM runs a WHERE a.tenant_id = r.tenant_id \
     AND a.concurrency_key = r.concurrency_key AND a.status IN ('running', 'cancelling')) \
     AND r.id = (SELECT b.id FROM runs b WHERE b.tenant_id = r.tenant_id AND b.concurrency_key = r.concurrency_key \
     AND b.status = 'queued' ORDER BY b.priority_rank, b.created_at LIMIT 1)))";

/// Whether another tenant has queued runs of the same class, further on in the order of names.
const HAS_OTHERS: &str = "CASE WHEN (SELECT m.tenant_id FROM runs m WHERE m.status = 'queued' \
     AND m.priority_rank = r.priority_rank ORDER BY m.tenant_id DESC LIMIT 1) = r.tenant_id THEN 0 ELSE 1 END";

/// A queued run with what is needed to claim it.
pub(super) struct Candidate {
    pub(super) run: Run,
    pub(super) task: Task,
    pub(super) last_seq: u64,
    /// The database's present in microseconds.
    pub(super) now: i64,
    has_others: bool,
    /// Runs of its tenant that are worked on; 0 where there is no limit.
    active: u64,
}

/// Chooses up to `request.limit` runs. They are not taken yet.
pub(super) async fn choose(
    transaction: &Session,
    backend: DbBackend,
    turns: &mut Turns,
    request: &ClaimRequest,
) -> Result<Vec<Candidate>, StoreError> {
    let choice = Choice { transaction, backend, max_active: u64::from(request.fairness.max_active_per_tenant) };
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let first = choice.first(request.limit).await?;
    if !choice.needs_turns(&first) {
        return Ok(first);
    }
    let mut chosen = Chosen { runs: Vec::new(), taken: HashMap::new(), limit };
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
    limit: usize,
}

impl Chosen {
    const fn places(&self) -> usize {
        self.limit.saturating_sub(self.runs.len())
    }
}

struct Choice<'work> {
    transaction: &'work Session,
    backend: DbBackend,
    max_active: u64,
}

/// A tenant with queued runs, and how many of them may be taken.
struct Tenant {
    id: TenantId,
    room: u64,
}

impl Choice<'_> {
    const fn is_limited(&self) -> bool {
        self.max_active < u32::MAX as u64
    }

    /// How many runs of a tenant are worked on, or nothing to count.
    fn active(&self, tenant: &str) -> String {
        if !self.is_limited() {
            return "0".to_owned();
        }
        format!("(SELECT COUNT(*) FROM runs c WHERE c.tenant_id = {tenant} AND c.status IN ('running', 'cancelling'))")
    }

    /// The head of the queue as it lies in the index.
    async fn first(&self, limit: u32) -> Result<Vec<Candidate>, StoreError> {
        let (sql, values) = first_runs(self.backend, &self.active("r.tenant_id"), limit);
        self.candidates(sql, values).await
    }

    /// Whether the head of the queue is not simply what comes next: a tenant behind it waits for its turn, or a tenant
    /// in it has no more room.
    fn needs_turns(&self, first: &[Candidate]) -> bool {
        let mut taken: HashMap<&TenantId, u64> = HashMap::new();
        first.iter().any(|candidate| {
            let taken = taken.entry(&candidate.run.tenant_id).or_insert(candidate.active);
            *taken = taken.saturating_add(1);
            candidate.has_others || (self.is_limited() && *taken > self.max_active)
        })
    }

    /// Deals out what places are left among the tenants of a class, each of whom is asked once.
    async fn deal(&self, ring: &mut Ring, rank: i16, chosen: &mut Chosen) -> Result<(), StoreError> {
        let mut asked = HashSet::new();
        while chosen.places() > 0 {
            let mut tenants = self.round(ring, rank).await?;
            let is_whole = tenants.len() < ROUND;
            tenants.retain(|tenant| asked.insert(tenant.id.clone()));
            for tenant in &mut tenants {
                tenant.room = tenant.room.saturating_sub(chosen.taken.get(&tenant.id).copied().unwrap_or_default());
            }
            if tenants.is_empty() {
                break;
            }
            let queues = self.heads(rank, chosen.places(), tenants).await?;
            let owner = |queue: &TenantQueue| queue.runs.iter().map(|(run, _)| (*run, queue.tenant.clone())).collect::<Vec<_>>();
            let owners: HashMap<RunId, TenantId> = queues.iter().flat_map(owner).collect();
            let dealt = ring.deal(queues, chosen.places());
            for owner in dealt.iter().filter_map(|run| owners.get(run)) {
                *chosen.taken.entry(owner.clone()).or_default() += 1;
            }
            chosen.runs.extend(dealt);
            if is_whole {
                break;
            }
        }
        Ok(())
    }

    /// The tenants whose turn is next, in the order of their turns.
    async fn round(&self, ring: &Ring, rank: i16) -> Result<Vec<Tenant>, StoreError> {
        let mut tenants = self.tenants(rank, ring.last(), None, ROUND).await?;
        if let Some(last) = ring.last()
            && tenants.len() < ROUND
        {
            tenants.extend(self.tenants(rank, None, Some(last), ROUND - tenants.len()).await?);
        }
        Ok(tenants)
    }

    /// Tenants with queued runs of a class and room for more, by name.
    async fn tenants(
        &self,
        rank: i16,
        after: Option<&TenantId>,
        until: Option<&TenantId>,
        limit: usize,
    ) -> Result<Vec<Tenant>, StoreError> {
        let mut values = head_values(rank, after.map_or("", TenantId::as_str));
        let active = self.active("h.tenant_id");
        let mut sql = format!("{HEADS} SELECT h.tenant_id, {active} FROM heads h WHERE h.tenant_id IS NOT NULL");
        if let Some(until) = until {
            sql.push_str(" AND h.tenant_id <= ?");
            values.push(until.as_str().into());
        }
        if self.is_limited() {
            sql.push_str(&format!(" AND {active} < ?"));
            values.push(i64::try_from(self.max_active).unwrap_or(i64::MAX).into());
        }
        sql.push_str(" LIMIT ?");
        values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        let rows = self.transaction.query_all_raw(statement(self.backend, sql, values)).await.map_err(unavailable)?;
        rows.iter()
            .map(|row| {
                let mut cells = CellReader::new(row);
                Ok(Tenant { id: cells.tenant()?, room: self.max_active.saturating_sub(cells.number()?) })
            })
            .collect()
    }

    /// The first runs of each tenant, as many as could be taken.
    async fn heads(&self, rank: i16, places: usize, tenants: Vec<Tenant>) -> Result<Vec<TenantQueue>, StoreError> {
        let mut queues: Vec<TenantQueue> =
            tenants.iter().map(|tenant| TenantQueue { tenant: tenant.id.clone(), runs: VecDeque::new() }).collect();
        let places = u64::try_from(places).unwrap_or(u64::MAX);
        let wanted: Vec<(&str, u64)> = tenants.iter().map(|tenant| (tenant.id.as_str(), tenant.room.min(places))).collect();
        let Some((sql, values)) = head_runs(rank, &wanted) else { return Ok(queues) };
        let rows = self.transaction.query_all_raw(statement(self.backend, sql, values)).await.map_err(unavailable)?;
        for row in &rows {
            let mut cells = CellReader::new(row);
            let place = usize::try_from(cells.number()?).unwrap_or(usize::MAX);
            let _created_at = cells.signed()?;
            let run = RunId::new(cells.id()?);
            if let Some(queue) = queues.get_mut(place) {
                queue.runs.push_back((run, COST));
            }
        }
        Ok(queues)
    }

    /// Chosen runs, in the order of the choice.
    async fn rows(&self, chosen: &[RunId]) -> Result<Vec<Candidate>, StoreError> {
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let mut values = Vec::new();
        let list = in_list(&mut values, chosen.iter().map(|id| Value::from(id.to_string())));
        let lock = for_update(self.backend);
        let sql = format!("{} WHERE r.id IN ({list}){lock}", select(self.backend, "0", "0"));
        let mut candidates = self.candidates(sql, values).await?;
        let places: HashMap<RunId, usize> = chosen.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        candidates.sort_by_key(|candidate| places.get(&candidate.run.id).copied());
        Ok(candidates)
    }

    async fn candidates(&self, sql: String, values: Vec<Value>) -> Result<Vec<Candidate>, StoreError> {
        let rows = self.transaction.query_all_raw(statement(self.backend, sql, values)).await.map_err(unavailable)?;
        rows.iter()
            .map(|row| {
                let mut cells = CellReader::new(row);
                let (now, last_seq) = (cells.signed()?, cells.number()?);
                let (has_others, active) = (cells.signed()? != 0, cells.number()?);
                Ok(Candidate { run: read_run(&mut cells)?, task: read_task(&mut cells)?, last_seq, now, has_others, active })
            })
            .collect()
    }
}

fn select(backend: DbBackend, has_others: &str, active: &str) -> String {
    format!(
        "SELECT {now}, (SELECT COALESCE(MAX(e.seq), 0) FROM run_events e WHERE e.task_id = r.task_id), {has_others}, {active}, \
         {run}, {task} FROM runs r JOIN tasks t ON t.id = r.task_id",
        now = now_micros(backend),
        run = RUNS.columns_of("r"),
        task = TASKS.columns_of("t"),
    )
}

/// The head of the queue: what comes next where each class has runs of one tenant alone.
pub(in crate::persistence) fn first_runs(backend: DbBackend, active: &str, limit: u32) -> (String, Vec<Value>) {
    let sql = format!(
        "{select} WHERE r.status = ? AND {MAY_RUN} ORDER BY r.priority_rank, r.tenant_id, r.created_at LIMIT ?{lock}",
        select = select(backend, HAS_OTHERS, active),
        lock = for_update(backend),
    );
    (sql, vec![RunStatus::Queued.as_str().into(), i64::from(limit).into()])
}

/// The first runs of some tenants, each with a limit of its own: the tenant's place in the list, age and id.
pub(in crate::persistence) fn head_runs(rank: i16, tenants: &[(&str, u64)]) -> Option<(String, Vec<Value>)> {
    let last = tenants.last()?.0;
    let mut values = Vec::new();
    // Few different texts, so that prepared statements are found again.
    let padded = tenants.iter().copied().chain(std::iter::repeat((last, 0))).take(tenants.len().next_power_of_two());
    let parts: Vec<String> = padded
        .enumerate()
        .map(|(place, (tenant, limit))| {
            values.push(RunStatus::Queued.as_str().into());
            values.push(rank.into());
            values.push(tenant.into());
            values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
            format!(
                "SELECT p.place, p.created_at, p.id FROM (SELECT {place} AS place, r.created_at AS created_at, r.id AS id \
                 FROM runs r WHERE r.status = ? AND r.priority_rank = ? AND r.tenant_id = ? AND {MAY_RUN} \
                 ORDER BY r.created_at LIMIT ?) p"
            )
        })
        .collect();
    Some((format!("{} ORDER BY 1, 2, 3", parts.join(" UNION ALL ")), values))
}

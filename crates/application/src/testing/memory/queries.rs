//! The read side of the fake.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use crewd_domain::approvals::Approval;
use crewd_domain::runs::{Event, Run, Step, Task};
use crewd_domain::shared::{ApprovalId, RunId, TaskId, TenantId};

use super::state::{State, has_label};
use super::store::InMemoryStore;
use crate::ports::{
    ApprovalFilter, ApprovalQueries, ControlItem, CrewVersion, DedupRecord, EventQuery, EventTail, IdempotencyRecord, RunQueries,
    StoreError, StoredCrew, TaskFilter, TaskPage, TaskProgress, TaskView,
};

#[async_trait]
impl RunQueries for InMemoryStore {
    async fn task(&self, tenant: &TenantId, id: TaskId) -> Result<Option<TaskView>, StoreError> {
        let state = self.state();
        Ok(state.task_of(tenant, id).and_then(|task| view(&state, task)))
    }

    async fn tasks(
        &self,
        tenant: &TenantId,
        filter: &TaskFilter,
        before: Option<TaskId>,
        limit: u32,
    ) -> Result<TaskPage, StoreError> {
        let state = self.state();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut items: Vec<TaskView> = state
            .tasks
            .values()
            .rev()
            .filter(|task| task.tenant_id == *tenant && before.is_none_or(|before| task.id < before))
            .filter_map(|task| view(&state, task))
            .filter(|view| matches(view, filter))
            .take(limit.saturating_add(1))
            .collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next_before = if more { items.last().map(|view| view.task.id) } else { None };
        Ok(TaskPage { items, next_before })
    }

    async fn run(&self, tenant: &TenantId, id: RunId) -> Result<Option<Run>, StoreError> {
        Ok(self.state().run_of(tenant, id).cloned())
    }

    async fn runs_of(&self, tenant: &TenantId, task_id: TaskId) -> Result<Vec<Run>, StoreError> {
        let state = self.state();
        let mine = state.runs.values().filter(|run| run.tenant_id == *tenant && run.task_id == task_id);
        let mut runs: Vec<Run> = mine.map(|run| run.as_ref().clone()).collect();
        runs.sort_by_key(|run| run.attempt);
        Ok(runs)
    }

    async fn tasks_with_key(&self, tenant: &TenantId, concurrency_key: &str) -> Result<Vec<TaskView>, StoreError> {
        let state = self.state();
        let mine = state.tasks.values().filter(|task| task.tenant_id == *tenant).filter_map(|task| view(&state, task));
        let has_key = |view: &TaskView| view.run.concurrency_key.as_deref() == Some(concurrency_key);
        Ok(mine.filter(|view| has_key(view) && !view.run.status.is_terminal()).collect())
    }

    async fn dedup_key(&self, tenant: &TenantId, key: &str) -> Result<Option<DedupRecord>, StoreError> {
        Ok(self.state().dedup_keys.get(&(tenant.clone(), key.to_owned())).cloned())
    }

    async fn steps(&self, tenant: &TenantId, run_id: RunId) -> Result<Vec<Step>, StoreError> {
        let state = self.state();
        Ok(state.run_of(tenant, run_id).map(|run| state.journal(run.id)).unwrap_or_default())
    }

    async fn orders(&self, tenant: &TenantId, run_id: RunId) -> Result<Vec<ControlItem>, StoreError> {
        let state = self.state();
        let mine = state.run_of(tenant, run_id).is_some();
        Ok(state.orders_of(run_id).filter(|_| mine).cloned().collect())
    }

    async fn events(&self, tenant: &TenantId, query: &EventQuery) -> Result<Vec<Event>, StoreError> {
        if let Some(error) = self.read_failure() {
            return Err(error);
        }
        let state = self.state();
        let Some(log) = state.task_of(tenant, query.task_id).and_then(|task| state.events.get(&task.id)) else {
            return Ok(Vec::new());
        };
        let wanted = |event: &Event| query.kinds.is_empty() || query.kinds.contains(&event.kind);
        let later = log.range(query.after.saturating_add(1)..).map(|(_, event)| event.as_ref());
        Ok(later.filter(|event| wanted(event)).take(usize::try_from(query.limit).unwrap_or(usize::MAX)).cloned().collect())
    }

    async fn last_seq(&self, tenant: &TenantId, task_id: TaskId) -> Result<u64, StoreError> {
        let state = self.state();
        Ok(state.task_of(tenant, task_id).map_or(0, |task| state.last_seq(task.id)))
    }

    async fn crew(&self, tenant: &TenantId, name: &str, version: &str) -> Result<Option<StoredCrew>, StoreError> {
        let state = self.state();
        Ok(crews(&state, tenant).find(|crew| crew.name == name && crew.version == version).cloned())
    }

    async fn api_crew(&self, tenant: &TenantId, name: &str) -> Result<Option<StoredCrew>, StoreError> {
        let state = self.state();
        let named = crews(&state, tenant).filter(|crew| crew.from_api && crew.name == name);
        Ok(named.max_by(|a, b| age(a).cmp(&age(b))).cloned())
    }

    async fn api_crews(&self, tenant: &TenantId) -> Result<Vec<StoredCrew>, StoreError> {
        let state = self.state();
        let mut newest: Vec<&StoredCrew> = crews(&state, tenant).filter(|crew| crew.from_api).collect();
        newest.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| age(b).cmp(&age(a))));
        newest.dedup_by(|later, kept| later.name == kept.name);
        Ok(newest.into_iter().cloned().collect())
    }

    async fn crew_versions(&self, tenant: &TenantId, name: &str) -> Result<Vec<CrewVersion>, StoreError> {
        let state = self.state();
        let mut versions: Vec<&StoredCrew> = crews(&state, tenant).filter(|crew| crew.name == name).collect();
        versions.sort_by(|a, b| age(b).cmp(&age(a)));
        let line = |crew: &StoredCrew| CrewVersion {
            version: crew.version.clone(),
            from_api: crew.from_api,
            created_at: crew.created_at,
        };
        Ok(versions.into_iter().map(line).collect())
    }

    async fn idempotency(
        &self,
        tenant: &TenantId,
        route: &str,
        key: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        let state = self.state();
        let record = state.keys.get(&(tenant.clone(), route.to_owned(), key.to_owned()));
        Ok(record.filter(|record| record.created_at > now - TimeDelta::hours(24)).cloned())
    }
}

#[async_trait]
impl ApprovalQueries for InMemoryStore {
    async fn approval(&self, tenant: &TenantId, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
        let state = self.state();
        Ok(state.approvals.get(&id).filter(|approval| approval.tenant_id == *tenant).map(|approval| approval.as_ref().clone()))
    }

    async fn approvals(
        &self,
        tenant: &TenantId,
        filter: &ApprovalFilter,
        before: Option<ApprovalId>,
        limit: u32,
    ) -> Result<Vec<Approval>, StoreError> {
        let wanted = |approval: &Approval| {
            approval.tenant_id == *tenant
                && before.is_none_or(|before| approval.id < before)
                && filter.status.is_none_or(|status| approval.status == status)
                && filter.kind.is_none_or(|kind| approval.kind == kind)
                && filter.task_id.is_none_or(|task| approval.task_id == task)
        };
        let state = self.state();
        let newest_first = state.approvals.values().rev().map(AsRef::as_ref);
        Ok(newest_first.filter(|one| wanted(one)).take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
    }

    async fn approvals_of(&self, tenant: &TenantId, run_id: RunId) -> Result<Vec<Approval>, StoreError> {
        let state = self.state();
        Ok(state.approvals_of(run_id).filter(|approval| approval.tenant_id == *tenant).cloned().collect())
    }
}

#[async_trait]
impl EventTail for InMemoryStore {
    async fn last_seqs(&self, tasks: &[TaskId]) -> Result<Vec<(TaskId, u64)>, StoreError> {
        let state = self.state();
        Ok(tasks.iter().map(|id| (*id, state.last_seq(*id))).collect())
    }
}

fn crews<'state>(state: &'state State, tenant: &'state TenantId) -> impl Iterator<Item = &'state StoredCrew> {
    state.crews.iter().map(AsRef::as_ref).filter(move |crew| crew.tenant_id == *tenant)
}

/// Versions of one instant are told apart by their hash, so that "newest" is the same everywhere.
fn age(crew: &StoredCrew) -> (DateTime<Utc>, &str) {
    (crew.created_at, &crew.version)
}

fn view(state: &State, task: &Task) -> Option<TaskView> {
    let run = state.run_of(&task.tenant_id, task.current_run)?;
    Some(TaskView { task: task.clone(), run: run.clone(), progress: progress(state, run) })
}

fn progress(state: &State, run: &Run) -> TaskProgress {
    if run.status.is_terminal() {
        return TaskProgress { steps_done: run.steps_done, current: None, usage: run.usage };
    }
    let mut progress = TaskProgress::default();
    for step in state.journal(run.id) {
        if step.status.is_finished() {
            progress.steps_done = progress.steps_done.saturating_add(1);
            progress.usage += step.usage;
        } else {
            progress.current = Some(step.path.to_string());
        }
    }
    progress
}

fn matches(view: &TaskView, filter: &TaskFilter) -> bool {
    (filter.statuses.is_empty() || filter.statuses.contains(&view.run.status))
        && filter.crew.as_ref().is_none_or(|crew| view.task.crew == *crew)
        && filter.dead_letter.is_none_or(|state| view.run.dead_letter == Some(state))
        && filter.failure_class.is_none_or(|class| view.run.error.as_ref().is_some_and(|error| error.class == class))
        && filter.created_after.is_none_or(|instant| view.task.created_at >= instant)
        && filter.created_before.is_none_or(|instant| view.task.created_at < instant)
        && filter.metadata.iter().all(|(key, text)| has_label(&view.task.metadata, key, text))
}

//! The engine and its worker.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use crewd_application::ports::{Clock, CrewCatalog, IdGenerator, LanguageModel, RunFiles, ToolSet, WorkSignal};
use crewd_application::runs::Committer;
use crewd_domain::approvals::{ApprovalRule, OnExpire};
use crewd_domain::shared::WorkerId;
use crewd_orchestration::run::{ApprovalRules, EngineParts, RunLimits};
use crewd_orchestration::tools::ToolSchemas;
use crewd_orchestration::worker::{Worker, WorkerParts, WorkerSettings};
use crewd_settings::{ApprovalFrom, ApprovalOnExpire, Settings};
use crewd_telemetry::Metrics;

use super::storage::Storage;

/// How long a lease lasts without renewal (execution rules, section 6).
const LEASE: Duration = Duration::from_secs(15);
/// Time of one tool call.
const TOOL_TIME: Duration = Duration::from_secs(60);

/// What arguments of tools must fit.
pub(crate) fn tool_schemas(tools: &dyn ToolSet) -> anyhow::Result<ToolSchemas> {
    ToolSchemas::compile(tools).map_err(anyhow::Error::msg).context("the tools cannot be used")
}

/// What all runs are made with.
pub(crate) fn engine(
    settings: &Settings,
    model: Arc<dyn LanguageModel>,
    tools: Arc<dyn ToolSet>,
    files: Arc<dyn RunFiles>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    metrics: Arc<Metrics>,
) -> anyhow::Result<Arc<EngineParts>> {
    let schemas = tool_schemas(&*tools)?;
    let limits = RunLimits {
        run_time: settings.worker.crew_execution_timeout,
        max_iterations: settings.worker.max_iterations_per_task,
        max_tokens: settings.worker.max_tokens_per_task,
        model_time: settings.llm.timeout,
        tool_time: TOOL_TIME,
    };
    let approvals = approval_rules(settings);
    Ok(Arc::new(EngineParts { model, tools, schemas, files, clock, metrics, ids, approvals, limits }))
}

fn approval_rules(settings: &Settings) -> ApprovalRules {
    let from = match settings.approvals.from {
        ApprovalFrom::Low => ApprovalRule::Low,
        ApprovalFrom::Medium => ApprovalRule::Medium,
        ApprovalFrom::High => ApprovalRule::High,
        ApprovalFrom::Critical => ApprovalRule::Critical,
    };
    let on_expire = match settings.approvals.on_expire {
        ApprovalOnExpire::Deny => OnExpire::Deny,
        ApprovalOnExpire::Cancel => OnExpire::Cancel,
    };
    ApprovalRules { from, expires_after: settings.approvals.timeout, on_expire }
}

/// A worker of this process; from now on it counts as alive.
pub(crate) fn worker(
    settings: &Settings,
    storage: &Storage,
    committer: Committer,
    catalog: Arc<dyn CrewCatalog>,
    signal: Arc<dyn WorkSignal>,
    engine: Arc<EngineParts>,
    ids: &dyn IdGenerator,
) -> anyhow::Result<Arc<Worker>> {
    let id = WorkerId::new(ids.next_id());
    storage.presence.announce(id).context("this worker cannot be announced in the data folder (APP_DATA_DIR)")?;
    Ok(Worker::new(WorkerParts {
        id,
        queue: storage.queue.clone(),
        leases: storage.leases.clone(),
        queries: storage.queries.clone(),
        committer,
        catalog,
        signal,
        engine,
        settings: WorkerSettings {
            slots: settings.worker.slots,
            heartbeat_thread: true,
            lease: LEASE,
            drain_timeout: settings.worker.drain_timeout,
        },
    }))
}

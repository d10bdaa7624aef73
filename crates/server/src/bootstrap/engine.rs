//! The engine and its worker.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use crewd_application::ports::{Clock, CrewCatalog, IdGenerator, LanguageModel, RunFiles, ToolSet, WorkSignal};
use crewd_application::runs::Committer;
use crewd_domain::shared::WorkerId;
use crewd_orchestration::run::{EngineParts, RunLimits};
use crewd_orchestration::tools::ToolSchemas;
use crewd_orchestration::worker::{Worker, WorkerParts, WorkerSettings};
use crewd_settings::Settings;
use crewd_telemetry::Metrics;

use super::storage::Storage;

/// How long a lease lasts without renewal (execution rules, section 6).
const LEASE: Duration = Duration::from_secs(15);
/// Time of one tool call.
const TOOL_TIME: Duration = Duration::from_secs(60);

/// What all runs are made with.
pub(crate) fn engine(
    settings: &Settings,
    model: Arc<dyn LanguageModel>,
    tools: Arc<dyn ToolSet>,
    files: Arc<dyn RunFiles>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
) -> anyhow::Result<Arc<EngineParts>> {
    let schemas = ToolSchemas::compile(&*tools).map_err(anyhow::Error::msg).context("the tools cannot be used")?;
    let limits = RunLimits {
        run_time: settings.worker.crew_execution_timeout,
        max_iterations: settings.worker.max_iterations_per_task,
        max_tokens: settings.worker.max_tokens_per_task,
        model_time: settings.llm.timeout,
        tool_time: TOOL_TIME,
    };
    Ok(Arc::new(EngineParts { model, tools, schemas, files, clock, metrics, limits }))
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
        queries: storage.queries.clone(),
        committer,
        catalog,
        signal,
        engine,
        settings: WorkerSettings { slots: settings.worker.slots, lease: LEASE, drain_timeout: settings.worker.drain_timeout },
    }))
}

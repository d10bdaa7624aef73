//! `crewd`, `crewd serve`, `crewd worker`, `crewd scheduler`.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use crewd_api::{ApiState, BuildInfo, Limits};
use crewd_application::context::RequestContext;
use crewd_application::duties::Leadership;
use crewd_application::ports::{Duty, HealthCheck};
use crewd_domain::shared::TenantId;
use crewd_settings::Settings;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::background::Background;
use crate::banner::Banner;
use crate::bootstrap::{Services, TelemetryOutput, api_keys, services, task_rates, telemetry};
use crate::duties::DUTY_LEASE;
use crate::listener;
use crate::readiness::{Migrations, NotStopping, Queue};
use crate::shutdown::Shutdown;

/// A second signal: work was left behind. Shells say 128 and the signal.
const EXIT_HURRIED: u8 = 143;

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// API and worker.
    All,
    /// The API alone.
    Api,
    /// A worker alone; its port answers health and metrics like any other.
    Worker,
    /// Duties alone; its port answers health and metrics like any other.
    Scheduler,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::All => "api and worker",
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Scheduler => "scheduler",
        }
    }

    const fn has_api(self) -> bool {
        matches!(self, Self::All | Self::Api)
    }

    const fn works(self) -> bool {
        matches!(self, Self::All | Self::Worker)
    }
}

/// Runs until a signal, then stops in order: readiness and duties first, then the worker, the listener, the database last.
pub(crate) async fn serve(settings: Settings, role: Role) -> anyhow::Result<ExitCode> {
    #[cfg(debug_assertions)]
    if let Some(order) = crewd_settings::abort_order() {
        crewd_application::fault::install(&order).map_err(anyhow::Error::msg)?;
    }
    let guard = telemetry(&settings, TelemetryOutput::Server)?;
    let shutdown = Shutdown::listen()?;
    let (listener, url) = bind(&settings, role).await?;
    let services = services(&settings).await?;

    let (background, duties) = (Background::new(), Background::new());
    look_after_process(&background, &services, role);
    if settings.server.duties || role == Role::Scheduler {
        look_after_all((&background, &duties), &services, role).await;
    }
    let surface_closed = CancellationToken::new();
    let state = api_state(&settings, &services, &shutdown, &surface_closed)?;
    let router = if role.has_api() { crewd_api::router(state) } else { crewd_api::operations_router(state) };
    let tokens = listener::Tokens { stopping: shutdown.begin.clone(), closed: surface_closed.clone() };
    let surface = tokio::spawn(listener::serve(listener, router, services.ids.clone(), tokens));
    let worker = if role.works() { Some(services.worker(&settings)?) } else { None };
    let worker = worker.map(|worker| tokio::spawn(worker.run(shutdown.begin.clone())));
    announce(&settings, &services, role, &url)?;

    shutdown.begin.cancelled().await;
    tracing::info!("stopping: no new work is taken, running steps may finish");
    let grace = if role.has_api() { settings.server.shutdown_grace } else { Duration::ZERO };
    let stopped = async { tokio::join!(duties.stop(), drained(worker), tokio::time::sleep(grace)) };
    if shutdown.hurry.run_until_cancelled(stopped).await.is_none() {
        tracing::warn!("a second signal: running steps are left to recovery");
        // The mark of this worker outlives it, so that its runs are found at once.
        std::mem::forget(services.storage.presence.clone());
        return Ok(ExitCode::from(EXIT_HURRIED));
    }
    // Streams see the last events of drained runs before they end.
    surface_closed.cancel();
    let closed = async {
        if let Err(error) = surface.await {
            tracing::error!(error = %error, "the listener met a defect");
        }
        background.stop().await;
    };
    if shutdown.hurry.run_until_cancelled(closed).await.is_none() {
        return Ok(ExitCode::from(EXIT_HURRIED));
    }
    services.storage.database.close().await?;
    tracing::info!("stopped");
    tokio::task::spawn_blocking(move || guard.shutdown()).await?;
    Ok(ExitCode::SUCCESS)
}

/// What every process does for itself.
fn look_after_process(background: &Background, services: &Services, role: Role) {
    background.look_for_dead(services.recovery.clone());
    background.follow_database_clock(services.node_clock.clone(), services.storage.database.clone());
    background.follow_foreign_events(services.foreign.clone());
    background.refresh_definitions(services.crews.clone());
    background.exchange_hints(services.exchange.clone(), role.works());
}

/// What processes do for the whole installation: duties one at a time, deliveries of webhooks together.
async fn look_after_all((background, duties): (&Background, &Background), services: &Services, role: Role) {
    let holder = services.ids.next_id();
    let part = |duty| Leadership::new(services.storage.duties.clone(), duty, holder, DUTY_LEASE);
    let runs = duties.lead(part(Duty::Runs), services.metrics.clone()).await;
    runs.sweep_lost_runs(services.recovery.clone());
    runs.wake_runs(services.waker());
    runs.age_queue(services.storage.queue.clone());
    if role != Role::Worker {
        background.send_webhooks(services.dispatcher.clone());
        let schedules = duties.lead(part(Duty::Schedules), services.metrics.clone()).await;
        schedules.fire_schedules(services.scheduler.clone());
    }
}

async fn drained(worker: Option<JoinHandle<()>>) {
    if let Some(worker) = worker
        && let Err(error) = worker.await
    {
        tracing::error!(error = %error, "the worker met a defect");
    }
}

async fn bind(settings: &Settings, role: Role) -> anyhow::Result<(TcpListener, String)> {
    let host = settings.server.host.as_str();
    // A worker or scheduler beside a server on one machine must not fight for its port.
    let port = if !role.has_api() && !port_was_set(settings) { 0 } else { settings.server.port };
    let listener = TcpListener::bind((host, port)).await.with_context(|| {
        format!("cannot listen on {host}:{port}; is another crewd running? Choose another port with --port N or APP_PORT (0 takes a free one)")
    })?;
    let address = listener.local_addr()?;
    Ok((listener, format!("http://{address}")))
}

fn port_was_set(settings: &Settings) -> bool {
    settings
        .origins()
        .iter()
        .any(|row| row.variable == "APP_PORT" && (row.origin == "command line" || row.origin == "environment"))
}

fn api_state(
    settings: &Settings,
    services: &Services,
    shutdown: &Shutdown,
    closed: &CancellationToken,
) -> anyhow::Result<ApiState> {
    let mut health: Vec<Arc<dyn HealthCheck>> = vec![
        services.storage.health.clone(),
        Arc::new(Migrations(services.storage.database.clone())),
        Arc::new(Queue(services.storage.queue.clone())),
        Arc::new(NotStopping(shutdown.begin.clone())),
    ];
    health.extend(services.redis.clone().map(|link| Arc::new(link) as Arc<dyn HealthCheck>));
    let (queue, database, metrics) =
        (services.storage.queue.clone(), services.storage.database.clone(), services.metrics.clone());
    Ok(ApiState {
        tasks: services.tasks.clone(),
        task_rates: task_rates(settings, services.redis.as_ref()),
        approvals: services.approvals.clone(),
        webhooks: services.webhooks.clone(),
        schedules: services.schedules.clone(),
        crews: services.crews.clone(),
        tools: services.tools.clone(),
        model: services.model.clone(),
        authenticator: Arc::new(api_keys(settings)?),
        health,
        metrics: services.metrics.clone(),
        ids: services.ids.clone(),
        clock: services.clock.clone(),
        build: BuildInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("CREWD_COMMIT").map(str::to_owned),
        },
        allowed_origins: settings.server.allowed_origins.clone(),
        stopping: shutdown.begin.clone(),
        shutdown: closed.clone(),
        limits: Limits { body_bytes: settings.limits.body_bytes, ..Limits::default() },
        before_scrape: Some(Arc::new(move || {
            let (queue, database, metrics) = (queue.clone(), database.clone(), metrics.clone());
            Box::pin(async move {
                let pool = database.pool_state();
                metrics.set_pool_connections("idle", pool.idle.into());
                metrics.set_pool_connections("in_use", pool.in_use.into());
                match queue.depth().await {
                    Ok(depth) => metrics.set_queue_depth(depth),
                    Err(error) => tracing::warn!(error = %error, "the queue's depth could not be read"),
                }
            })
        })),
    })
}

fn announce(settings: &Settings, services: &Services, role: Role, url: &str) -> anyhow::Result<()> {
    let llm = settings.llm.resolved();
    if role.works() && !llm.offline && llm.api_key.is_none() && llm.provider.needs_key() {
        tracing::warn!(
            provider = llm.provider.as_str(),
            "there is no key for the model provider (APP_LLM_API_KEY): its calls will fail"
        );
    }
    let context = RequestContext {
        tenant: TenantId::default_tenant(),
        actor: "banner".to_owned(),
        request_id: String::new(),
        traceparent: None,
    };
    let crews = services.crews.list(&context);
    let crew = crews.iter().find(|entry| entry.definition.name == "research").or(crews.first());
    let url_row = settings.origins().iter().find(|row| row.variable == "APP_DATABASE_URL").map(|row| row.value.clone());
    let database = match &settings.database.url {
        Some(_) => url_row.unwrap_or_default(),
        None => format!("SQLite in {}", settings.server.data_dir.display()),
    };
    let banner = Banner {
        url,
        role: role.name(),
        has_api: role.has_api(),
        model: format!("{} by {}", services.model.default_model(), llm.provider.as_str()),
        offline: services.model.is_simulated(),
        database,
        needs_key: !settings.security.api_keys.is_empty(),
        crew: crew.filter(|_| role.has_api()).map(|entry| &*entry.definition),
    };
    let mut out = std::io::stdout().lock();
    out.write_all(banner.text().as_bytes())?;
    Ok(out.flush()?)
}

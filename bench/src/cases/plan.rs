//! Which cases there are, and their order.

use super::{claims, compare, control, dispatch, fair, many, rate, replay, start, streams, tasks, waiting, workers};
use crate::arguments::Arguments;
use crate::report::Report;
use crate::site::{Site, Target};

/// What a case works with.
pub(crate) struct Bench {
    pub(crate) arguments: Arguments,
    pub(crate) target: Target,
    pub(crate) report: Report,
}

impl Bench {
    /// An installation with a fresh database and a fake model.
    pub(crate) async fn site(&self) -> anyhow::Result<Site> {
        Site::new(&self.target, &self.arguments.binary).await
    }
}

/// Runs all cases, or those named; removes the databases that were made, whatever came of them.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Report> {
    let target = Target::new(&arguments.database, arguments.redis.clone(), arguments.database_pid).await?;
    let mut engine = target.title();
    if let Some(redis) = &arguments.redis {
        engine = format!("{engine}, Redis {}", crewd_engines::version(redis).await?);
    }
    let server = target.server.clone();
    let mut bench = Bench { arguments, target, report: Report::on(engine) };
    let done = tokio::select! {
        done = run_cases(&mut bench) => done,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    if let Some(server) = server {
        for name in server.clean(&[]).await {
            eprintln!("the database {name} could not be removed");
        }
    }
    done.map(|()| bench.report)
}

async fn run_cases(bench: &mut Bench) -> anyhow::Result<()> {
    let arguments = bench.arguments.clone();
    let wants = |name: &str| arguments.wants(name);
    if wants("start") {
        start::measure(bench).await?;
    }
    if wants("submit") {
        tasks::submissions(bench).await?;
    }
    if wants("rate") {
        rate::steady(bench).await?;
    }
    if wants("single") {
        tasks::single_calls(bench).await?;
    }
    if wants("crew") {
        tasks::reference_crews(bench).await?;
    }
    if wants("alone") {
        tasks::one_at_a_time(bench).await?;
    }
    if wants("token") {
        streams::token_latency(bench).await?;
    }
    if wants("streams200") {
        streams::many_streams(bench).await?;
    }
    if wants("replay") {
        replay::long_log(bench).await?;
    }
    if wants("cancel") {
        control::cancels(bench).await?;
    }
    if wants("fair") {
        fair::noisy_neighbour(bench).await?;
    }
    if wants("waiting") {
        waiting::memory_of_waiting(bench).await?;
    }
    if wants("idle-streams") {
        streams::idle_clients(bench).await?;
    }
    if wants("hold") {
        tasks::in_flight(bench).await?;
    }
    several_processes(bench).await?;
    if arguments.names("claims") {
        claims::measure(bench).await?;
    }
    if !arguments.compare.is_empty() {
        compare::measure(bench).await?;
    }
    Ok(())
}

/// What needs more than one process of crewd.
async fn several_processes(bench: &mut Bench) -> anyhow::Result<()> {
    if bench.arguments.wants("dispatch") {
        dispatch::measure(bench).await?;
    }
    if bench.arguments.wants("workers") {
        workers::curves(bench).await?;
    }
    if bench.arguments.wants("many") {
        many::workers(bench).await?;
    }
    Ok(())
}

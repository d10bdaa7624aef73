//! What more workers give: where the model is the bottleneck, and where the database is.

use std::time::{Duration, Instant};

use anyhow::Context;

use super::Bench;
use super::tasks::count;
use crate::load::submit_many;
use crate::process::Process;
use crate::site::Site;

/// Workers of each point of a curve.
const POINTS: [usize; 3] = [1, 2, 4];
/// Clients that submit.
const CLIENTS: usize = 16;
/// Tasks that a worker holds at once, where the model is the bottleneck.
const SLOTS: usize = 8;
/// Tasks for each worker there: 40 a second, for 15 seconds.
const TASKS_EACH: usize = 608;
/// Tasks where the model takes no time.
const TASKS: usize = 4_000;
/// The longest time for a point.
const LIMIT: Duration = Duration::from_secs(180);

/// A curve's kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A model call takes 200 ms, a worker makes few at once.
    Model,
    /// A model call takes no time.
    Database,
}

/// A point of a curve.
struct Point {
    rate: f64,
    /// Cores used by all processes of crewd.
    crewd: f64,
    /// Cores used by the database server.
    database: Option<f64>,
    /// Commits a second.
    commits: Option<f64>,
}

/// Both curves.
pub(super) async fn curves(bench: &mut Bench) -> anyhow::Result<()> {
    for kind in [Kind::Model, Kind::Database] {
        let mut first = None;
        for workers in POINTS {
            let point = measure(bench, kind, workers).await?;
            let times = point.rate / *first.get_or_insert(point.rate);
            add(bench, kind, workers, times, &point);
        }
    }
    Ok(())
}

fn add(bench: &mut Bench, kind: Kind, workers: usize, times: f64, point: &Point) {
    let (what, target) = match kind {
        Kind::Model => ("a model of 200 ms a call", if workers == 2 { ">= 1.7 times" } else { "-" }),
        Kind::Database => ("a model that takes no time", "-"),
    };
    let database = point.database.map_or(String::new(), |cores| format!(", database {cores:.2} cores"));
    let commits = point.commits.map_or(String::new(), |rate| format!(", {rate:.0} commits/s"));
    let slots = if kind == Kind::Model { format!(" of {SLOTS} slots") } else { String::new() };
    bench.report.add(
        &format!("`serve` and {workers} workers{slots}, {what}"),
        format!("{:.0} runs/s, {times:.2} times one worker", point.rate),
        target,
        format!("from the first start to the last end; crewd {:.2} cores{database}{commits}", point.crewd),
    );
}

async fn measure(bench: &Bench, kind: Kind, workers: usize) -> anyhow::Result<Point> {
    let site = bench.site().await?;
    let slots = SLOTS.to_string();
    let settings: Vec<(&str, &str)> = if kind == Kind::Model { vec![("APP_WORKER_SLOTS", slots.as_str())] } else { Vec::new() };
    let mut processes = vec![site.start_as("serve", &[])?];
    for _ in 0..workers {
        processes.push(site.start_as("worker", &settings)?);
    }
    let (crew, tasks) = match kind {
        Kind::Model => ("fifth_second", TASKS_EACH * workers),
        Kind::Database => ("single", TASKS),
    };
    let port = processes.first().context("no process")?.port;
    let used = || processes.iter().map(Process::cpu).sum::<f64>();
    let (begin, cpu, database, commits) = (Instant::now(), used(), bench.target.cpu(), commits(bench, &site).await);
    submit_many(port, crew, CLIENTS, tasks / CLIENTS).await?;
    let rate = all_ended(&site, tasks).await?;
    // What the server counts is told once a second at most.
    let seconds = begin.elapsed().as_secs_f64();
    let point = Point {
        rate,
        crewd: (used() - cpu) / seconds,
        database: bench.target.cpu().zip(database).map(|(after, before)| (after - before) / seconds),
        commits: commits_since(bench, &site, commits).await.map(|made| made / seconds),
    };
    drop(processes);
    Ok(point)
}

async fn commits(bench: &Bench, site: &Site) -> Option<i64> {
    bench.target.server.as_ref()?.commits(site.place.as_ref()?).await
}

async fn commits_since(bench: &Bench, site: &Site, before: Option<i64>) -> Option<f64> {
    tokio::time::sleep(Duration::from_secs(2)).await;
    let made = commits(bench, site).await? - before?;
    Some(count(usize::try_from(made).ok()?))
}

/// Waits for the end of all tasks; how many ended a second, from the first start to the last end.
async fn all_ended(site: &Site, tasks: usize) -> anyhow::Result<f64> {
    let mut connection = site.connection().await?;
    let begin = Instant::now();
    while connection.number("SELECT COUNT(*) FROM runs WHERE finished_at IS NULL").await? > 0 {
        anyhow::ensure!(begin.elapsed() < LIMIT, "the tasks do not end");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let succeeded = connection.number("SELECT COUNT(*) FROM runs WHERE status = 'succeeded'").await?;
    anyhow::ensure!(usize::try_from(succeeded) == Ok(tasks), "{succeeded} of {tasks} tasks succeeded");
    let first = connection.number("SELECT MIN(started_at) FROM runs").await?;
    let last = connection.number("SELECT MAX(finished_at) FROM runs").await?;
    connection.close().await;
    let micros = u64::try_from(last - first)?;
    Ok(count(tasks) / Duration::from_micros(micros).as_secs_f64())
}

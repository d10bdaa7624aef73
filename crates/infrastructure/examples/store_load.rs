//! How much the database takes: submits and reference crews, with what they cost in time and in processor time.
//!
//! `cargo run --release -p crewd-infrastructure --example store_load [tasks] [concurrency]`
//!
//! It uses a fresh file in the system's temporary folder (`TMPDIR`). Processor time is that of the whole process, this
//! program's own part included, and is read from `/proc`: it is 0 elsewhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crewd_application::ports::{Change, ClaimedRun, Durability, LeaseGuard, RunQueue, RunUpdate, Store, UnitOfWork};
use crewd_application::testing::store::{Sample, Submitted};
use crewd_domain::runs::{EventDraft, EventKind, Priority, RunOutcome, Step, StepPath, StepStatus};
use crewd_domain::shared::{TenantId, Usage, WorkerId};
use crewd_infrastructure::persistence::{Database, DatabaseConfig, migrate_up};
use serde_json::json;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const LEASE: Duration = Duration::from_secs(3_600);
/// What a model answers, about as long as in the reference crew.
const ANSWER: &str = "Rivers carry sediment from the mountains to the sea, and cities grow where they can be crossed. ";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let tasks: usize = arguments.next().map_or(Ok(5_000), |text| text.parse())?;
    let concurrency: usize = arguments.next().map_or(Ok(32), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("crewd.db").display());

    let started = Instant::now();
    let database = Database::connect(DatabaseConfig::new(url)).await?;
    let opened = started.elapsed();
    migrate_up(&database).await?;
    println!("open {opened:.1?}, migrate {:.1?}", started.elapsed().saturating_sub(opened));

    let sample = Sample::default();
    let single: Vec<_> = (0..200).map(|second| sample.queued(Priority::Batch, second)).collect();
    measure("submits one by one", 200, submit(&database, single, 1)).await?;
    let many: Vec<_> = (0..i64::try_from(tasks)?).map(|second| sample.queued(Priority::Standard, second)).collect();
    measure("submits", tasks, submit(&database, many, concurrency)).await?;
    let crews = tasks / 4;
    measure("reference crews", crews, run_crews(&database, crews, concurrency)).await?;
    measure_claims(&database, &sample).await?;

    let started = Instant::now();
    database.close().await?;
    println!("close {:.1?}, file {} KiB", started.elapsed(), std::fs::metadata(folder.path().join("crewd.db"))?.len() / 1_024);
    Ok(())
}

/// What a claim of one run costs while thousands wait: of one tenant, of one tenant beside another, and behind a key.
async fn measure_claims(database: &Database, sample: &Sample) -> Outcome<()> {
    const CLAIMS: usize = 100;
    let other = TenantId::try_from("other".to_owned())?;
    measure("claims of one tenant", CLAIMS, claim_each(database, CLAIMS)).await?;
    let theirs: Vec<_> = (0..5_000).map(|second| of(sample, Priority::Interactive, second, &other, None)).collect();
    submit(database, theirs, 32).await?;
    let ours = (0..5_000).map(|second| sample.queued(Priority::Interactive, second)).collect();
    submit(database, ours, 32).await?;
    measure("claims of two tenants", CLAIMS, claim_each(database, CLAIMS)).await?;
    let third = TenantId::try_from("a-third".to_owned())?;
    let behind: Vec<_> = (0..5_000).map(|second| of(sample, Priority::Interactive, second, &third, Some("chat"))).collect();
    submit(database, behind, 32).await?;
    measure("claims beside a key that 5,000 wait for", CLAIMS, claim_each(database, CLAIMS)).await
}

fn of(sample: &Sample, priority: Priority, second: i64, owner: &TenantId, key: Option<&str>) -> Submitted {
    let mut task = sample.queued(priority, second);
    task.task.tenant_id = owner.clone();
    task.run.tenant_id = owner.clone();
    task.run.concurrency_key = key.map(ToOwned::to_owned);
    task
}

async fn claim_each(database: &Database, claims: usize) -> Outcome<Vec<Duration>> {
    let (queue, worker) = (database.queue(), WorkerId::new(Sample::default().id()));
    let mut waits = Vec::new();
    for _ in 0..claims {
        let started = Instant::now();
        queue.claim(worker, 1, LEASE).await?;
        waits.push(started.elapsed());
    }
    Ok(waits)
}

async fn measure(what: &str, count: usize, work: impl Future<Output = Outcome<Vec<Duration>>>) -> Outcome<()> {
    let (started, processor) = (Instant::now(), processor_time());
    let mut waits = work.await?;
    let (elapsed, processor) = (started.elapsed(), processor_time().saturating_sub(processor));
    waits.sort_unstable();
    let at = |share: usize| waits.get(waits.len().saturating_sub(1) * share / 100).copied().unwrap_or_default();
    println!(
        "{what}: {count} in {elapsed:.2?}, {:.0}/s, {:.3} ms of processor each, p50 {:.2?}, p99 {:.2?}",
        f64::from(u32::try_from(count)?) / elapsed.as_secs_f64(),
        processor.as_secs_f64() * 1_000.0 / f64::from(u32::try_from(count.max(1))?),
        at(50),
        at(99),
    );
    Ok(())
}

/// Commits one unit a task; returns how long each commit took.
async fn submit(database: &Database, tasks: Vec<Submitted>, concurrency: usize) -> Outcome<Vec<Duration>> {
    let tasks = Arc::new(std::sync::Mutex::new(tasks));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..concurrency {
        let (store, tasks) = (database.store(), Arc::clone(&tasks));
        workers.spawn(async move {
            let mut waits = Vec::new();
            loop {
                let next = tasks.lock().map_err(|error| error.to_string())?.pop();
                let Some(task) = next else { return Outcome::Ok(waits) };
                let started = Instant::now();
                store.commit(task.unit()).await?;
                waits.push(started.elapsed());
            }
        });
    }
    let mut waits = Vec::new();
    while let Some(worker) = workers.join_next().await {
        waits.extend(worker??);
    }
    Ok(waits)
}

/// Claims runs and works through each as a reference crew would: 2 crew tasks, 4 model calls, 2 tool calls.
async fn run_crews(database: &Database, crews: usize, concurrency: usize) -> Outcome<Vec<Duration>> {
    let left = Arc::new(std::sync::atomic::AtomicUsize::new(crews));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..concurrency {
        let (store, queue, left) = (database.store(), database.queue(), Arc::clone(&left));
        workers.spawn(async move {
            let sample = Sample::default();
            let worker = WorkerId::new(sample.id());
            let mut waits = Vec::new();
            while take_one(&left) {
                let started = Instant::now();
                let claimed = queue.claim(worker, 1, LEASE).await?;
                for one in claimed {
                    Crew::new(&sample, one).run(&store).await?;
                }
                waits.push(started.elapsed());
            }
            Outcome::Ok(waits)
        });
    }
    let mut waits = Vec::new();
    while let Some(worker) = workers.join_next().await {
        waits.extend(worker??);
    }
    Ok(waits)
}

fn take_one(left: &std::sync::atomic::AtomicUsize) -> bool {
    use std::sync::atomic::Ordering::SeqCst;
    left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok()
}

struct Crew<'sample> {
    sample: &'sample Sample,
    claimed: ClaimedRun,
    seq: u64,
    unit: UnitOfWork,
}

impl<'sample> Crew<'sample> {
    fn new(sample: &'sample Sample, claimed: ClaimedRun) -> Self {
        let unit = Self::unit(&claimed);
        Self { sample, seq: claimed.last_seq, claimed, unit }
    }

    fn unit(claimed: &ClaimedRun) -> UnitOfWork {
        let mut unit = UnitOfWork::new(claimed.task.tenant_id.clone());
        unit.guard(LeaseGuard { run_id: claimed.run.id, epoch: claimed.run.epoch });
        unit
    }

    async fn commit(&mut self, store: &impl Store) -> Outcome<()> {
        Ok(store.commit(std::mem::replace(&mut self.unit, Self::unit(&self.claimed))).await?)
    }

    async fn run(mut self, store: &impl Store) -> Outcome<()> {
        self.event(EventKind::TaskStarted, None);
        for place in 0..2 {
            let agent = StepPath::crew_task(place).agent();
            self.event(EventKind::CrewTaskStarted, None);
            self.event(EventKind::AgentStarted, None);
            let asks = self.start(agent.turn(0), EventKind::LlmStarted);
            self.commit(store).await?;
            self.finish(asks, EventKind::LlmCompleted);
            let tool = self.start(agent.turn(0).tool(0), EventKind::ToolStarted);
            self.commit(store).await?;
            self.finish(tool, EventKind::ToolCompleted);
            let writes = self.start(agent.turn(1), EventKind::LlmStarted);
            self.commit(store).await?;
            self.unit.durability = Durability::Delta;
            for _ in 0..3 {
                self.event(EventKind::LlmDelta, None);
            }
            self.commit(store).await?;
            self.finish(writes, EventKind::LlmCompleted);
            self.event(EventKind::AgentCompleted, None);
            self.event(EventKind::CrewTaskCompleted, None);
        }
        let mut run = self.claimed.run.clone();
        let expected_version = run.version;
        let output = json!({"raw": ANSWER.repeat(6)});
        run.finish(RunOutcome::Succeeded { output }, Usage::default(), 6, self.claimed.task.created_at)?;
        self.unit.push(Change::UpdateRun(Box::new(RunUpdate { run, expected_version })));
        self.event(EventKind::TaskSucceeded, None);
        self.commit(store).await
    }

    fn event(&mut self, kind: EventKind, step: Option<StepPath>) {
        self.seq += 1;
        let draft = EventDraft { kind, step, data: json!({"agent": "researcher", "text": ANSWER}) };
        let run = &self.claimed.run;
        self.unit.push(Change::AppendEvent(Arc::new(draft.number(self.seq, run.task_id, run.id, run.created_at))));
    }

    fn start(&mut self, path: StepPath, kind: EventKind) -> Step {
        self.event(kind, Some(path.clone()));
        let step = self.sample.step(&self.claimed.run, path, self.seq);
        self.unit.push(Change::SaveStep(Box::new(step.clone())));
        step
    }

    fn finish(&mut self, mut step: Step, kind: EventKind) {
        self.event(kind, Some(step.path.clone()));
        step.status = StepStatus::Succeeded;
        step.output = Some(json!({"content": ANSWER.repeat(4)}));
        step.finished_at = Some(step.started_at);
        self.unit.push(Change::SaveStep(Box::new(step)));
    }
}

/// User and system time of this process.
fn processor_time() -> Duration {
    const TICKS_A_SECOND: u32 = 100;
    let line = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = line.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1_000 / u64::from(TICKS_A_SECOND))
}

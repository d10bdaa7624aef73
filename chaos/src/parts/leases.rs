//! Lease races: several processes claim, finish, lose and take back the same runs through the product's own adapter.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crewd_application::ports::{Change, ClaimedRun, LeaseGuard, RunQueue, RunUpdate, Store, StoreError, UnitOfWork};
use crewd_application::testing::store::Sample;
use crewd_domain::runs::{Priority, RunOutcome};
use crewd_domain::shared::{Usage, WorkerId};
use crewd_engines::open;
use crewd_infrastructure::persistence::migrate_up;
use serde_json::json;

use crate::dice::Dice;
use crate::report::{Invariant, grouped};
use crate::stage::Context;

/// The hidden command of this program that is one claimant.
pub(crate) const CLAIMANT: &str = "claimant";
const CLAIMANTS: usize = 8;
const LEASE: Duration = Duration::from_secs(60);

/// Runs claimants against each other and compares what they say they held.
pub(crate) async fn measure(context: &Context) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = match &context.server {
        Some(server) => Some((server, server.create("leases").await.expect("a database can be made"))),
        None => None,
    };
    let url = match &place {
        Some((_, place)) => place.url.clone(),
        None => format!("sqlite://{}?mode=rwc", folder.path().join("crewd.db").display()),
    };
    let database = open(&url).await.expect("the database can be opened");
    migrate_up(&database).await.expect("the schema can be made");
    let (sample, store) = (Sample::default(), database.store());
    for chunk in 0..context.sizes.claims.div_ceil(50) {
        let left = context.sizes.claims - chunk * 50;
        let units = (0..left.min(50))
            .map(|place| store.commit(sample.queued(Priority::Standard, i64::try_from(chunk * 50 + place).unwrap_or(0)).unit()));
        for stored in futures::future::join_all(units).await {
            stored.expect("a run can be stored");
        }
    }
    let started = Instant::now();
    let children = (0..CLAIMANTS).map(|number| one(context.seed, number, &url));
    let said: Vec<Vec<String>> = futures::future::join_all(children).await;
    let took = started.elapsed();
    database.close().await.ok();
    compare(context, said.concat(), took);
    if let Some((server, place)) = &place {
        server.remove(place).await.ok();
    }
}

/// Starts a claimant and reads what it did, to its end.
async fn one(seed: u64, number: usize, url: &str) -> Vec<String> {
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command.args([CLAIMANT, &seed.to_string(), &number.to_string()]).arg(url).stderr(Stdio::inherit());
    let ended = tokio::task::spawn_blocking(move || command.output()).await.expect("it can be waited for");
    let ended = ended.expect("this program can be started again");
    assert!(ended.status.success(), "claimant {number}: {}", ended.status);
    String::from_utf8_lossy(&ended.stdout).lines().map(str::to_owned).collect()
}

fn compare(context: &Context, said: Vec<String>, took: Duration) {
    let mut holders: BTreeMap<(String, u64), usize> = BTreeMap::new();
    let mut finished: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let (mut refused, mut taken_back) = (0, 0);
    for line in &said {
        let words: Vec<&str> = line.split(' ').collect();
        let (run, epoch) = (words[1].to_owned(), words[2].parse().unwrap_or_default());
        match words[0] {
            "held" => *holders.entry((run, epoch)).or_default() += 1,
            "finished" => finished.entry(run).or_default().push(epoch),
            "refused" => refused += 1,
            _ => taken_back += 1,
        }
    }
    let report = &context.report;
    let mut last: BTreeMap<&String, u64> = BTreeMap::new();
    for ((run, epoch), count) in &holders {
        report.check(Invariant::Fencing, *count == 1, || format!("run {run} has {count} holders of epoch {epoch}"));
        last.insert(run, *epoch);
    }
    let runs: BTreeSet<&String> = holders.keys().map(|(run, _)| run).collect();
    report.check(Invariant::NoLoss, runs.len() == context.sizes.claims, || format!("{} runs were claimed", runs.len()));
    for run in runs {
        let ends = finished.get(run).cloned().unwrap_or_default();
        report.check(Invariant::OneEnd, ends.len() == 1, || format!("run {run} was finished by the epochs {ends:?}"));
        report.check(Invariant::Fencing, ends.first() == last.get(run), || {
            format!("run {run} was finished by {ends:?}, held by {last:?}")
        });
    }
    let count = |number: usize| grouped(u64::try_from(number).unwrap_or_default());
    let rate = f64::from(u32::try_from(holders.len()).unwrap_or(u32::MAX)) / took.as_secs_f64();
    report.figure("leases", "claimants (processes), runs", format!("{CLAIMANTS}, {}", count(context.sizes.claims)));
    report.figure("leases", "claims", format!("{} ({rate:.0}/s)", count(holders.len())));
    report.figure(
        "leases",
        "leases lost and taken back, writes of former holders refused",
        format!("{}, {}", count(taken_back), count(refused)),
    );
}

/// One claimant: `<seed> <number> <database>`. Says on standard output what it held and finished.
///
/// # Errors
/// Where the database refuses for another reason than a lost race.
pub(crate) async fn claimant(arguments: &[String]) -> anyhow::Result<()> {
    let [seed, number, url] = arguments else { anyhow::bail!("claimant <seed> <number> <database>") };
    let mut dice = Dice::new(seed.parse()?, &format!("claimant {number}"));
    let database = open(url).await?;
    let me = WorkerId::new(uuid::Uuid::from_u128(1 + number.parse::<u128>()?));
    let (queue, store) = (database.queue(), Arc::new(database.store()));
    let mut idle = 0;
    while idle < 5 {
        // Now and then a lease that is over at once: the run must go to somebody else, and its former holder must not know.
        let hasty = dice.percent(10);
        let lease = if hasty { Duration::ZERO } else { LEASE };
        let claimed = queue.claim(me, u32::try_from(dice.within(1..4))?, lease).await;
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(StoreError::Conflict) => continue,
            Err(error) => return Err(error).context("a claim"),
        };
        let nothing = claimed.is_empty();
        for one in claimed {
            println!("held {} {}", one.run.id, one.run.epoch);
            if hasty {
                tokio::time::sleep(dice.pause(0..5)).await;
            }
            finish(&*store, one).await?;
        }
        if nothing || dice.percent(20) {
            let taken = take_back(&queue, &*store).await?;
            idle = if nothing && taken == 0 && queue.depth().await? == 0 && queue.holders().await?.is_empty() {
                idle + 1
            } else {
                0
            };
        }
        if nothing {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    database.close().await.context("close")?;
    Ok(())
}

/// Ends the run under the guard of its lease; a former holder is refused.
async fn finish(store: &impl Store, claimed: ClaimedRun) -> anyhow::Result<()> {
    let mut run = claimed.run;
    let (id, epoch, expected_version) = (run.id, run.epoch, run.version);
    let now = chrono::DateTime::from_timestamp_micros(crate::wall::micros()).unwrap_or_default();
    run.finish(RunOutcome::Succeeded { output: json!({}) }, Usage::default(), 0, now)?;
    let mut unit = UnitOfWork::new(run.tenant_id.clone());
    unit.guard(LeaseGuard { run_id: id, epoch });
    unit.push(Change::UpdateRun(Box::new(RunUpdate { run, expected_version })));
    match store.commit(unit).await {
        Ok(()) => println!("finished {id} {epoch}"),
        Err(StoreError::Fenced | StoreError::Conflict) => println!("refused {id} {epoch}"),
        Err(error) => return Err(error).context("the end of a run"),
    }
    Ok(())
}

/// Puts runs with an expired lease back into the queue; how many were seen.
async fn take_back(queue: &impl RunQueue, store: &impl Store) -> anyhow::Result<usize> {
    let lost = queue.lost(&[]).await?;
    let seen = lost.len();
    for mut one in lost {
        let (id, epoch, expected_version) = (one.run.id, one.run.epoch, one.run.version);
        one.run.lose_worker()?;
        let mut unit = UnitOfWork::new(one.run.tenant_id.clone());
        unit.push(Change::UpdateRun(Box::new(RunUpdate { run: one.run, expected_version })));
        match store.commit(unit).await {
            Ok(()) => println!("taken {id} {epoch}"),
            Err(StoreError::Fenced | StoreError::Conflict) => {}
            Err(error) => return Err(error).context("taking a run back"),
        }
    }
    Ok(seen)
}

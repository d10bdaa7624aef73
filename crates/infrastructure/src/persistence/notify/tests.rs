//! Hints over a real PostgreSQL. Each test has a database of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crewd_application::ports::{ControlItem, EventStream, RunOrders, StreamHint};
use crewd_application::testing::event_stream::check_event_streams;
use crewd_application::testing::ids::SequenceIds;
use crewd_domain::shared::{RunId, TaskId};
use crewd_telemetry::{HintWay, Metrics};
use crewd_test_services::{Service, TestDatabase};
use futures::FutureExt;
use sea_orm::ConnectionTrait;
use tokio::task::JoinHandle;

use super::PostgresNotify;
use crate::persistence::{Database, DatabaseConfig};
use crate::queue::hints::tests::shared_stream;
use crate::queue::hints::{Carried, HintBatch, HintReceiver, HintTransport, Hints};
use crate::queue::{LocalEventStream, LocalSignal};
use crate::redis::tests::proxy::{Proxy, Way};

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Looked(Mutex<Vec<RunId>>);

impl RunOrders for Looked {
    fn give(&self, _: &ControlItem) {}

    fn look(&self, run_id: RunId) {
        self.0.lock().unwrap().push(run_id);
    }
}

/// One process of an installation, listening.
struct Process {
    database: Database,
    notify: Arc<PostgresNotify>,
    stream: LocalEventStream,
    looked: Arc<Looked>,
    metrics: Arc<Metrics>,
    lost: Arc<AtomicUsize>,
    listening: JoinHandle<()>,
}

impl Process {
    async fn start(at: &TestDatabase, number: u64) -> Self {
        let database = Database::connect(DatabaseConfig::new(at.url())).await.unwrap();
        let metrics = Arc::new(Metrics::new("0").unwrap());
        let notify = Arc::new(database.notify(SequenceIds::id(number), metrics.clone()).expect("PostgreSQL can do so"));
        Self::listen(database, notify, metrics)
    }

    fn listen(database: Database, notify: Arc<PostgresNotify>, metrics: Arc<Metrics>) -> Self {
        let (stream, looked) = (LocalEventStream::default(), Arc::new(Looked::default()));
        let receiver = HintReceiver {
            signal: Arc::new(LocalSignal::default()),
            stream: stream.clone(),
            orders: looked.clone(),
            hints: Hints::new(metrics.clone(), HintWay::Notify),
        };
        let (transport, lost) = (notify.clone(), Arc::new(AtomicUsize::new(0)));
        let count = lost.clone();
        let listening = tokio::spawn(async move {
            loop {
                transport.listen(&receiver).await;
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { database, notify, stream, looked, metrics, lost, listening }
    }

    fn hears(&self) -> bool {
        self.metrics.encode().unwrap().lines().any(|line| line == "notify_up 1")
    }

    /// Waits until the other one is known.
    async fn knows_others(&self) {
        until("others are known", async || self.notify.send(&work(0)).await == Ok(Carried::Told)).await;
    }

    async fn work(&self) -> Option<usize> {
        tokio::time::timeout(Duration::from_millis(300), self.notify.next_work(8)).await.ok().map(Result::unwrap)
    }

    async fn end(self) {
        self.listening.abort();
        self.database.close().await.unwrap();
    }
}

async fn pair(at: &TestDatabase) -> [Process; 2] {
    let pair = [Process::start(at, 1).await, Process::start(at, 2).await];
    for process in &pair {
        process.knows_others().await;
    }
    pair
}

fn work(runs: usize) -> HintBatch {
    HintBatch { work: runs, ..HintBatch::default() }
}

fn task(place: u64) -> TaskId {
    TaskId::new(SequenceIds::id(place))
}

/// Asks again until it is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let patience = tokio::time::Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < patience, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn streams_of_two_processes_keep_the_promises_of_the_port() {
    let Some(at) = Service::Postgres.database() else { return };
    let database = Database::connect(DatabaseConfig::new(at.url())).await.unwrap();
    let [one, other] = [1, 2].map(|number| {
        let metrics = Arc::new(Metrics::new("0").unwrap());
        let notify = database.notify(SequenceIds::id(number), metrics).expect("PostgreSQL can do so");
        shared_stream(Arc::new(notify), HintWay::Notify)
    });
    check_event_streams(&one, &other).await;
    database.close().await.unwrap();
}

#[tokio::test]
async fn logs_and_orders_are_told_to_the_others_and_not_to_oneself() {
    let Some(at) = Service::Postgres.database() else { return };
    let [one, other] = pair(&at).await;
    let [mut own, mut far] = [&one, &other].map(|process| process.stream.subscribe(task(1)));
    let run = RunId::new(SequenceIds::id(9));
    let batch = HintBatch { work: 0, events: vec![(task(1), 7)], orders: vec![run] };
    assert_eq!(one.notify.send(&batch).await, Ok(Carried::Told));
    let heard = tokio::time::timeout(PATIENCE, far.next()).await.expect("it is heard");
    assert!(matches!(heard, StreamHint::ReadAgain));
    until("the order is heard", async || *other.looked.0.lock().unwrap() == [run]).await;
    assert!(own.next().now_or_never().is_none() && one.looked.0.lock().unwrap().is_empty(), "one's own words are no news");
    let text = other.metrics.encode().unwrap();
    assert!(text.lines().any(|line| line == "notify_hints_total{outcome=\"heard\"} 2"), "{text}");
    for process in [one, other] {
        process.end().await;
    }
}

#[tokio::test]
async fn all_others_are_told_of_work_once_and_only_as_much_as_fits() {
    let Some(at) = Service::Postgres.database() else { return };
    let [one, other] = pair(&at).await;
    let third = Process::start(&at, 3).await;
    third.knows_others().await;
    assert_eq!(one.notify.send(&work(20)).await, Ok(Carried::Told));
    for process in [&other, &third] {
        assert_eq!(process.work().await, Some(8), "as many as there is room for");
        assert_eq!(process.work().await, None, "the rest is found by looking");
    }
    assert_eq!(one.work().await, None);
    assert_eq!(one.notify.is_time_to_compare().await, Ok(false));
    for process in [one, other, third] {
        process.end().await;
    }
}

#[tokio::test]
async fn who_is_alone_tells_nobody_and_installations_do_not_hear_each_other() {
    let (Some(here), Some(elsewhere)) = (Service::Postgres.database(), Service::Postgres.database()) else { return };
    let (one, stranger) = (Process::start(&here, 1).await, Process::start(&elsewhere, 2).await);
    for process in [&one, &stranger] {
        until("it hears", async || process.hears()).await;
        assert_eq!(process.notify.send(&work(1)).await, Ok(Carried::Nobody));
    }
    let second = Process::start(&here, 3).await;
    one.knows_others().await;
    assert_eq!(stranger.notify.send(&work(1)).await, Ok(Carried::Nobody));
    for process in [one, stranger, second] {
        process.end().await;
    }
}

#[tokio::test]
async fn what_is_too_long_for_one_message_goes_in_several() {
    let Some(at) = Service::Postgres.database() else { return };
    let [one, other] = pair(&at).await;
    let events = (0..3_000).map(|place| (task(1_000 + place), u64::MAX)).collect();
    let orders: Vec<_> = (0..3_000).map(|place| RunId::new(SequenceIds::id(10_000 + place))).collect();
    let batch = HintBatch { work: 1_000, events, orders: orders.clone() };
    assert_eq!(one.notify.send(&batch).await, Ok(Carried::Told));
    until("all is heard", async || other.looked.0.lock().unwrap().len() == orders.len()).await;
    assert_eq!(*other.looked.0.lock().unwrap(), orders);
    assert_eq!(other.work().await, Some(8));
    for process in [one, other] {
        process.end().await;
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_is_opened_again() {
    let Some(at) = Service::Postgres.database() else { return };
    let [one, other] = pair(&at).await;
    let mut far = other.stream.subscribe(task(1));
    for times in 1..=2 {
        // Those that listen, and no others.
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND query LIKE 'LISTEN \"crewd_hints\"%'";
        let killed =
            one.database.read_connection().query_all_raw(sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, cut));
        assert_eq!(killed.await.unwrap().len(), 2, "each process has one");
        until("it is noticed", async || [&one, &other].iter().all(|process| process.lost.load(Ordering::SeqCst) == times)).await;
        until("both hear again", async || one.hears() && other.hears()).await;
        assert_eq!(one.notify.send(&HintBatch { events: vec![(task(1), times as u64)], ..work(0) }).await, Ok(Carried::Told));
        let heard = tokio::time::timeout(PATIENCE, far.next()).await.expect("it is heard");
        assert!(matches!(heard, StreamHint::ReadAgain));
    }
    for process in [one, other] {
        process.end().await;
    }
}

#[tokio::test]
async fn a_connection_over_which_nothing_comes_any_more_is_noticed() {
    let Some(at) = Service::Postgres.database() else { return };
    let way = Proxy::to(&at.url()).await;
    let name = at.url().rsplit_once('/').map(|(_, name)| name.to_owned()).unwrap();
    let far = Database::connect(DatabaseConfig::new(format!("postgres://postgres@{}/{name}", way.address()))).await.unwrap();
    let near = Database::connect(DatabaseConfig::new(at.url())).await.unwrap();
    let metrics = Arc::new(Metrics::new("0").unwrap());
    let opener = far.notify(SequenceIds::id(1), metrics.clone()).unwrap().opener;
    let notify = Arc::new(PostgresNotify::new(opener, near.readers().clone(), SequenceIds::id(1), metrics.clone()));
    let process = Process::listen(near, notify, metrics);
    until("it hears", async || process.hears()).await;
    way.set(Way::Silent);
    until("it is noticed", async || process.lost.load(Ordering::SeqCst) > 0).await;
    assert!(!process.hears());
    way.set(Way::Open);
    until("it hears again", async || process.hears()).await;
    process.end().await;
}

#[tokio::test]
async fn who_never_hears_himself_says_so_once_and_rests() {
    let (Some(at), Some(elsewhere)) = (Service::Postgres.database(), Service::Postgres.database()) else { return };
    let [here, there] = [&at, &elsewhere].map(|at| Database::connect(DatabaseConfig::new(at.url())));
    let (here, there) = (here.await.unwrap(), there.await.unwrap());
    let metrics = Arc::new(Metrics::new("0").unwrap());
    // As a pooler does it: who listens is not where the words arrive.
    let opener = here.notify(SequenceIds::id(1), metrics.clone()).unwrap().opener;
    let notify = Arc::new(PostgresNotify::new(opener, there.readers().clone(), SequenceIds::id(1), metrics.clone()));
    let process = Process::listen(here, notify, metrics);
    until("it says so", async || process.notify.hearing.is_told.load(Ordering::SeqCst)).await;
    assert!(!process.hears());
    assert_eq!(process.notify.send(&work(1)).await, Ok(Carried::Nobody), "and burdens the database with nothing");
    process.end().await;
    there.close().await.unwrap();
}

#[tokio::test]
async fn it_can_be_switched_off_and_other_databases_have_none() {
    let metrics = Arc::new(Metrics::new("0").unwrap());
    let mut configs = vec![DatabaseConfig::new("sqlite::memory:")];
    let at = Service::Postgres.database();
    configs.extend(at.as_ref().map(|at| DatabaseConfig { notify: false, ..DatabaseConfig::new(at.url()) }));
    for config in configs {
        let database = Database::connect(config).await.unwrap();
        assert!(!database.describe().capabilities.notify);
        assert!(database.notify(SequenceIds::id(1), metrics.clone()).is_none());
        database.close().await.unwrap();
    }
    assert!(!metrics.encode().unwrap().contains("\nnotify_up "), "nothing is said of what is not used");
}

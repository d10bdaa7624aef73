//! The contract suites of webhooks and schedules, and what several processes do to each other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use crewd_application::ports::{
    Change, Duty, SCHEDULE_FIRE, ScheduleStore, Store, StoreError, StoredFire, StoredSchedule, WebhookStore,
};
use crewd_application::testing::duties::DutyHarness;
use crewd_application::testing::schedules::ScheduleHarness;
use crewd_application::testing::store::Sample;
use crewd_application::testing::webhooks::WebhookHarness;
use crewd_application::testing::{duties, schedules, webhooks};
use crewd_domain::runs::Priority;
use crewd_domain::shared::{ScheduleId, WebhookId};
use crewd_domain::webhooks::{Payload, WebhookEndpoint};
use futures::future::{join, join_all};
use sea_orm::ConnectionTrait;

use super::support::{clock_step, fresh, harness, in_memory, open};
use crate::persistence::Database;

const LEASE: Duration = Duration::from_secs(3_600);

fn endpoint(sample: &Sample) -> WebhookEndpoint {
    WebhookEndpoint {
        id: WebhookId::new(sample.id()),
        tenant_id: sample.tenant().clone(),
        task_id: None,
        url: "https://hooks.example.com/crewd".to_owned(),
        description: None,
        events: Vec::new(),
        payload: Payload::Thin,
        secret: "sealed".to_owned(),
        previous_secret: None,
        timeout_seconds: 15,
        max_concurrent: 100,
        disabled: None,
        failing_since: None,
        created_at: DateTime::UNIX_EPOCH,
        version: 1,
    }
}

pub(super) fn webhook_harness(database: &Database) -> WebhookHarness {
    WebhookHarness {
        store: Arc::new(database.store()),
        webhooks: Arc::new(database.webhooks()),
        clock_step: clock_step(database),
    }
}

pub(super) async fn duty_harness(one: &Database, other: &Database) -> DutyHarness {
    for name in Duty::ALL.map(Duty::as_str) {
        one.schema_connection().execute_unprepared(&format!("DELETE FROM duties WHERE name = '{name}'")).await.unwrap();
    }
    DutyHarness { one: Arc::new(one.duties()), other: Arc::new(other.duties()), clock_step: clock_step(one) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_keeps_the_contract_of_duties() {
    let (folder, one) = fresh().await;
    let other = open(folder.path()).await;
    duties::run_suite(async || duty_harness(&one, &other).await).await;
}

#[tokio::test]
async fn memory_keeps_the_contract_of_duties() {
    let database = in_memory().await;
    duties::run_suite(async || duty_harness(&database, &database).await).await;
}

pub(super) fn schedule_harness(database: &Database) -> ScheduleHarness {
    ScheduleHarness {
        store: Arc::new(database.store()),
        queries: Arc::new(database.queries()),
        schedules: Arc::new(database.schedules()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_keeps_the_contract_of_webhooks() {
    let folders = Mutex::new(Vec::new());
    webhooks::run_suite(async || {
        let (folder, database) = fresh().await;
        folders.lock().unwrap().push(folder);
        webhook_harness(&database)
    })
    .await;
}

#[tokio::test]
async fn memory_keeps_the_contract_of_webhooks() {
    webhooks::run_suite(async || webhook_harness(&in_memory().await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_keeps_the_contract_of_schedules() {
    let folders = Mutex::new(Vec::new());
    schedules::run_suite(async || {
        let (folder, database) = fresh().await;
        folders.lock().unwrap().push(folder);
        schedule_harness(&database)
    })
    .await;
}

#[tokio::test]
async fn memory_keeps_the_contract_of_schedules() {
    schedules::run_suite(async || schedule_harness(&in_memory().await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_share_messages_and_deliveries() {
    let (folder, one) = fresh().await;
    let other = open(folder.path()).await;
    let sample = Sample::default();
    // An endpoint that one process has added is known to the next commit of the other.
    let endpoint = endpoint(&sample);
    one.webhooks().insert(endpoint.clone()).await.unwrap();
    let tasks: Vec<_> = (0..60).map(|second| sample.queued(Priority::Standard, second)).collect();
    let commits = tasks.iter().enumerate().map(|(place, task)| {
        let store = if place % 2 == 0 { one.store() } else { other.store() };
        async move { store.commit(task.unit()).await }
    });
    join_all(commits).await.into_iter().for_each(Result::unwrap);

    let (mut expanded, mut claimed) = (0, Vec::new());
    for _ in 0..40 {
        let (mine, theirs) = (one.webhooks(), other.webhooks());
        let (first, second) = join(mine.expand(5), theirs.expand(5)).await;
        expanded += first.unwrap() + second.unwrap();
        let (first, second) = join(mine.claim(4, LEASE), theirs.claim(4, LEASE)).await;
        for due in first.unwrap().into_iter().chain(second.unwrap()) {
            claimed.push(due.delivery.id);
            assert!(claimed.len() <= 60);
        }
    }
    assert_eq!((expanded, claimed.len()), (60, 60));
    claimed.sort();
    claimed.dedup();
    assert_eq!(claimed.len(), 60);
    assert_eq!(one.webhooks().deliveries(sample.tenant(), endpoint.id, None, None, 100).await.unwrap().len(), 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_keep_an_endpoints_limit_together() {
    let (folder, one) = fresh().await;
    let other = open(folder.path()).await;
    let sample = Sample::default();
    one.webhooks().insert(WebhookEndpoint { max_concurrent: 3, ..endpoint(&sample) }).await.unwrap();
    for second in 0..12 {
        one.store().commit(sample.queued(Priority::Standard, second).unit()).await.unwrap();
    }
    assert_eq!(one.webhooks().expand(50).await.unwrap(), 12);
    let claims = (1..=12).map(|limit| {
        let webhooks = if limit % 2 == 0 { one.webhooks() } else { other.webhooks() };
        async move { webhooks.claim(limit, LEASE).await }
    });
    let at_once: usize = join_all(claims).await.into_iter().map(|claimed| claimed.unwrap().len()).sum();
    assert!(at_once <= 3, "{at_once}");
    assert_eq!(at_once + one.webhooks().claim(50, LEASE).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_one_fires_each_time() {
    let (folder, one) = fresh().await;
    let other = open(folder.path()).await;
    let sample = Sample::default();
    let mut schedule = StoredSchedule {
        id: ScheduleId::new(sample.id()),
        tenant_id: sample.tenant().clone(),
        name: "nightly".to_owned(),
        definition: "{}".to_owned(),
        next_fire_at: DateTime::from_timestamp(1_000_000_000, 0),
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
    };
    one.schedules().insert(schedule.clone()).await.unwrap();
    for round in 1..=15 {
        let fire_time = schedule.next_fire_at.unwrap();
        schedule.version += 1;
        schedule.next_fire_at = Some(fire_time + TimeDelta::seconds(60));
        let fire = async |database: &Database| {
            let submitted = sample.queued(Priority::Standard, round);
            let mut unit = submitted.unit();
            unit.push(Change::InsertScheduleFire(Box::new(StoredFire {
                schedule_id: schedule.id,
                tenant_id: schedule.tenant_id.clone(),
                fire_time,
                kind: "scheduled".to_owned(),
                outcome: "submitted".to_owned(),
                task_id: Some(submitted.task.id),
                reason: None,
                at: fire_time,
            })));
            unit.push(Change::UpdateSchedule(Box::new(schedule.clone())));
            database.store().commit(unit).await
        };
        match join(fire(&one), fire(&other)).await {
            (Ok(()), Err(StoreError::Duplicate(key))) | (Err(StoreError::Duplicate(key)), Ok(())) => {
                assert_eq!(key, SCHEDULE_FIRE);
            }
            different => panic!("{different:?}"),
        }
    }
    assert_eq!(harness(&one).queue.depth().await.unwrap(), 15);
    assert_eq!(one.schedules().due(5).await.unwrap().1, [schedule]);
}

#[tokio::test]
async fn a_group_asks_before_it_writes_messages() {
    let (_folder, database) = fresh().await;
    let sample = Sample::default();
    let store = database.store();
    let submit = async || {
        let tasks: Vec<_> = (0..40).map(|second| sample.queued(Priority::Standard, second)).collect();
        let results = join_all(tasks.iter().map(|task| store.commit(task.unit()))).await;
        results.into_iter().for_each(Result::unwrap);
    };
    submit().await;
    assert_eq!(database.webhooks().expand(100).await.unwrap(), 0);
    let listening = endpoint(&sample);
    database.webhooks().insert(listening.clone()).await.unwrap();
    submit().await;
    assert_eq!(database.webhooks().expand(100).await.unwrap(), 40);
    database.webhooks().delete(sample.tenant(), listening.id).await.unwrap();
    submit().await;
    assert_eq!(database.webhooks().expand(100).await.unwrap(), 0);

    // An endpoint that comes in the same group hears of its own task, and of nothing else.
    let tasks: Vec<_> = (0..20).map(|second| sample.queued(Priority::Standard, second)).collect();
    let own = WebhookEndpoint { task_id: tasks.first().map(|task| task.task.id), ..endpoint(&sample) };
    let commits = tasks.iter().enumerate().map(|(place, task)| {
        let mut unit = task.unit();
        if place == 0 {
            unit.push(Change::InsertWebhook(Box::new(own.clone())));
        }
        store.commit(unit)
    });
    join_all(commits).await.into_iter().for_each(Result::unwrap);
    assert_eq!(database.webhooks().expand(100).await.unwrap(), 1);
}

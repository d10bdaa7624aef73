//! Deliveries of webhooks by processes that die before they send, and before they can write down that they have sent.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crewd_tests::runtime::runtime;
use futures::future::join;
use serde_json::{Value, json};

use crate::audit::{Entry, Figures, Known, audit, audit_rows};
use crate::dice::Dice;
use crate::fleet::{Fleet, Role};
use crate::marker::marker;
use crate::model::QUICK;
use crate::receiver::{Message, Receiver};
use crate::report::Invariant;
use crate::stage::{Context, ONE_CALL, Stage};
use crate::waiting::Waiting;
use crate::wall;

/// What is told of a task, by the events of its log.
const TOLD: [&str; 2] = ["task.queued", "task.succeeded"];
/// Tasks of an installation whose process dies at a place.
const FEW: usize = 6;
/// A delivery whose sender died is sent again after a minute; one that was refused, after some seconds.
const PATIENCE: Duration = Duration::from_secs(150);

/// What came of a part of it.
#[derive(Clone, Copy)]
struct Counts {
    messages: usize,
    again: usize,
    kills: usize,
}

/// Runs the part: three installations at once, since each mostly waits.
pub(crate) async fn measure(context: &Context) {
    let places = join(dies_at(context, "before_outbox_send"), dies_at(context, "after_outbox_send"));
    let ((before, after), random) = join(places, killed_at_random(context)).await;
    let sum = |of: fn(Counts) -> usize| of(before) + of(after) + of(random);
    let text = format!("{}, {}, {}", sum(|one| one.messages), sum(|one| one.again), sum(|one| one.kills));
    context.report.figure("webhooks", "messages, sent more than once, processes killed", text);
}

/// A process that is alone and dies at a place of the write path of deliveries.
async fn dies_at(context: &Context, place: &str) -> Counts {
    let stage = Arc::new(Stage::new(context, &format!("webhooks-{place}"), &context.debug_binary).await);
    let receiver = Receiver::start(context.seed).await;
    let mut fleet = Fleet::new(&stage);
    let passing = 1 + Dice::new(context.seed, place).below(FEW);
    let process = fleet.add_with(Role::All, Some(&format!("{place}:{passing}"))).await;
    let id = endpoint(&stage, &receiver).await;
    let submits = runtime().spawn(submit(Arc::clone(&stage), 0..FEW));
    let died = fleet.wait_death(process, Duration::from_secs(30)).await;
    context.report.check(Invariant::Recovery, died, || format!("{place}:{passing} was not reached"));
    if died {
        fleet.start(process, None).await;
    }
    let entries = submits.await.expect("all are submitted");
    settle(&stage, &receiver, &id, &entries, fleet).await
}

/// Processes that are killed at random while they deliver.
async fn killed_at_random(context: &Context) -> Counts {
    let stage = Arc::new(Stage::new(context, "webhooks", &context.binary).await);
    let receiver = Receiver::start(context.seed).await;
    let mut fleet = Fleet::new(&stage);
    for _ in 0..3 {
        fleet.add(Role::All).await;
    }
    let mut dice = Dice::new(context.seed, "webhooks");
    let id = endpoint(&stage, &receiver).await;
    let mut entries = Vec::new();
    for start in (0..context.sizes.deliveries).step_by(20) {
        entries.extend(submit(Arc::clone(&stage), start..start + 20).await);
        strike(&mut fleet, &mut dice).await;
    }
    settle(&stage, &receiver, &id, &entries, fleet).await
}

/// Registers the receiver.
async fn endpoint(stage: &Stage, receiver: &Receiver) -> String {
    let answer = stage.api.call("POST", "/api/v1/webhooks", &[], Some(&json!({ "url": receiver.url(), "events": TOLD }))).await;
    assert_eq!(answer.status, 201, "a webhook: {}", answer.text);
    let webhook = answer.json();
    receiver.expect(webhook["secret"].as_str().unwrap_or_default());
    webhook["id"].as_str().unwrap_or_default().to_owned()
}

async fn submit(stage: Arc<Stage>, numbers: Range<usize>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for number in numbers {
        let marker = marker(QUICK, number);
        let id = stage.api.submit(ONE_CALL, &marker).await;
        entries.push(Entry { crew: ONE_CALL, marker, id });
    }
    entries
}

/// Waits for the ends of the tasks and of all deliveries, and checks both.
async fn settle(stage: &Stage, receiver: &Receiver, id: &str, entries: &[Entry], mut fleet: Fleet<'_>) -> Counts {
    let mut waiting = Waiting::default();
    let left = waiting.all(stage, entries, Duration::from_secs(60)).await;
    stage.report().check(Invariant::NoLoss, left == 0, || format!("{}: {left} tasks did not end", stage.part));
    let messages = check(stage, receiver, id, entries).await;
    let mut figures = Figures::default();
    for entry in entries {
        audit(stage, entry, Known { seen: &[], history: &fleet.history, waiting: &waiting }, &mut figures).await;
    }
    audit_rows(stage, entries.len()).await;
    fleet.end();
    let again = messages.values().filter(|message| message.bodies.len() > 1).count();
    Counts { messages: messages.len(), again, kills: fleet.history.kills }
}

/// Kills a process, or none, and replaces it.
async fn strike(fleet: &mut Fleet<'_>, dice: &mut Dice) {
    if dice.percent(70) {
        let number = *dice.pick(&fleet.living(Role::All));
        fleet.kill(number);
        fleet.start(number, None).await;
    }
}

async fn open_deliveries(stage: &Stage, id: &str) -> Vec<Value> {
    let mut open = Vec::new();
    for status in ["pending", "failed"] {
        let page = stage.api.get(&format!("/api/v1/webhooks/{id}/deliveries?status={status}&limit=200")).await;
        open.extend(page["items"].as_array().cloned().unwrap_or_default());
    }
    open
}

async fn check(stage: &Stage, receiver: &Receiver, id: &str, entries: &[Entry]) -> BTreeMap<String, Message> {
    let report = stage.report();
    // What is reported as taken may lag behind the receiver by the minute after which a sender counts as dead.
    let started = Instant::now();
    let open = loop {
        let open = open_deliveries(stage, id).await;
        // What was not turned into a delivery yet is in no list.
        let all_came = receiver.messages().len() >= entries.len() * TOLD.len();
        if open.is_empty() && all_came || started.elapsed() > PATIENCE {
            break open;
        }
        // A death counts as an attempt; after a second failed one the schedule pauses for minutes. Nobody waits for that
        // here. What is planned for sooner may be under way.
        let soon = wall::micros() + 70_000_000;
        let is_far = |one: &&Value| wall::parse(one["next_attempt_at"].as_str().unwrap_or_default()) > soon;
        for delivery in open.iter().filter(is_far) {
            let path = format!("/api/v1/webhooks/{id}/deliveries/{}/redeliver", delivery["id"].as_str().unwrap_or_default());
            stage.api.call("POST", &path, &[], None).await;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    let messages = receiver.messages();
    let mut told: BTreeMap<(String, u64), BTreeSet<&String>> = BTreeMap::new();
    for (id, message) in &messages {
        let (task, seq, _) = message.facts();
        told.entry((task, seq)).or_default().insert(id);
        let same = message.bodies.iter().all(|body| Some(body) == message.bodies.first());
        report.check(Invariant::Webhooks, message.forged == 0, || {
            format!("message {id} was signed wrongly {} times", message.forged)
        });
        report.check(Invariant::Webhooks, same && message.taken > 0, || {
            format!("message {id}: {} attempts, {} taken, same body {same}", message.bodies.len(), message.taken)
        });
    }
    for entry in entries {
        for text in stage.api.log(&entry.id).await {
            let event: Value = serde_json::from_str(&text).unwrap_or_default();
            if TOLD.contains(&event["type"].as_str().unwrap_or_default()) {
                let seq = event["seq"].as_u64().unwrap_or_default();
                let ids = told.get(&(entry.id.clone(), seq)).map(BTreeSet::len).unwrap_or_default();
                report.check(Invariant::Webhooks, ids == 1, || format!("event {seq} of {} was told with {ids} ids", entry.id));
            }
        }
    }
    report.check(Invariant::Webhooks, open.is_empty(), || format!("deliveries are pending or failed: {open:?}"));
    messages
}

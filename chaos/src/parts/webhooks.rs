//! Deliveries of webhooks by processes that die before they send, and before they can write down that they have sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

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

/// What is told of a task, by the events of its log.
const TOLD: [&str; 2] = ["task.queued", "task.succeeded"];
/// Tasks that are submitted before anybody is killed.
const FIRST: usize = 20;
/// A delivery whose sender died is sent again after a minute; one that was refused, after some seconds.
const PATIENCE: Duration = Duration::from_secs(150);

/// Runs the part.
pub(crate) async fn measure(context: &Context) {
    let receiver = Receiver::start(context.seed).await;
    let stage = Stage::new(context, "webhooks", &context.debug_binary).await;
    let mut fleet = Fleet::new(&stage);
    let mut dice = Dice::new(context.seed, "webhooks");
    let id = endpoint(&stage, &mut fleet, &receiver).await;
    let mut doomed = Vec::new();
    for place in ["before_outbox_send", "after_outbox_send"] {
        let passing = 1 + dice.below(3);
        doomed.push((fleet.add_with(Role::All, Some(&format!("{place}:{passing}"))).await, place));
    }
    let mut entries = Vec::new();
    for number in 0..context.sizes.deliveries {
        let marker = marker(QUICK, number);
        let id = stage.api.submit(ONE_CALL, &marker).await;
        entries.push(Entry { crew: ONE_CALL, marker, id });
        if number + 1 == FIRST {
            // Deliveries of the dead count as under way for a minute and take up the endpoint's few places: who is told
            // to die comes first.
            for (number, place) in std::mem::take(&mut doomed) {
                let died = fleet.wait_death(number, Duration::from_secs(90)).await;
                context.report.check(Invariant::Recovery, died, || format!("webhooks: {place} was not reached"));
            }
        }
        if number > FIRST && number.is_multiple_of(20) {
            strike(&mut fleet, &mut dice).await;
        }
    }
    for number in fleet.dead() {
        fleet.start(number, None).await;
    }
    let mut waiting = Waiting::default();
    let left = waiting.all(&stage, &entries, Duration::from_secs(60)).await;
    context.report.check(Invariant::NoLoss, left == 0, || format!("webhooks: {left} tasks did not end"));
    let mut figures = Figures::default();
    for entry in &entries {
        audit(&stage, entry, Known { seen: &[], history: &fleet.history, waiting: &waiting }, &mut figures).await;
    }
    check(&stage, &receiver, &id, &entries, fleet.history.kills).await;
    audit_rows(&stage, entries.len()).await;
    fleet.end();
}

/// Registers the receiver by a process that is not told to die. Nothing is to be delivered yet: who is told to die must be
/// ready before it does.
async fn endpoint(stage: &Stage, fleet: &mut Fleet<'_>, receiver: &Receiver) -> String {
    fleet.add(Role::All).await;
    let answer = stage.api.call("POST", "/api/v1/webhooks", &[], Some(&json!({ "url": receiver.url(), "events": TOLD }))).await;
    assert_eq!(answer.status, 201, "a webhook: {}", answer.text);
    let webhook = answer.json();
    receiver.expect(webhook["secret"].as_str().unwrap_or_default());
    webhook["id"].as_str().unwrap_or_default().to_owned()
}

/// Kills a process that was not told where to die, and replaces all that are dead.
async fn strike(fleet: &mut Fleet<'_>, dice: &mut Dice) {
    for number in fleet.dead() {
        fleet.start(number, None).await;
    }
    let living = fleet.living(Role::All);
    if living.len() > 1 && dice.percent(50) {
        fleet.kill(living[0]);
        fleet.start(living[0], None).await;
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

async fn check(stage: &Stage, receiver: &Receiver, id: &str, entries: &[Entry], kills: usize) {
    let report = stage.report();
    // What is reported as taken may lag behind the receiver by the minute after which a sender counts as dead.
    let started = Instant::now();
    let open = loop {
        let open = open_deliveries(stage, id).await;
        // What was not turned into a delivery yet is in no list.
        let all_came = receiver.messages().len() >= entries.len() * TOLD.len();
        if open.is_empty() && all_came || started.elapsed() > PATIENCE {
            break open.len();
        }
        // A death counts as an attempt; after a second failed one the schedule pauses for minutes. Nobody waits for that here.
        for delivery in open.iter().filter(|one| one["attempts"].as_u64() > Some(1)) {
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
    report.check(Invariant::Webhooks, open == 0, || format!("{open} deliveries are pending or failed"));
    let again = |message: &Message| message.bodies.len() > 1;
    report.figure(
        "webhooks",
        "messages, sent more than once, processes killed",
        format!("{}, {}, {kills}", messages.len(), messages.values().filter(|message| again(message)).count()),
    );
}

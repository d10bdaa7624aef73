//! Many submits with one key, at once, through several servers, and after all of them were killed.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::{join, join_all};
use serde_json::json;

use crate::audit::{Entry, Figures, Known, audit, audit_rows};
use crate::dice::Dice;
use crate::fleet::{Fleet, Role};
use crate::marker::marker;
use crate::model::QUICK;
use crate::report::Invariant;
use crate::stage::{Context, ONE_CALL, Stage};
use crate::waiting::Waiting;

/// Runs the part.
pub(crate) async fn measure(context: &Context) {
    let keys = context.sizes.keys;
    let stage = Stage::new(context, "submits", &context.binary).await;
    let mut fleet = Fleet::new(&stage);
    for role in [Role::Serve, Role::Serve, Role::Worker] {
        fleet.add(role).await;
    }
    let mut dice = Dice::new(context.seed, "deaths of servers");
    let mut entries = Vec::new();
    for key in 0..keys {
        let marker = marker(QUICK, key);
        let submits = join_all((0..context.sizes.submits).map(|_| stage.api.submit(ONE_CALL, &marker)));
        // A server dies in the middle of them: before, while or after it stored the task.
        let death = async {
            tokio::time::sleep(dice.pause(1..60)).await;
            let number = *dice.pick(&fleet.living(Role::Serve));
            fleet.kill(number);
            fleet.start(number, None).await;
        };
        let (ids, ()) = join(submits, death).await;
        let mut ids: BTreeSet<String> = ids.into_iter().collect();
        for number in fleet.living(Role::Serve) {
            fleet.kill(number);
            fleet.start(number, None).await;
        }
        ids.insert(stage.api.submit(ONE_CALL, &marker).await);
        context.report.check(Invariant::Idempotency, ids.len() == 1, || format!("one key made the tasks {ids:?}"));
        let other = json!({ "crew": ONE_CALL, "inputs": { "topic": "another" } });
        let header = format!("key-{marker}");
        let answer = stage.api.call("POST", "/api/v1/tasks", &[("idempotency-key", &header)], Some(&other)).await;
        context.report.check(Invariant::Idempotency, answer.status == 422, || {
            format!("the key with another body was answered {} {}", answer.status, answer.text)
        });
        entries.extend(ids.into_iter().map(|id| Entry { crew: ONE_CALL, marker: marker.clone(), id }));
    }
    let mut waiting = Waiting::default();
    let left = waiting.all(&stage, &entries, Duration::from_secs(60)).await;
    context.report.check(Invariant::NoLoss, left == 0, || format!("submits: {left} tasks did not end"));
    let mut figures = Figures::default();
    for entry in &entries {
        audit(&stage, entry, Known { seen: &[], history: &fleet.history, waiting: &waiting }, &mut figures).await;
    }
    audit_rows(&stage, keys).await;
    context.report.figure(
        "submits",
        "keys × submits at once",
        format!("{keys} × {} by 2 servers that are killed = {} tasks", context.sizes.submits, entries.len()),
    );
    fleet.end();
}

//! Streams that break off again and again, also because their server is killed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crewd_tests::runtime::runtime;

use crate::audit::{Entry, Figures, Known, audit, audit_rows};
use crate::dice::Dice;
use crate::fleet::{Fleet, Role};
use crate::follow::follow;
use crate::marker::marker;
use crate::model::STREAMED;
use crate::report::{Invariant, grouped};
use crate::stage::{CHAIN, Context, Stage};
use crate::waiting::Waiting;

/// Tasks followed at once; each has [`FOLLOWERS`].
const TASKS: usize = 6;
const FOLLOWERS: usize = 4;

/// Follows streamed tasks until there were enough reconnects.
pub(crate) async fn measure(context: &Context) {
    let stage = Arc::new(Stage::new(context, "streams", &context.binary).await);
    let mut fleet = Fleet::new(&stage);
    for role in [Role::Serve, Role::Serve, Role::Worker, Role::Worker] {
        fleet.add(role).await;
    }
    let mut dice = Dice::new(context.seed, "streams");
    let mut figures = Figures::default();
    let (mut reconnects, mut followers, mut number) = (0, 0, 0);
    let mut entries = Vec::new();
    while reconnects < context.sizes.reconnects && number < 1_000 {
        let mut round = Vec::new();
        for _ in 0..TASKS {
            let marker = marker(STREAMED, number);
            number += 1;
            let id = stage.api.submit(CHAIN, &marker).await;
            let handles: Vec<_> = (0..FOLLOWERS)
                .map(|follower| {
                    let (stage, id) = (Arc::clone(&stage), id.clone());
                    let dice = Dice::new(stage.context.seed, &format!("follower {follower} of {marker}"));
                    runtime().spawn(async move { follow(&stage.api, &id, dice, 2..40).await })
                })
                .collect();
            round.push((Entry { crew: CHAIN, marker, id }, handles));
        }
        let waiting =
            kill_meanwhile(&mut fleet, &mut dice, &stage, &round.iter().map(|(entry, _)| entry.clone()).collect::<Vec<_>>())
                .await;
        for (entry, handles) in round {
            let mut seen = Vec::new();
            for handle in handles {
                seen.push(handle.await.expect("a follower ends"));
            }
            reconnects += seen.iter().map(|one| one.reconnects).sum::<usize>();
            followers += seen.len();
            audit(&stage, &entry, Known { seen: &seen, history: &fleet.history, waiting: &waiting }, &mut figures).await;
            entries.push(entry);
        }
    }
    context.report.check(Invariant::Events, reconnects >= context.sizes.reconnects, || format!("only {reconnects} reconnects"));
    audit_rows(&stage, entries.len()).await;
    let count = |number: usize| grouped(u64::try_from(number).unwrap_or_default());
    context.report.figure(
        "streams",
        "followers, reconnects by stream, socket and page",
        format!("{}, {}", count(followers), count(reconnects)),
    );
    context.report.figure(
        "streams",
        "servers killed, workers killed",
        format!("{}, {}", fleet.history.server_kills, fleet.history.kills),
    );
    context.report.figure("streams", "events", count(figures.events));
    fleet.end();
}

/// Kills a server every second and a half, sometimes a worker, until the tasks have ended.
async fn kill_meanwhile(fleet: &mut Fleet<'_>, dice: &mut Dice, stage: &Stage, entries: &[Entry]) -> Waiting {
    let mut waiting = Waiting::default();
    let started = Instant::now();
    let mut next = Instant::now() + Duration::from_millis(1_500);
    while waiting.look(stage, entries, true).await > 0 && started.elapsed() < Duration::from_secs(120) {
        if Instant::now() >= next {
            next = Instant::now() + Duration::from_millis(1_500);
            for number in fleet.dead() {
                fleet.start(number, None).await;
            }
            let role = if dice.percent(25) { Role::Worker } else { Role::Serve };
            let living = fleet.living(role);
            if !living.is_empty() {
                fleet.kill(*dice.pick(&living));
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for number in fleet.dead() {
        fleet.start(number, None).await;
    }
    waiting
}

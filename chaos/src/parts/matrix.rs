//! The kill matrix: a process that dies at each numbered place of the write path, at several passings of it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;

use crate::audit::{Entry, Figures, Known, audit, audit_rows};
use crate::dice::Dice;
use crate::fleet::{Fleet, Role};
use crate::marker::marker;
use crate::report::{Invariant, spread};
use crate::stage::{Context, SIX_STEPS, Stage};
use crate::waiting::Waiting;

/// Place, and the largest number of its passing that three tasks of six steps surely reach.
const PLACES: &[(&str, usize)] = &[
    ("before_submit", 3),
    ("after_submit", 3),
    ("after_claim", 1),
    ("before_intent", 12),
    ("after_intent", 12),
    ("during_act", 12),
    ("before_result", 12),
    ("after_result", 12),
    ("before_publish", 20),
    ("before_transition", 3),
    ("after_transition", 3),
];
/// Tasks of each cell.
const TASKS: usize = 3;
/// Cells at once; each is a process of its own.
const AT_ONCE: usize = 3;

/// Runs every cell.
pub(crate) async fn measure(context: &Context) {
    let mut dice = Dice::new(context.seed, "matrix");
    let mut cells: Vec<(usize, &str, usize)> = Vec::new();
    for (place, most) in PLACES {
        let mut passings: Vec<usize> = (1..=*most).collect();
        while passings.len() > context.sizes.passings.max(1) {
            passings.remove(dice.below(passings.len()));
        }
        cells.extend(passings.into_iter().map(|passing| (0, *place, passing)));
    }
    for (number, cell) in cells.iter_mut().enumerate() {
        cell.0 = number;
    }
    let count = cells.len();
    let run = |(number, place, passing)| {
        let context = context.clone();
        async move { cell(&context, number, place, passing).await }
    };
    let mut figures: Vec<Figures> = Vec::new();
    let mut running = stream::iter(cells).map(run).buffer_unordered(AT_ONCE);
    while let Some(one) = running.next().await {
        figures.push(one);
    }
    let mut pickups: Vec<Duration> = figures.iter().flat_map(|one| one.pickups.clone()).collect();
    let restarted: usize = figures.iter().map(|one| one.restarted).sum();
    context.report.figure(
        "matrix",
        "places × passings",
        format!("{} × up to {} = {count} deaths", PLACES.len(), context.sizes.passings),
    );
    context.report.figure("matrix", "steps begun again", restarted);
    context.report.figure("matrix", "pick-up after the restart", spread(&mut pickups));
}

async fn cell(context: &Context, number: usize, place: &str, passing: usize) -> Figures {
    let part = format!("matrix-{place}-{passing}");
    let stage = Arc::new(Stage::new(context, &part, &context.debug_binary).await);
    let mut fleet = Fleet::new(&stage);
    let process = fleet.add_with(Role::All, Some(&format!("{place}:{passing}"))).await;
    let submits = (0..TASKS).map(|task| {
        let stage = Arc::clone(&stage);
        async move {
            let marker = marker('m', number * TASKS + task);
            let id = stage.api.submit(SIX_STEPS, &marker).await;
            Entry { crew: SIX_STEPS, marker, id }
        }
    });
    let submits = crewd_tests::runtime::runtime().spawn(futures::future::join_all(submits.collect::<Vec<_>>()));
    let died = fleet.wait_death(process, Duration::from_secs(30)).await;
    context.report.check(Invariant::Recovery, died, || format!("{place}:{passing} was not reached"));
    if died {
        fleet.start(process, None).await;
    }
    let entries = submits.await.expect("all are submitted");
    let mut waiting = Waiting::default();
    let left = waiting.all(&stage, &entries, Duration::from_secs(60)).await;
    context.report.check(Invariant::NoLoss, left == 0, || format!("{part}: {left} tasks did not end"));
    let mut figures = Figures::default();
    for entry in &entries {
        audit(&stage, entry, Known { seen: &[], history: &fleet.history, waiting: &waiting }, &mut figures).await;
    }
    let succeeded = figures.succeeded();
    context.report.check(Invariant::NoLoss, succeeded == TASKS, || format!("{part}: ends {:?}", figures.ends));
    audit_rows(&stage, entries.len()).await;
    fleet.end();
    figures
}

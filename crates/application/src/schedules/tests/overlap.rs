//! Fires while earlier tasks go on.

use crewd_domain::runs::RunStatus;
use crewd_domain::schedules::{FireOutcome, OverlapPolicy};

use super::super::overlap::{Decision, decide};
use super::desk::Desk;

/// Outcomes of three fires in a row while nothing is worked on.
async fn three(desk: &Desk, policy: OverlapPolicy) -> Vec<FireOutcome> {
    let made = desk.minutely(policy).await;
    for _ in 0..3 {
        desk.pass(60).await;
    }
    desk.outcomes(made.id).await.into_iter().map(|(_, outcome)| outcome).collect()
}

#[tokio::test]
async fn skip_leaves_fires_out_until_the_end() {
    let desk = Desk::new();
    let made = desk.minutely(OverlapPolicy::Skip).await;
    desk.pass(60).await;
    desk.pass(60).await;
    assert!(desk.work().await);
    desk.pass(60).await;
    let expected = [(1, FireOutcome::Started), (2, FireOutcome::Skipped), (3, FireOutcome::Started)];
    assert_eq!(desk.outcomes(made.id).await, expected);
}

#[tokio::test]
async fn queue_one_lets_one_wait() {
    let desk = Desk::new();
    assert_eq!(three(&desk, OverlapPolicy::QueueOne).await, [FireOutcome::Started, FireOutcome::Queued, FireOutcome::Skipped]);
    assert_eq!(desk.tasks().await.len(), 2);
}

#[tokio::test]
async fn queue_all_keeps_turns() {
    let desk = Desk::new();
    assert_eq!(three(&desk, OverlapPolicy::QueueAll).await, [FireOutcome::Started, FireOutcome::Queued, FireOutcome::Queued]);
    for done in 1..=3 {
        assert!(desk.work().await);
        let ended = desk.states().await.iter().filter(|state| state.is_terminal()).count();
        assert_eq!(ended, done, "one after the other");
    }
    assert!(!desk.work().await);
}

#[tokio::test]
async fn cancel_previous_leaves_only_the_last() {
    let desk = Desk::new();
    three(&desk, OverlapPolicy::CancelPrevious).await;
    assert_eq!(desk.states().await, [RunStatus::Cancelled, RunStatus::Cancelled, RunStatus::Queued]);
}

#[tokio::test]
async fn allow_starts_beside() {
    let desk = Desk::new();
    assert_eq!(three(&desk, OverlapPolicy::Allow).await, [FireOutcome::Started; 3]);
    assert!(desk.tasks().await.iter().all(|view| view.task.options.concurrency.is_none()));
}

#[tokio::test]
async fn triggered_tasks_stand_outside() {
    let desk = Desk::new();
    let made = desk.minutely(OverlapPolicy::Skip).await;
    desk.schedules.trigger(&super::desk::ada(), made.id).await.unwrap();
    assert_eq!(desk.pass(60).await.submitted, 1, "the triggered task keeps no turn");
}

#[test]
fn decisions_follow_the_policy() {
    use FireOutcome::{Queued, Started};
    for (policy, expected) in [
        (OverlapPolicy::Skip, [Some(Started), None, None]),
        (OverlapPolicy::QueueOne, [Some(Started), Some(Queued), None]),
        (OverlapPolicy::QueueAll, [Some(Started), Some(Queued), Some(Queued)]),
        (OverlapPolicy::CancelPrevious, [Some(Started), Some(Queued), Some(Queued)]),
        (OverlapPolicy::Allow, [Some(Started), Some(Started), Some(Started)]),
    ] {
        let decided = [0, 1, 2].map(|going_on| match decide(policy, going_on) {
            Decision::Submit(outcome) => Some(outcome),
            Decision::Skip(_) => None,
        });
        assert_eq!(decided, expected, "{policy}");
    }
}

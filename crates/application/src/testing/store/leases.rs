//! Leases end, are prolonged, and are taken back.

use std::time::Duration;

use crewd_domain::runs::{CancelMode, CancelRequest, EventKind, Priority, RunOutcome};
use crewd_domain::shared::Usage;
use serde_json::json;

use super::harness::{Harness, must, settle, update};
use super::sample::{Sample, at, event};
use crate::ports::ClaimedRun;

const LEASE: Duration = Duration::from_secs(3_600);

async fn claim_one(
    harness: &Harness,
    sample: &Sample,
    worker: crewd_domain::shared::WorkerId,
    lease: Duration,
) -> Option<ClaimedRun> {
    sample.submit(harness, Priority::Standard, 0).await;
    let claimed = must(harness.queue.claim(worker, 1, lease).await).pop();
    assert!(claimed.is_some());
    settle(harness.clock_step).await;
    claimed
}

pub(super) async fn an_expired_lease_is_lost(harness: &Harness) {
    let sample = Sample::default();
    let Some(expired) = claim_one(harness, &sample, sample.worker(), Duration::ZERO).await else { return };
    let Some(held) = claim_one(harness, &sample, sample.worker(), LEASE).await else { return };
    must(harness.commit(sample.tenant(), [event(&expired.run, EventKind::TaskStarted, 2)]).await);
    let lost = must(harness.queue.lost(&[]).await);
    let [one] = lost.as_slice() else { return assert_eq!(lost.len(), 1) };
    assert_eq!((&one.run, one.last_seq), (&expired.run, 2));
    assert_ne!(one.run.id, held.run.id);

    let mut queued = one.run.clone();
    assert!(queued.lose_worker().is_ok());
    must(harness.commit(sample.tenant(), [update(&queued, one.run.version)]).await);
    assert!(must(harness.queue.lost(&[]).await).is_empty());
    assert_eq!(must(harness.queue.depth().await), 1);
}

pub(super) async fn a_dead_worker_loses_its_runs_at_once(harness: &Harness) {
    let sample = Sample::default();
    let (dead, alive) = (sample.worker(), sample.worker());
    let Some(orphan) = claim_one(harness, &sample, dead, LEASE).await else { return };
    let Some(finished) = claim_one(harness, &sample, dead, LEASE).await else { return };
    claim_one(harness, &sample, alive, LEASE).await;
    let mut run = finished.run.clone();
    assert!(run.finish(RunOutcome::Succeeded { output: json!(1) }, Usage::default(), 0, at(1)).is_ok());
    must(harness.commit(sample.tenant(), [update(&run, finished.run.version)]).await);

    assert!(must(harness.queue.lost(&[]).await).is_empty());
    assert!(must(harness.queue.lost(&[sample.worker()]).await).is_empty(), "a stranger holds nothing");
    let lost = must(harness.queue.lost(&[sample.worker(), dead, sample.worker()]).await);
    assert_eq!(lost.iter().map(|one| one.run.id).collect::<Vec<_>>(), [orphan.run.id]);
    let mut holders = vec![dead, alive];
    holders.sort();
    assert_eq!(must(harness.queue.holders().await), holders);
}

pub(super) async fn a_heartbeat_tells_what_is_still_held(harness: &Harness) {
    let sample = Sample::default();
    let worker = sample.worker();
    assert!(must(harness.leases.renew(worker, LEASE).await).is_empty());
    let Some(first) = claim_one(harness, &sample, worker, Duration::ZERO).await else { return };
    let Some(second) = claim_one(harness, &sample, worker, Duration::ZERO).await else { return };
    claim_one(harness, &sample, sample.worker(), LEASE).await;
    assert_eq!(must(harness.queue.lost(&[]).await).len(), 2);
    let mut held = must(harness.leases.renew(worker, LEASE).await);
    held.sort();
    assert_eq!(held, [first.run.id, second.run.id]);
    assert!(must(harness.queue.lost(&[]).await).is_empty(), "renewed in time");

    let mut lost = first.run.clone();
    assert!(lost.lose_worker().is_ok());
    must(harness.commit(sample.tenant(), [update(&lost, first.run.version)]).await);
    must(harness.queue.claim(sample.worker(), 1, LEASE).await);
    assert_eq!(must(harness.leases.renew(worker, LEASE).await), [second.run.id], "the other one belongs to somebody else");
}

pub(super) async fn a_transition_does_not_shorten_the_lease(harness: &Harness) {
    let sample = Sample::default();
    let worker = sample.worker();
    let Some(claimed) = claim_one(harness, &sample, worker, Duration::ZERO).await else { return };
    must(harness.leases.renew(worker, LEASE).await);
    let mut cancelling = claimed.run.clone();
    let request = CancelRequest { mode: CancelMode::Graceful, reason: None, actor: "ada".to_owned(), superseded: None };
    assert!(cancelling.begin_cancel(request).is_ok());
    must(harness.commit(sample.tenant(), [update(&cancelling, claimed.run.version)]).await);
    assert!(must(harness.queue.lost(&[]).await).is_empty(), "the writer's copy of the lease was older than the heartbeat");
    assert_eq!(must(harness.leases.renew(worker, LEASE).await), [claimed.run.id], "a run that is being cancelled is held");
}

//! Turns of tenants, concurrency keys, places in the queue, loads and aging.

use std::collections::BTreeSet;
use std::time::Duration;

use crewd_domain::runs::{CancelMode, CancelRequest, Pause, Priority, Run, RunOutcome, WaitReason};
use crewd_domain::shared::{RunId, TenantId, Usage};
use futures::future::join_all;
use serde_json::json;

use super::harness::{Harness, must, update};
use super::sample::{Sample, Submitted, at, stranger};
use crate::ports::{QueuePlace, StoreError, TenantLoad};

const LEASE: Duration = Duration::from_secs(3_600);
/// Older and younger than any clock that is under test.
const CENTURY: i64 = 100 * 365 * 24 * 60 * 60;

fn tenant(name: &str) -> TenantId {
    TenantId::try_from(name.to_owned()).unwrap_or_else(|_| TenantId::default_tenant())
}

async fn submit(harness: &Harness, mut task: Submitted, owner: &TenantId, key: Option<&str>) -> Run {
    task.task.tenant_id = owner.clone();
    task.run.tenant_id = owner.clone();
    task.run.concurrency_key = key.map(ToOwned::to_owned);
    must(harness.store.commit(task.unit()).await);
    task.run
}

async fn claim(harness: &Harness, sample: &Sample, limit: u32) -> Vec<Run> {
    must(harness.queue.claim(sample.worker(), limit, LEASE).await).into_iter().map(|claimed| claimed.run).collect()
}

fn ids(runs: &[Run]) -> Vec<RunId> {
    runs.iter().map(|run| run.id).collect()
}

async fn finish(harness: &Harness, run: &Run) {
    let mut done = run.clone();
    assert!(done.finish(RunOutcome::Succeeded { output: json!(1) }, Usage::default(), 0, at(9)).is_ok());
    must(harness.commit(&run.tenant_id, [update(&done, run.version)]).await);
}

pub(super) async fn a_noisy_tenant_keeps_no_other_waiting(harness: &Harness) {
    let sample = Sample::default();
    let mut noisy = Vec::new();
    for second in 0..20 {
        noisy.push(submit(harness, sample.queued(Priority::Standard, second), sample.tenant(), None).await.id);
    }
    let quiet = submit(harness, sample.queued(Priority::Standard, 30), &tenant("quiet"), None).await;
    let other = submit(harness, sample.queued(Priority::Standard, 40), &tenant("zoe"), None).await;
    let late = submit(harness, sample.queued(Priority::Batch, 0), &tenant("quiet"), None).await;

    let mut first = Vec::new();
    for limit in [1, 2] {
        first.extend(claim(harness, &sample, limit).await);
    }
    let tenants: BTreeSet<&TenantId> = first.iter().map(|run| &run.tenant_id).collect();
    assert_eq!((first.len(), tenants.len()), (3, 3), "each tenant has had its turn");
    let taken: BTreeSet<RunId> = first.iter().map(|run| run.id).collect();
    assert!([quiet.id, other.id].iter().all(|id| taken.contains(id)));
    let mut rest = Vec::new();
    for limit in [5, 1, 30] {
        rest.extend(claim(harness, &sample, limit).await);
    }
    let own: Vec<RunId> = noisy.into_iter().filter(|id| !taken.contains(id)).collect();
    assert_eq!(ids(&rest).split_last(), Some((&late.id, own.as_slice())), "by age; a better class first, whoever waits");
}

pub(super) async fn turns_are_taken_within_one_claim(harness: &Harness) {
    let sample = Sample::default();
    let tenants = ["ann", "bob", "cid"].map(tenant);
    for second in 0..12 {
        for owner in &tenants {
            submit(harness, sample.queued(Priority::Standard, second), owner, None).await;
        }
    }
    for limit in [3, 6, 9] {
        let claimed = claim(harness, &sample, limit).await;
        for owner in &tenants {
            let own: Vec<_> = claimed.iter().filter(|run| run.tenant_id == *owner).collect();
            assert_eq!(u32::try_from(own.len()).ok(), Some(limit / 3), "{limit}");
            assert!(own.is_sorted_by_key(|run| run.created_at), "{limit}");
        }
    }
    assert_eq!(claim(harness, &sample, 99).await.len(), 18);
    assert_eq!(must(harness.queue.depth().await), 0);
}

pub(super) async fn a_key_is_worked_on_once_at_a_time(harness: &Harness) {
    let sample = Sample::default();
    let owner = sample.tenant();
    let second = submit(harness, sample.queued(Priority::Standard, 2), owner, Some("chat")).await;
    let first = submit(harness, sample.queued(Priority::Standard, 1), owner, Some("chat")).await;
    let third = submit(harness, sample.queued(Priority::Standard, 3), owner, Some("chat")).await;
    let other_key = submit(harness, sample.queued(Priority::Standard, 4), owner, Some("mail")).await;
    let plain = submit(harness, sample.queued(Priority::Standard, 5), owner, None).await;
    let theirs = submit(harness, sample.queued(Priority::Standard, 6), &stranger(), Some("chat")).await;
    let claimed = claim(harness, &sample, 9).await;
    let expected: BTreeSet<RunId> = [first.id, other_key.id, plain.id, theirs.id].into();
    assert_eq!(ids(&claimed).into_iter().collect::<BTreeSet<_>>(), expected, "the oldest of each key and tenant");
    assert_eq!(must(harness.queue.depth().await), 2);
    assert!(claim(harness, &sample, 9).await.is_empty());

    // A run that is being cancelled holds its key still.
    let Some(held) = claimed.into_iter().find(|run| run.id == first.id) else { return };
    let mut cancelling = held.clone();
    let request = CancelRequest { mode: CancelMode::Graceful, reason: None, actor: "ada".to_owned(), superseded: None };
    assert!(cancelling.begin_cancel(request).is_ok());
    must(harness.commit(owner, [update(&cancelling, held.version)]).await);
    assert!(claim(harness, &sample, 9).await.is_empty());
    let mut ended = cancelling.clone();
    assert!(ended.finish(RunOutcome::Cancelled { output: json!({}) }, Usage::default(), 0, at(9)).is_ok());
    must(harness.commit(owner, [update(&ended, cancelling.version)]).await);

    let next = claim(harness, &sample, 9).await;
    assert_eq!(ids(&next), [second.id], "one at a time, by age");
    let Some(mut waiting) = next.into_iter().next() else { return };
    let pause = Pause { reason: WaitReason::Approval, until: None, details: json!({}) };
    let version = waiting.version;
    assert!(waiting.wait(pause, at(9)).is_ok());
    must(harness.commit(owner, [update(&waiting, version)]).await);
    assert_eq!(ids(&claim(harness, &sample, 9).await), [third.id], "who waits holds nothing");
    let version = waiting.version;
    assert!(waiting.wake(at(10)).is_ok());
    must(harness.commit(owner, [update(&waiting, version)]).await);
    assert!(claim(harness, &sample, 9).await.is_empty(), "and has to wait for its key again");
}

pub(super) async fn runs_with_and_without_keys_go_by_age(harness: &Harness) {
    let sample = Sample::default();
    let mut runs = Vec::new();
    for (second, key) in [(4, Some("a")), (2, Some("z")), (3, None), (1, None), (6, Some("b")), (5, Some("z"))] {
        runs.push(submit(harness, sample.queued(Priority::Standard, second), sample.tenant(), key).await);
    }
    let mut order = Vec::new();
    for limit in [1, 1, 2, 9] {
        order.extend(claim(harness, &sample, limit).await.into_iter().map(|run| run.created_at));
    }
    assert_eq!(order, [1, 2, 3, 4, 6].map(at), "the second of key z waits for the first");
    // A better class comes first, also for the next run of a key.
    let urgent = submit(harness, sample.queued(Priority::Interactive, 9), sample.tenant(), Some("z")).await;
    let Some(held) = must(harness.queries.run(sample.tenant(), runs.get(1).map_or(urgent.id, |run| run.id)).await) else {
        return;
    };
    finish(harness, &held).await;
    assert_eq!(ids(&claim(harness, &sample, 9).await), [urgent.id]);
}

pub(super) async fn of_many_claimers_one_gets_a_key(harness: &Harness) {
    let sample = Sample::default();
    for second in 0..12 {
        submit(harness, sample.queued(Priority::Standard, second), sample.tenant(), Some("chat")).await;
    }
    let mut left = 12;
    while left > 0 {
        let claims = join_all((0..8).map(|_| harness.queue.claim(sample.worker(), 3, LEASE))).await;
        let claimed: Vec<Run> = claims.into_iter().flat_map(must).map(|claimed| claimed.run).collect();
        assert_eq!(claimed.len(), 1, "{left}");
        for run in &claimed {
            finish(harness, run).await;
        }
        left -= 1;
    }
}

pub(super) async fn a_tenant_has_a_place_in_the_queue(harness: &Harness) {
    let sample = Sample::default();
    let owner = sample.tenant();
    let mut runs = Vec::new();
    for (priority, second) in [
        (Priority::Standard, 5),
        (Priority::Interactive, 9),
        (Priority::Standard, 7),
        (Priority::Batch, 0),
        (Priority::Standard, 1),
    ] {
        runs.push(submit(harness, sample.queued(priority, second), owner, None).await);
    }
    let mut places = Vec::new();
    for run in &runs {
        places.push(must(harness.queue.position(owner, run.id, 100).await));
    }
    assert_eq!(places, [Some(2), Some(0), Some(3), Some(4), Some(1)]);
    let line = async |limit| must(harness.queue.line(owner, limit).await);
    let in_order =
        |places: &[QueuePlace]| places.iter().map(|place| (place.run, place.priority, place.before)).collect::<Vec<_>>();
    let expected = [
        (1, Priority::Interactive),
        (4, Priority::Standard),
        (0, Priority::Standard),
        (2, Priority::Standard),
        (3, Priority::Batch),
    ];
    let expected: Vec<_> =
        expected.iter().zip(0..).filter_map(|((run, priority), before)| Some((runs.get(*run)?.id, *priority, before))).collect();
    assert_eq!(line(5).await.as_deref().map(in_order), Some(expected));
    assert_eq!(line(4).await, None, "it is longer than that");
    assert_eq!(must(harness.queue.line(&stranger(), 4).await), Some(Vec::new()));
    let Some(last) = runs.get(3) else { return };
    assert_eq!(must(harness.queue.position(owner, last.id, 2).await), Some(2), "counted up to a limit");
    assert_eq!(must(harness.queue.position(&stranger(), last.id, 100).await), None);
    assert_eq!(must(harness.queue.position(owner, RunId::new(sample.id()), 100).await), None);

    // However many another tenant has, it comes before us only once.
    for second in 0..10 {
        submit(harness, sample.queued(Priority::Batch, second), &tenant("noisy"), None).await;
    }
    assert_eq!(must(harness.queue.position(owner, last.id, 100).await), Some(5));
    let noisy = must(harness.queue.line(&tenant("noisy"), 100).await).unwrap_or_default();
    assert_eq!(noisy.iter().map(|place| place.before).collect::<Vec<_>>(), [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    assert_eq!(line(100).await.and_then(|line| line.last().map(|place| place.before)), Some(5));
    for place in noisy {
        assert_eq!(must(harness.queue.position(&tenant("noisy"), place.run, 100).await), Some(place.before));
    }
    let claimed = claim(harness, &sample, 1).await;
    assert_eq!(ids(&claimed), ids(runs.get(1..2).unwrap_or_default()));
    for run in &claimed {
        assert_eq!(must(harness.queue.position(owner, run.id, 100).await), None, "it is not queued any more");
    }
    assert_eq!(must(harness.queue.position(owner, last.id, 100).await), Some(4));
}

pub(super) async fn loads_are_counted_up_to_a_limit(harness: &Harness) {
    let sample = Sample::default();
    let owner = sample.tenant();
    assert_eq!(must(harness.queue.load(owner, 10).await), TenantLoad::default());
    for second in 0..6 {
        submit(harness, sample.queued(Priority::Standard, second), owner, None).await;
    }
    let mut later = sample.queued(Priority::Standard, 9);
    later.run = Run::scheduled(later.run.id, later.task.id, owner.clone(), at(CENTURY), at(9));
    must(harness.store.commit(later.unit()).await);
    let claimed = claim(harness, &sample, 3).await;
    assert_eq!(must(harness.queue.load(owner, 10).await), TenantLoad { queued: 4, active: 3 });
    assert_eq!(must(harness.queue.load(owner, 2).await), TenantLoad { queued: 2, active: 2 });
    assert_eq!(must(harness.queue.load(&stranger(), 10).await), TenantLoad::default());
    for run in &claimed {
        finish(harness, run).await;
    }
    assert_eq!(must(harness.queue.load(owner, 10).await), TenantLoad { queued: 4, active: 0 });
}

pub(super) async fn who_waits_long_moves_up_a_class(harness: &Harness) {
    let sample = Sample::default();
    assert_eq!(must(harness.queue.age().await), 0);
    let interactive = submit(harness, sample.queued(Priority::Interactive, CENTURY), sample.tenant(), None).await;
    let fresh = submit(harness, sample.queued(Priority::Standard, CENTURY), sample.tenant(), None).await;
    let fresh_batch = submit(harness, sample.queued(Priority::Batch, CENTURY), sample.tenant(), None).await;
    let old_batch = submit(harness, sample.queued(Priority::Batch, -CENTURY), sample.tenant(), None).await;
    assert_eq!(must(harness.queue.age().await), 1, "a class at a time");
    assert_eq!(must(harness.queue.position(sample.tenant(), old_batch.id, 9).await), Some(1));
    let old = submit(harness, sample.queued(Priority::Standard, -CENTURY + 1), sample.tenant(), None).await;
    assert_eq!(must(harness.queue.age().await), 2);
    assert_eq!(must(harness.queue.age().await), 0, "there is nothing above the best class");
    let order = ids(&claim(harness, &sample, 9).await);
    assert_eq!(order, [old_batch.id, old.id, interactive.id, fresh.id, fresh_batch.id]);
}

/// For a queue that lets a tenant have two runs under way.
pub(super) async fn a_tenant_has_so_many_runs_at_most(harness: &Harness) {
    let sample = Sample::default();
    let owner = sample.tenant();
    for second in 0..6 {
        let priority = if second < 3 { Priority::Interactive } else { Priority::Standard };
        submit(harness, sample.queued(priority, second), owner, None).await;
    }
    let alone = claim(harness, &sample, 9).await;
    assert_eq!(alone.len(), 2);
    assert!(claim(harness, &sample, 9).await.is_empty());
    let theirs = submit(harness, sample.queued(Priority::Standard, 9), &stranger(), None).await;
    assert_eq!(ids(&claim(harness, &sample, 9).await), [theirs.id], "who has no room keeps nobody else waiting");
    let Some(done) = alone.first() else { return };
    finish(harness, done).await;
    let next = claim(harness, &sample, 9).await;
    assert_eq!(next.iter().map(|run| run.created_at).collect::<Vec<_>>(), [at(2)]);
    assert_eq!(must(harness.queue.load(owner, 9).await).active, 2);
}

/// What of a unit is refused must not move the turns or keys of others.
pub(super) async fn a_refused_run_holds_no_key(harness: &Harness) {
    let sample = Sample::default();
    let mut refused = sample.queued(Priority::Standard, 0);
    refused.run.concurrency_key = Some("chat".to_owned());
    let mut unit = refused.unit();
    unit.push(update(&refused.run, 99));
    assert!(matches!(harness.store.commit(unit).await, Err(StoreError::Conflict)));
    let kept = submit(harness, sample.queued(Priority::Standard, 1), sample.tenant(), Some("chat")).await;
    assert_eq!(ids(&claim(harness, &sample, 9).await), [kept.id]);
}

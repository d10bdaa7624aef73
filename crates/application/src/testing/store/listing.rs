//! Pages of tasks.

use std::time::Duration;

use crewd_domain::runs::{Priority, RunStatus};
use crewd_domain::shared::TaskId;
use serde_json::json;

use super::harness::{Harness, must};
use super::sample::{Sample, at, object};
use crate::ports::TaskFilter;

const LEASE: Duration = Duration::from_secs(3_600);

async fn ids(harness: &Harness, sample: &Sample, filter: &TaskFilter) -> Vec<TaskId> {
    let page = must(harness.queries.tasks(sample.tenant(), filter, None, 100).await);
    assert_eq!(page.next_before, None);
    page.items.iter().map(|view| view.task.id).collect()
}

pub(super) async fn pages_follow_each_other_without_gap(harness: &Harness) {
    let sample = Sample::default();
    let mut newest_first = Vec::new();
    for second in 0..11 {
        newest_first.push(sample.submit(harness, Priority::Standard, second).await.task.id);
    }
    newest_first.reverse();
    must(harness.queue.claim(sample.worker(), 4, LEASE).await);
    for statuses in [vec![], vec![RunStatus::Running, RunStatus::Queued, RunStatus::Running]] {
        let filter = TaskFilter { statuses, ..TaskFilter::default() };
        for limit in [1, 3, 10, 11] {
            let (mut seen, mut before) = (Vec::new(), None);
            loop {
                let page = must(harness.queries.tasks(sample.tenant(), &filter, before, limit).await);
                assert!(page.items.len() <= usize::try_from(limit).unwrap_or(0));
                seen.extend(page.items.iter().map(|view| view.task.id));
                before = page.next_before;
                if before.is_none() {
                    break;
                }
                assert_eq!(before.as_ref(), seen.last(), "the next page starts behind the last item");
            }
            assert_eq!(seen, newest_first, "in pages of {limit}");
        }
    }
}

pub(super) async fn filters_are_combined(harness: &Harness) {
    let sample = Sample::default();
    let mut all = Vec::new();
    for second in 0..6 {
        let submitted = sample
            .submit_with(harness, |task| {
                task.created_at = at(second);
                task.crew = if second < 3 { "research" } else { "support" }.to_owned();
            })
            .await;
        all.push(submitted.task.id);
    }
    must(harness.queue.claim(sample.worker(), 2, LEASE).await);
    let [first, second, third, fourth, fifth, sixth] = all.as_slice() else { return assert_eq!(all.len(), 6) };
    let filter = TaskFilter::default;
    assert_eq!(ids(harness, &sample, &filter()).await, [*sixth, *fifth, *fourth, *third, *second, *first]);
    let research = TaskFilter { crew: Some("research".to_owned()), ..filter() };
    assert_eq!(ids(harness, &sample, &research).await, [*third, *second, *first]);
    let running = TaskFilter { statuses: vec![RunStatus::Running], ..filter() };
    assert_eq!(ids(harness, &sample, &running).await, [*second, *first]);
    let window = TaskFilter { created_after: Some(at(1)), created_before: Some(at(4)), ..filter() };
    assert_eq!(ids(harness, &sample, &window).await, [*fourth, *third, *second], "from, included; until, excluded");
    let both = TaskFilter { statuses: vec![RunStatus::Running], created_after: Some(at(1)), ..research };
    assert_eq!(ids(harness, &sample, &both).await, [*second]);
    let none = TaskFilter { statuses: vec![RunStatus::Failed, RunStatus::Waiting], ..filter() };
    assert_eq!(ids(harness, &sample, &none).await, []);
    assert_eq!(ids(harness, &sample, &TaskFilter { crew: Some("RESEARCH".to_owned()), ..filter() }).await, []);
}

pub(super) async fn labels_are_found_by_their_text(harness: &Harness) {
    let sample = Sample::default();
    let long = "x".repeat(300);
    let mut all = Vec::new();
    for metadata in [
        json!({"team": "blue", "n": 3, "urgent": true, "long": long}),
        json!({"team": "blue", "n": 4}),
        json!({"team": "Blue", "list": ["blue"], "nothing": null}),
        json!({}),
    ] {
        all.push(sample.submit_with(harness, |task| task.metadata = object(&metadata)).await.task.id);
    }
    let [first, second, third, _] = all.as_slice() else { return assert_eq!(all.len(), 4) };
    for (labels, statuses, expected) in [
        (vec![("team", "blue")], vec![], vec![*second, *first]),
        (vec![("team", "Blue")], vec![], vec![*third]),
        (vec![("team", "blue"), ("n", "3")], vec![], vec![*first]),
        (vec![("urgent", "true")], vec![RunStatus::Queued], vec![*first]),
        (vec![("urgent", "true")], vec![RunStatus::Running], vec![]),
        (vec![("team", "red")], vec![], vec![]),
        (vec![("list", "[\"blue\"]")], vec![], vec![]),
        (vec![("nothing", "null")], vec![], vec![]),
        (vec![("long", long.as_str())], vec![], vec![]),
    ] {
        let metadata = labels.iter().map(|(label, text)| ((*label).to_owned(), (*text).to_owned())).collect();
        let filter = TaskFilter { metadata, statuses, ..TaskFilter::default() };
        assert_eq!(ids(harness, &sample, &filter).await, expected, "{labels:?}");
    }
}

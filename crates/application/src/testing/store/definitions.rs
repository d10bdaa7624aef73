//! Stored definitions.

use crewd_domain::runs::Priority;

use super::harness::{Harness, must};
use super::sample::{Sample, at};
use crate::ports::{Change, StoredCrew};

async fn save(harness: &Harness, crew: &StoredCrew) {
    must(harness.commit(&crew.tenant_id, [Change::SaveCrew(Box::new(crew.clone()))]).await);
}

pub(super) async fn a_version_is_stored_once(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let crew = sample.crew("research", "sha256:01", 1);
    let later = StoredCrew { created_at: at(9), from_api: false, ..crew.clone() };
    let twice = [&crew, &later].map(|crew| Change::SaveCrew(Box::new(crew.clone())));
    must(harness.commit(tenant, twice).await);
    save(harness, &later).await;
    assert_eq!(must(harness.queries.crew(tenant, "research", "sha256:01").await), Some(crew));
    assert_eq!(must(harness.queries.crew_versions(tenant, "research").await).len(), 1);
    assert_eq!(must(harness.queries.crew(tenant, "research", "sha256:02").await), None);
    let submitted = sample.submit(harness, Priority::Standard, 0).await;
    assert_eq!(submitted.task.crew, "research", "a known definition does not keep a unit from being stored");
}

pub(super) async fn the_newest_from_the_api_is_found(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let old = sample.crew("research", "sha256:01", 1);
    let new = sample.crew("research", "sha256:02", 5);
    let file = StoredCrew { from_api: false, ..sample.crew("research", "sha256:03", 9) };
    let support = sample.crew("support", "sha256:04", 2);
    let only_file = StoredCrew { from_api: false, ..sample.crew("code_review", "sha256:05", 2) };
    for crew in [&new, &old, &file, &support, &only_file] {
        save(harness, crew).await;
    }
    let queries = &harness.queries;
    assert_eq!(must(queries.api_crew(tenant, "research").await), Some(new.clone()));
    assert_eq!(must(queries.api_crew(tenant, "code_review").await), None);
    assert_eq!(must(queries.api_crew(tenant, "nobody").await), None);
    assert_eq!(must(queries.api_crews(tenant).await), [new, support]);
    let versions = must(queries.crew_versions(tenant, "research").await);
    let versions: Vec<_> = versions.iter().map(|line| (line.version.as_str(), line.from_api, line.created_at)).collect();
    assert_eq!(versions, [("sha256:03", false, at(9)), ("sha256:02", true, at(5)), ("sha256:01", true, at(1))]);
    // Given again, an old version is the newest; a version known from a file counts as given from then on.
    for again in [sample.crew("research", "sha256:01", 20), sample.crew("research", "sha256:03", 30)] {
        save(harness, &again).await;
        assert_eq!(must(queries.api_crew(tenant, "research").await), Some(again));
    }
    assert_eq!(must(queries.crew_versions(tenant, "research").await).len(), 3);
}

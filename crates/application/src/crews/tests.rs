use std::sync::Arc;
use std::time::Duration;

use crewd_domain::crews::{AgentDefinition, CrewDefinition, CrewTaskDefinition};
use crewd_domain::shared::TenantId;

use super::*;
use crate::context::RequestContext;
use crate::error::ErrorCode;
use crate::ports::{Change, CrewSource, SourceFile, Store, StoreError, StoredCrew, UnitOfWork};
use crate::testing::catalog::InMemoryCatalog;
use crate::testing::clock::FixedClock;
use crate::testing::memory::InMemoryStore;

struct Shelf {
    store: Arc<InMemoryStore>,
    catalog: Arc<InMemoryCatalog>,
    clock: Arc<FixedClock>,
    crews: CrewService,
}

impl Shelf {
    fn new() -> Self {
        let clock = Arc::new(FixedClock::default());
        let (store, catalog) = (Arc::new(InMemoryStore::new(clock.clone())), Arc::new(InMemoryCatalog::default()));
        let crews = service(&store, &catalog, &clock);
        Self { store, catalog, clock, crews }
    }

    /// Another process over the same database and files.
    async fn restarted(&self) -> CrewService {
        let crews = service(&self.store, &self.catalog, &self.clock);
        crews.refresh(&ada().tenant).await.unwrap();
        crews
    }

    async fn put(&self, goal: &str) -> String {
        self.clock.advance(Duration::from_secs(1));
        self.crews.put(&ada(), &source(&crew(goal).canonical_json())).await.unwrap().version.to_string()
    }

    /// A task pins a definition, as a submission does.
    async fn pin(&self, goal: &str) -> String {
        self.clock.advance(Duration::from_secs(1));
        let entry = self.catalog.put(crew(goal));
        let mut unit = UnitOfWork::new(ada().tenant);
        unit.push(Change::SaveCrew(Box::new(self.crews.stored(&ada().tenant, &entry))));
        self.store.commit(unit).await.unwrap();
        entry.version.to_string()
    }
}

fn service(store: &Arc<InMemoryStore>, catalog: &Arc<InMemoryCatalog>, clock: &Arc<FixedClock>) -> CrewService {
    CrewService::new(CrewServiceParts {
        catalog: catalog.clone(),
        queries: store.clone(),
        store: store.clone(),
        clock: clock.clone(),
    })
}

fn ada() -> RequestContext {
    RequestContext { tenant: TenantId::default_tenant(), actor: "ada".into(), request_id: "r".into(), traceparent: None }
}

fn stranger() -> RequestContext {
    RequestContext { tenant: TenantId::try_from("other".to_owned()).unwrap(), ..ada() }
}

fn crew(goal: &str) -> CrewDefinition {
    let mut crew = CrewDefinition::new("poets");
    crew.agents = vec![AgentDefinition::new("poet", "Poet", goal, "Old")];
    crew.tasks = vec![CrewTaskDefinition::new("rhyme", "Rhyme", "Lines", "poet")];
    crew
}

fn source(content: &str) -> CrewSource {
    CrewSource { name: "poets".into(), files: vec![SourceFile { path: "crew.json".into(), content: content.into() }] }
}

fn versions(lines: &[VersionLine]) -> Vec<(&str, bool, bool)> {
    lines.iter().map(|line| (line.version.as_str(), line.from_api, line.current)).collect()
}

#[tokio::test]
async fn a_put_definition_stands_before_the_file_and_survives_a_restart() {
    let shelf = Shelf::new();
    let file = shelf.catalog.put(crew("file"));
    assert_eq!(shelf.crews.current(&ada(), "poets").unwrap().version, file.version);
    let put = shelf.put("api").await;
    for crews in [&shelf.crews, &shelf.restarted().await] {
        assert_eq!(*crews.current(&ada(), "poets").unwrap().version, put);
        assert_eq!(crews.list(&ada()).iter().map(|entry| &*entry.version).collect::<Vec<_>>(), [put.as_str()]);
    }
    shelf.catalog.put(crew("changed file"));
    assert_eq!(*shelf.crews.current(&ada(), "poets").unwrap().version, put, "an operator's PUT holds until the next one");
    let again = shelf.put("api").await;
    assert_eq!(again, put, "the same definition is the same version");
    assert_eq!(shelf.crews.versions(&ada(), "poets").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_put_definition_belongs_to_its_tenant() {
    let shelf = Shelf::new();
    let put = shelf.put("api").await;
    let error = shelf.crews.current(&stranger(), "poets").unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
    assert!(shelf.crews.list(&stranger()).is_empty());
    assert!(shelf.crews.versions(&stranger(), "poets").await.is_err());
    assert!(shelf.crews.resolve(&stranger(), "poets", Some(&put)).await.is_err());
    assert!(!error.message.contains("did you mean"), "and does not show in hints: {}", error.message);
}

#[tokio::test]
async fn the_history_tells_where_versions_came_from_and_which_is_current() {
    let shelf = Shelf::new();
    let file = shelf.pin("file").await;
    let first = shelf.put("first").await;
    let second = shelf.put("second").await;
    let lines = shelf.crews.versions(&ada(), "poets").await.unwrap();
    assert_eq!(versions(&lines), [(second.as_str(), true, true), (&first, true, false), (&file, false, false)]);
    assert!(lines.iter().all(|line| line.created_at.is_some()));
}

#[tokio::test]
async fn a_file_that_no_task_has_used_yet_is_in_the_history() {
    let shelf = Shelf::new();
    let old = shelf.pin("old").await;
    let new = shelf.catalog.put(crew("new")).version;
    let lines = shelf.crews.versions(&ada(), "poets").await.unwrap();
    assert_eq!(versions(&lines), [(&*new, false, true), (&old, false, false)]);
    assert_eq!(lines[0].created_at, None);
    shelf.catalog.remove("poets");
    let lines = shelf.crews.versions(&ada(), "poets").await.unwrap();
    assert_eq!(versions(&lines), [(old.as_str(), false, false)], "a deleted file leaves its history");
    assert_eq!(shelf.crews.versions(&ada(), "painters").await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn every_stored_version_can_be_named() {
    let shelf = Shelf::new();
    let first = shelf.put("first").await;
    let second = shelf.put("second").await;
    for (version, goal) in [(Some(first.as_str()), "first"), (Some(&second), "second"), (None, "second")] {
        let entry = shelf.crews.resolve(&ada(), "poets", version).await.unwrap();
        assert_eq!(entry.definition.agents[0].goal, goal);
    }
    let error = shelf.crews.resolve(&ada(), "poets", Some("sha256:none")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
}

#[tokio::test]
async fn a_broken_definition_is_refused_and_changes_nothing() {
    let shelf = Shelf::new();
    let put = shelf.put("good").await;
    let error = shelf.crews.put(&ada(), &source("{")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidDefinition);
    assert_eq!(error.report.map(|report| report.diagnostics.len()), Some(1));
    assert_eq!(*shelf.crews.current(&ada(), "poets").unwrap().version, put);
    assert_eq!(shelf.crews.validate(&source("{"), false).error_count(), 1);
    assert_eq!(shelf.crews.validate(&source(&crew("x").canonical_json()), true).error_count(), 0);
    assert_eq!(shelf.crews.versions(&ada(), "poets").await.unwrap().len(), 1, "checking keeps nothing");
}

#[tokio::test]
async fn what_was_not_stored_is_not_current() {
    let shelf = Shelf::new();
    shelf.store.fail_next_commit(StoreError::Unavailable("gone".into()));
    let error = shelf.crews.put(&ada(), &source(&crew("x").canonical_json())).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(shelf.crews.current(&ada(), "poets").is_err());
}

#[tokio::test]
async fn a_refresh_brings_what_other_processes_put_and_skips_what_cannot_be_read() {
    let shelf = Shelf::new();
    let other = shelf.restarted().await;
    let put = shelf.put("api").await;
    assert!(other.current(&ada(), "poets").is_err());
    let broken = StoredCrew {
        tenant_id: ada().tenant,
        name: "broken".into(),
        version: "sha256:1".into(),
        definition: "{".into(),
        from_api: true,
        created_at: chrono::DateTime::UNIX_EPOCH,
    };
    let mut unit = UnitOfWork::new(ada().tenant);
    unit.push(Change::SaveCrew(Box::new(broken)));
    shelf.store.commit(unit).await.unwrap();
    other.refresh(&ada().tenant).await.unwrap();
    assert_eq!(*other.current(&ada(), "poets").unwrap().version, put);
    assert!(other.current(&ada(), "broken").is_err());
    assert_eq!(other.resolve(&ada(), "broken", Some("sha256:1")).await.unwrap_err().code, ErrorCode::Internal);
}

#[tokio::test]
async fn an_unknown_name_is_answered_with_the_nearest_one() {
    let shelf = Shelf::new();
    shelf.put("api").await;
    let error = shelf.crews.current(&ada(), "poet").unwrap_err();
    assert!(error.message.contains("did you mean poets"), "{}", error.message);
    let long = format!("a\u{7}{}", "b".repeat(1_000));
    let error = shelf.crews.current(&ada(), &long).unwrap_err();
    assert!(error.message.len() < 200 && !error.message.contains('\u{7}'), "a foreign name is not repeated whole");
}

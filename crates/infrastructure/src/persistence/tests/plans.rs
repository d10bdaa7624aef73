//! Every question of the hot paths walks an index: no table is read whole, nothing is sorted.

use crewd_application::ports::TaskFilter;
use crewd_domain::runs::RunStatus;
use crewd_domain::shared::{TaskId, TenantId};
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use uuid::Uuid;

use super::support::fresh;
use crate::persistence::Database;
use crate::persistence::queries::page_of_ids;

async fn plan(database: &Database, sql: &str, values: Vec<Value>) -> String {
    let query = Statement::from_sql_and_values(DbBackend::Sqlite, format!("EXPLAIN QUERY PLAN {sql}"), values);
    let rows = database.read_connection().query_all_raw(query).await.unwrap();
    rows.iter().map(|row| row.try_get_by::<String, _>(3).unwrap() + "\n").collect()
}

#[tokio::test]
async fn pages_walk_an_index_and_stop() {
    let (_folder, database) = fresh().await;
    let tenant = TenantId::default_tenant();
    let before = Some(TaskId::new(Uuid::from_u128(9)));
    let none = TaskFilter::default();
    let labelled = TaskFilter { metadata: vec![("team".to_owned(), "blue".to_owned())], ..none.clone() };
    for (filter, index) in [
        (none.clone(), "tasks_by_tenant"),
        (TaskFilter { crew: Some("research".to_owned()), ..none.clone() }, "tasks_by_crew"),
        (TaskFilter { statuses: vec![RunStatus::Failed, RunStatus::Queued], ..none }, "runs_by_tenant_status"),
        (labelled, "task_metadata_by_value"),
    ] {
        let (sql, values) = page_of_ids(&tenant, &filter, before, 51);
        let plan = plan(&database, &sql, values).await;
        assert!(plan.contains(index), "{filter:?}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{filter:?}\n{plan}");
        assert!(!plan.lines().any(|line| line.starts_with("SCAN") && !line.contains("SCAN s")), "{filter:?}\n{plan}");
    }
}

#[tokio::test]
async fn the_queue_is_read_from_its_head() {
    let (_folder, database) = fresh().await;
    let sql = "SELECT r.id, t.id FROM runs r JOIN tasks t ON t.id = r.task_id WHERE r.status = 'queued' \
               ORDER BY r.priority_rank, r.created_at LIMIT 8";
    let queue = plan(&database, sql, Vec::new()).await;
    assert!(queue.contains("runs_queue") && !queue.contains("TEMP B-TREE"), "{queue}");
    let sql = "SELECT i.id FROM run_inbox i JOIN runs r ON r.id = i.run_id \
               WHERE i.applied_seq IS NULL AND r.status IN ('running', 'cancelling') AND r.lease_owner = 'w'";
    let inbox = plan(&database, sql, Vec::new()).await;
    assert!(inbox.contains("run_inbox_waiting"), "{inbox}");
}

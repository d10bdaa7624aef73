//! Every question of the hot paths walks an index: no table is read whole, nothing is sorted.

use crewd_application::ports::{ApprovalFilter, Fairness, TaskFilter};
use crewd_domain::approvals::{ApprovalKind, ApprovalStatus};
use crewd_domain::runs::{DeadLetter, FailureClass, RunStatus};
use crewd_domain::shared::{ApprovalId, RunId, TaskId, TenantId};
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use uuid::Uuid;

use super::support::fresh;
use crate::persistence::Database;
use crate::persistence::queries::{page_of_approvals, page_of_ids};
use crate::persistence::queue::{aged_runs, before_own, due_runs, own_queued, queued_tenants, turns_of};
use crate::persistence::webhooks::{due_deliveries, in_flight};
use crate::persistence::writer::{IS_WANTED, first_runs, free_keys, oldest_runs, tenants};

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
        (TaskFilter { statuses: vec![RunStatus::Failed, RunStatus::Queued], ..none.clone() }, "runs_by_tenant_status"),
        (TaskFilter { failure_class: Some(FailureClass::ToolError), ..none.clone() }, "runs_by_tenant_status"),
        (TaskFilter { dead_letter: Some(DeadLetter::Open), ..none }, "runs_dead_letters"),
        (labelled, "task_metadata_by_value"),
    ] {
        let (sql, values) = page_of_ids(&tenant, &filter, before, 51);
        let plan = plan(&database, &sql, values).await;
        assert!(plan.contains(index), "{filter:?}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{filter:?}\n{plan}");
        assert!(!plan.lines().any(|line| line.starts_with("SCAN") && !line.contains("SCAN s")), "{filter:?}\n{plan}");
    }
}

/// Every line reads an index, or what the statement itself has gathered; nothing is sorted but a handful of rows.
fn assert_is_indexed(plan: &str, indexes: &[&str]) {
    for index in indexes {
        assert!(plan.contains(index), "{index}\n{plan}");
    }
    for line in plan.lines().filter(|line| line.starts_with("SCAN")) {
        let is_own = ["SCAN h", "SCAN w", "SCAN o", "SCAN c", "SCAN d", "SCAN k", "SCAN p", "SCAN x", "SCAN CONSTANT"];
        assert!(is_own.iter().any(|own| line.starts_with(own)) || line.contains("COVERING INDEX"), "{line}\n{plan}");
    }
}

#[tokio::test]
async fn the_queue_is_read_from_its_head() {
    let (_folder, database) = fresh().await;
    for max_active_per_tenant in [u32::MAX, 3] {
        let fairness = Fairness { max_active_per_tenant, ..Fairness::default() };
        let (sql, values) = first_runs((DbBackend::Sqlite, database.describe().capabilities), fairness, 8);
        let queue = plan(&database, &sql, values).await;
        assert_is_indexed(&queue, &["runs_turns"]);
        assert!(!queue.contains("TEMP B-TREE"), "{queue}");
        let (sql, values) = tenants(database.describe().capabilities, fairness, 1, ("ada", Some("bob")), 8);
        let queue = plan(&database, &sql, values).await;
        assert_is_indexed(&queue, &["(status=? AND priority_rank=? AND tenant_id>?)"]);
    }
    let (sql, values) = oldest_runs(1, &[("ada", 3), ("bob", 1), ("eve", 1)]).unwrap();
    let oldest = plan(&database, &sql, values).await;
    assert_is_indexed(&oldest, &["(status=? AND priority_rank=? AND tenant_id=? AND concurrency_key=?)"]);
    let (sql, values) = free_keys(database.describe().capabilities, 1, "ada", ("a", Some("b")), 8);
    let keys = plan(&database, &sql, values).await;
    let jump = "(status=? AND priority_rank=? AND tenant_id=? AND concurrency_key>?)";
    assert_is_indexed(&keys, &[jump, "runs_by_key (tenant_id=? AND concurrency_key=? AND status=?)"]);

    let sql = "SELECT i.id FROM run_inbox i JOIN runs r ON r.id = i.run_id \
               WHERE i.applied_seq IS NULL AND r.status IN ('running', 'cancelling') AND r.lease_owner = 'w'";
    let inbox = plan(&database, sql, Vec::new()).await;
    assert!(inbox.contains("run_inbox_waiting"), "{inbox}");
}

#[tokio::test]
async fn what_is_looked_at_again_and_again_walks_indexes() {
    let (_folder, database) = fresh().await;
    let tenant = TenantId::default_tenant();
    let (sql, values) = due_runs(DbBackend::Sqlite, 50);
    let due = plan(&database, &sql, values).await;
    assert_is_indexed(&due, &["runs_due (wake_at<?)", "run_inbox_waiting (applied_seq=?)"]);
    let (sql, values) = before_own(&tenant, (1, 5, RunId::new(Uuid::from_u128(1))), 1_000);
    assert_is_indexed(&plan(&database, &sql, values).await, &["runs_turns"]);
    let (sql, values) = own_queued(&tenant, 1_000);
    assert_is_indexed(&plan(&database, &sql, values).await, &["runs_turns"]);
    let (sql, values) = queued_tenants(database.describe().capabilities, 1, "ada", 64);
    assert_is_indexed(&plan(&database, &sql, values).await, &["runs_turns"]);
    let (sql, values) = turns_of(&["ada".to_owned()], 1, 3).unwrap();
    assert_is_indexed(&plan(&database, &sql, values).await, &["runs_turns"]);
    let (sql, values) = aged_runs(DbBackend::Sqlite, 1, 600_000_000);
    let aged = plan(&database, &sql, values).await;
    assert_is_indexed(&aged, &["runs_turns (status=? AND priority_rank=?)"]);
}

#[tokio::test]
async fn lists_of_questions_walk_an_index_and_stop() {
    let (_folder, database) = fresh().await;
    let tenant = TenantId::default_tenant();
    let before = Some(ApprovalId::new(Uuid::from_u128(9)));
    let none = ApprovalFilter::default();
    let of_task = ApprovalFilter { task_id: Some(TaskId::new(Uuid::from_u128(1))), ..none.clone() };
    for (filter, index) in [
        (none.clone(), "approvals_list"),
        (ApprovalFilter { status: Some(ApprovalStatus::Pending), ..none.clone() }, "approvals_by_status"),
        (of_task, "approvals_by_task"),
        (ApprovalFilter { kind: Some(ApprovalKind::Question), ..none }, "approvals_list"),
    ] {
        let (sql, values) = page_of_approvals(&tenant, &filter, before, 51);
        let plan = plan(&database, &sql, values).await;
        assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{filter:?}\n{plan}");
    }
}

#[tokio::test]
async fn deliveries_are_read_from_the_head_of_their_queue() {
    let (_folder, database) = fresh().await;
    let backend = DbBackend::Sqlite;
    let (full, chosen) = (["w1".to_owned(), "w2".to_owned()], ["d1"]);
    for (full, chosen) in [(&[] as &[String], &[] as &[&str]), (&full, &chosen)] {
        let (sql, values) = due_deliveries(backend, 40, full, chosen);
        let due = plan(&database, &sql, values).await;
        assert!(due.contains("webhook_deliveries_due (status=? AND next_attempt_at<?)"), "{due}");
        assert!(!due.contains("TEMP B-TREE") && !due.contains("SCAN d"), "{due}");
    }
    let sending = plan(&database, &in_flight(backend), Vec::new()).await;
    assert!(sending.contains("webhook_deliveries_in_flight (lease_until>?)"), "{sending}");

    let wanted = plan(&database, &format!("SELECT v.id FROM runs v WHERE v.id = 'x' AND ({IS_WANTED})"), Vec::new()).await;
    assert_eq!(wanted.matches("webhook_endpoints_by_task (tenant_id=? AND task_id=?)").count(), 2, "{wanted}");
    let waiting =
        plan(&database, "SELECT o.id FROM outbox o WHERE o.expanded_at IS NULL ORDER BY o.id LIMIT 9", Vec::new()).await;
    assert!(waiting.contains("outbox_waiting (expanded_at=?)") && !waiting.contains("TEMP B-TREE"), "{waiting}");
}

#[tokio::test]
async fn due_schedules_and_their_fires_walk_indexes() {
    let (_folder, database) = fresh().await;
    for (sql, index) in [
        ("SELECT s.id FROM schedules s WHERE s.next_fire_at <= 9 ORDER BY s.next_fire_at LIMIT 9", "schedules_due"),
        ("SELECT s.id FROM schedules s WHERE s.tenant_id = 't' ORDER BY s.id DESC LIMIT 9", "schedules_by_tenant"),
        (
            "SELECT f.kind FROM schedule_fires f WHERE f.schedule_id = 's' AND f.fire_time < 9 ORDER BY f.fire_time DESC LIMIT 9",
            "sqlite_autoindex_schedule_fires_1",
        ),
        (
            "SELECT d.error FROM webhook_deliveries d WHERE d.webhook_id = 'w' ORDER BY d.id DESC LIMIT 9",
            "webhook_deliveries_log",
        ),
        (
            "SELECT d.error FROM webhook_deliveries d WHERE d.webhook_id = 'w' AND d.status = 's' ORDER BY d.id DESC LIMIT 9",
            "webhook_deliveries_by_status",
        ),
    ] {
        let plan = plan(&database, sql, Vec::new()).await;
        assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
}

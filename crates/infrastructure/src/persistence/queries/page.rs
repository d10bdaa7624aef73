//! Which tasks a page has: a statement for their ids that walks one index backwards and stops.

use crewd_application::ports::TaskFilter;
use crewd_domain::runs::RunStatus;
use crewd_domain::shared::{TaskId, TenantId};
use sea_orm::Value;

use crate::persistence::dialect::{in_list, lookups};

/// Tasks by what is stored of their current runs.
const CURRENT_RUNS: &str = "runs r JOIN tasks t ON t.id = r.task_id AND t.current_run = r.id";

/// What is to be found, apart from the state.
struct Wanted<'filter> {
    tenant: &'filter TenantId,
    filter: &'filter TaskFilter,
    before: Option<TaskId>,
    limit: i64,
}

/// The newest `limit` ids that fit, as column `task_id`, and the statement's values. With several states there may be
/// more: each state is walked by itself, so that a rare one is found without reading all others.
pub(in crate::persistence) fn page_of_ids(
    tenant: &TenantId,
    filter: &TaskFilter,
    before: Option<TaskId>,
    limit: i64,
) -> (String, Vec<Value>) {
    let wanted = Wanted { tenant, filter, before, limit };
    let mut values = Vec::new();
    if let Some(state) = filter.dead_letter {
        let sql = wanted.ids("r.task_id", CURRENT_RUNS, &mut values, |values| {
            values.push(tenant.as_str().into());
            values.push(state.as_str().into());
            let mut first = "r.tenant_id = ? AND r.dead_letter = ? AND ".to_owned();
            if !filter.statuses.is_empty() {
                let list = in_list(values, filter.statuses.iter().map(|status| Value::from(status.as_str())));
                first.push_str(&format!("r.status IN ({list}) AND "));
            }
            first
        });
        return (sql, values);
    }
    let statuses = statuses(filter);
    if statuses.is_empty() {
        let sql = wanted.ids("t.id", "tasks t", &mut values, |_| String::new());
        return (sql, values);
    }
    let parts: Vec<String> = statuses
        .into_iter()
        .map(|status| {
            let part = wanted.ids("r.task_id", CURRENT_RUNS, &mut values, |values| {
                values.push(wanted.tenant.as_str().into());
                values.push(status.as_str().into());
                "r.tenant_id = ? AND r.status = ? AND ".to_owned()
            });
            format!("SELECT s.task_id FROM ({part}) s")
        })
        .collect();
    (parts.join(" UNION ALL "), values)
}

/// Each wanted state once. Only these two have an error.
fn statuses(filter: &TaskFilter) -> Vec<RunStatus> {
    if filter.statuses.is_empty() && filter.failure_class.is_some() {
        return vec![RunStatus::Failed, RunStatus::Incomplete];
    }
    let mut statuses: Vec<RunStatus> = Vec::new();
    for status in &filter.statuses {
        if !statuses.contains(status) {
            statuses.push(*status);
        }
    }
    statuses
}

impl Wanted<'_> {
    fn ids(&self, id: &str, from: &str, values: &mut Vec<Value>, first: impl FnOnce(&mut Vec<Value>) -> String) -> String {
        let first = first(values);
        let hint = if from == CURRENT_RUNS { lookups(&["r", "t"]) } else { String::new() };
        let mut sql = format!("SELECT {hint} {id} AS task_id FROM {from} WHERE {first}t.tenant_id = ?");
        values.push(self.tenant.as_str().into());
        let mut add = |condition: &str, value: Value| {
            sql.push_str(condition);
            values.push(value);
        };
        if let Some(before) = self.before {
            add(&format!(" AND {id} < ?"), before.to_string().into());
        }
        if let Some(class) = self.filter.failure_class {
            add(" AND r.failure_class = ?", class.as_str().into());
        }
        if let Some(crew) = &self.filter.crew {
            add(" AND t.crew = ?", crew.as_str().into());
        }
        if let Some(instant) = self.filter.created_after {
            add(" AND t.created_at >= ?", instant.timestamp_micros().into());
        }
        if let Some(instant) = self.filter.created_before {
            add(" AND t.created_at < ?", instant.timestamp_micros().into());
        }
        for (label, text) in &self.filter.metadata {
            let exists = " AND t.id IN (SELECT m.task_id FROM task_metadata m WHERE m.tenant_id = ? AND m.label = ? AND m.label_value = ?)";
            add(exists, self.tenant.as_str().into());
            add("", label.as_str().into());
            add("", text.as_str().into());
        }
        add(&format!(" ORDER BY {id} DESC LIMIT ?"), self.limit.into());
        sql
    }
}

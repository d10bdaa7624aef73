//! Filters of the list of tasks.

use crewd_application::ports::TaskFilter;
use crewd_domain::runs::RunStatus;
use crewd_domain::shared::{TaskId, TenantId};

use crate::error::ApiError;
use crate::extract::Query;
use crate::page::{Cursors, limit};

/// The cursors of this list.
pub(super) fn cursors(tenant: &TenantId) -> Cursors {
    Cursors::of("GET /api/v1/tasks", tenant)
}

/// What to list.
#[derive(Debug)]
pub(super) struct ListQuery {
    pub(super) filter: TaskFilter,
    pub(super) before: Option<TaskId>,
    pub(super) limit: u32,
    /// Whether only flows are asked for, of which this version has none.
    pub(super) is_empty: bool,
}

/// Reads the query of the list.
///
/// # Errors
/// `validation_failed` with all that is wrong, `bad_request` for a cursor of another list.
pub(super) fn read_query(mut query: Query, tenant: &TenantId) -> Result<ListQuery, ApiError> {
    let limit = limit(&mut query);
    let cursor = query.text("cursor");
    let filter = TaskFilter {
        statuses: query.names("status", RunStatus::parse),
        crew: query.label("crew"),
        dead_letter: None,
        failure_class: None,
        created_after: query.instant("created_after"),
        created_before: query.instant("created_before"),
        metadata: query.with_prefix("metadata."),
    };
    let is_empty = query.label("flow").is_some();
    query.finish()?;
    let before = cursors(tenant).read(cursor, |place| place.parse().ok())?;
    Ok(ListQuery { filter, before, limit, is_empty })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<ListQuery, ApiError> {
        read_query(Query::of(pairs), &TenantId::default_tenant())
    }

    #[test]
    fn every_filter_of_the_contract_is_read() {
        let list = read(&[
            ("status", "queued,running"),
            ("crew", "research"),
            ("created_after", "2026-01-01T00:00:00Z"),
            ("created_before", "2026-02-01T00:00:00Z"),
            ("metadata.team", "red"),
            ("metadata.n", "1"),
            ("limit", "7"),
        ])
        .unwrap();
        assert_eq!(list.filter.statuses, [RunStatus::Queued, RunStatus::Running]);
        assert_eq!(list.filter.crew.as_deref(), Some("research"));
        assert!(list.filter.created_after < list.filter.created_before);
        assert_eq!(list.filter.metadata.len(), 2);
        assert_eq!((list.limit, list.before, list.is_empty), (7, None, false));
        assert!(read(&[("flow", "f")]).unwrap().is_empty);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for pair in [
            ("status", "done"),
            ("status", ""),
            ("status", "queued,,running"),
            ("created_after", "yesterday"),
            ("created_before", "1"),
            ("limit", "0"),
        ] {
            assert!(read(&[pair]).is_err(), "{pair:?}");
        }
        for pair in [("colour", "red"), ("order", "desc"), ("status[$ne]", "failed"), ("metadata", "x")] {
            assert_eq!(read(&[pair]).unwrap_err().details().reason.as_deref(), Some("unknown_filter"), "{pair:?}");
        }
        assert_eq!(read(&[("cursor", "garbage")]).unwrap_err().details().reason.as_deref(), Some("invalid_cursor"));
    }
}

//! What a plan writes for the outside: endpoints, messages, fires of schedules.

use crewd_application::ports::{Change, OutboxMessage, StoreError, StoredFire, StoredSchedule, UnitOfWork};
use crewd_application::outbox_messages;
use crewd_domain::webhooks::WebhookEndpoint;
use sea_orm::DbBackend;

use super::write::Planned;
use crate::persistence::dialect::{OnConflict, inserts, inserts_where, statement};
use crate::persistence::rows::{
    CellWriter, FIRES, OUTBOX, SCHEDULES, Table, UPDATE_SCHEDULE, WEBHOOKS, write_fire, write_message, write_schedule_changes,
    write_webhook,
};

/// Whether anybody wants to be told, for all tasks of the tenant or for this one: two looks into one index. Another
/// process may add an endpoint at any time, so that the answer is never remembered.
const IS_WANTED: &str = "EXISTS (SELECT 1 FROM webhook_endpoints w \
     WHERE w.tenant_id = v.tenant_id AND w.task_id IS NULL AND w.disabled_at IS NULL) \
     OR EXISTS (SELECT 1 FROM webhook_endpoints w \
     WHERE w.tenant_id = v.tenant_id AND w.task_id = v.task_id AND w.disabled_at IS NULL)";

/// What of a group is for the outside.
#[derive(Default)]
pub(super) struct Hooks<'work> {
    endpoints: Vec<&'work WebhookEndpoint>,
    messages: Vec<OutboxMessage>,
    fires: Vec<&'work StoredFire>,
    schedules: Vec<&'work StoredSchedule>,
}

impl<'work> Hooks<'work> {
    /// Takes in what a change has for the outside.
    pub(super) fn stage(&mut self, unit: &'work UnitOfWork, change: &'work Change) {
        match change {
            Change::AppendEvent(event) => self.messages.extend(outbox_messages(event, &unit.tenant)),
            Change::InsertWebhook(endpoint) => self.endpoints.push(endpoint),
            Change::InsertScheduleFire(fire) => self.fires.push(fire),
            Change::UpdateSchedule(schedule) => self.schedules.push(schedule),
            _ => {}
        }
    }

    /// The statements: endpoints first, for they may want the messages.
    pub(super) fn statements(&self, backend: DbBackend) -> Result<Vec<Planned>, StoreError> {
        let mut planned = Vec::new();
        let mut plan = |table: &Table, statements: Vec<sea_orm::Statement>, is_swap: bool| {
            planned.extend(statements.into_iter().map(|statement| Planned { statement, key_name: table.key_name, is_swap }));
        };
        let mut cells = CellWriter::default();
        for endpoint in &self.endpoints {
            write_webhook(&mut cells, endpoint)?;
        }
        plan(&WEBHOOKS, inserts(backend, &WEBHOOKS, OnConflict::Fail, cells.into_cells()), false);
        let mut cells = CellWriter::default();
        for message in &self.messages {
            write_message(&mut cells, message);
        }
        plan(&OUTBOX, inserts_where(backend, &OUTBOX, IS_WANTED, cells.into_cells()), false);
        let mut cells = CellWriter::default();
        for fire in &self.fires {
            write_fire(&mut cells, fire);
        }
        plan(&FIRES, inserts(backend, &FIRES, OnConflict::Fail, cells.into_cells()), false);
        for schedule in &self.schedules {
            let mut cells = CellWriter::default();
            write_schedule_changes(&mut cells, schedule);
            plan(&SCHEDULES, vec![statement(backend, UPDATE_SCHEDULE, cells.into_cells())], true);
        }
        Ok(planned)
    }
}

/// Whether the number of changed rows decides about a unit, which only the long way looks at.
pub(super) fn is_swap(change: &Change) -> bool {
    matches!(change, Change::UpdateSchedule(_))
}

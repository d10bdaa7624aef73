//! What a plan writes for the outside: endpoints, messages, fires of schedules.

use std::collections::BTreeSet;

use crewd_application::outbox_messages;
use crewd_application::ports::{Change, StoreError, StoredFire, StoredSchedule, UnitOfWork};
use crewd_domain::runs::Event;
use crewd_domain::shared::TenantId;
use crewd_domain::webhooks::{WebhookEndpoint, WebhookEvent};
use sea_orm::{DbBackend, Value};

use super::write::Planned;
use crate::persistence::dialect::{OnConflict, in_list, inserts, inserts_where, statement};
use crate::persistence::error::unavailable;
use crate::persistence::rows::{
    CellWriter, FIRES, OUTBOX, SCHEDULES, Table, UPDATE_SCHEDULE, WEBHOOKS, write_fire, write_message, write_schedule_changes,
    write_webhook,
};
use crate::persistence::session::Session;

/// Whether anybody wants to be told, for all tasks of the tenant or for this one: two looks into one index. Another
/// process may add an endpoint at any time, so that the answer is never remembered.
pub(in crate::persistence) const IS_WANTED: &str = "EXISTS (SELECT 1 FROM webhook_endpoints w \
     WHERE w.tenant_id = v.tenant_id AND w.task_id IS NULL AND w.disabled_at IS NULL) \
     OR EXISTS (SELECT 1 FROM webhook_endpoints w \
     WHERE w.tenant_id = v.tenant_id AND w.task_id = v.task_id AND w.disabled_at IS NULL)";

/// A time that came to no task gives way to its task.
const MAKE_WAY: &str = "DELETE FROM schedule_fires WHERE schedule_id = ? AND fire_time = ? AND task_id IS NULL";

/// What of a group is for the outside.
#[derive(Default)]
pub(super) struct Hooks<'work> {
    endpoints: Vec<&'work WebhookEndpoint>,
    /// Events that somebody may want to be told of.
    events: Vec<(&'work Event, &'work TenantId)>,
    fires: Vec<&'work StoredFire>,
    schedules: Vec<&'work StoredSchedule>,
}

impl<'work> Hooks<'work> {
    /// Takes in what a change has for the outside.
    pub(super) fn stage(&mut self, unit: &'work UnitOfWork, change: &'work Change) {
        match change {
            Change::AppendEvent(event) if WebhookEvent::of(event.kind).is_some() => self.events.push((event, &unit.tenant)),
            Change::InsertWebhook(endpoint) => self.endpoints.push(endpoint),
            Change::InsertScheduleFire(fire) => self.fires.push(fire),
            Change::UpdateSchedule(schedule) => self.schedules.push(schedule),
            _ => {}
        }
    }

    /// Forgets the events if no tenant of theirs has an endpoint, as is mostly so. To ask costs as much as to write one
    /// message on condition, and less than to write several.
    pub(super) async fn ask(&mut self, transaction: &Session, backend: DbBackend) -> Result<(), StoreError> {
        if self.events.len() < 2 || !self.endpoints.is_empty() {
            return Ok(());
        }
        let tenants: BTreeSet<&TenantId> = self.events.iter().map(|(_, tenant)| *tenant).collect();
        let mut values = Vec::new();
        let list = in_list(&mut values, tenants.into_iter().map(|tenant| Value::from(tenant.as_str())));
        let sql = format!("SELECT 1 FROM webhook_endpoints w WHERE w.tenant_id IN ({list}) AND w.disabled_at IS NULL LIMIT 1");
        if transaction.query_one_raw(statement(backend, sql, values)).await.map_err(unavailable)?.is_none() {
            self.events.clear();
        }
        Ok(())
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
        for message in self.events.iter().flat_map(|(event, tenant)| outbox_messages(event, tenant)) {
            write_message(&mut cells, &message);
        }
        plan(&OUTBOX, inserts_where(backend, &OUTBOX, IS_WANTED, cells.into_cells()), false);
        for fire in self.fires.iter().filter(|fire| fire.task_id.is_some()) {
            let key = vec![fire.schedule_id.to_string().into(), fire.fire_time.timestamp_micros().into()];
            plan(&FIRES, vec![statement(backend, MAKE_WAY, key)], false);
        }
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

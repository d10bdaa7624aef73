//! Schedules and their fires. What belongs together with a task is written by units of work.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use crewd_application::ports::{ScheduleStore, StoreError, StoredFire, StoredSchedule};
use crewd_domain::shared::{ScheduleId, TenantId};
use sea_orm::{QueryResult, Value};

use super::dialect::{OnConflict, inserts, now_micros, statement};
use super::error::unavailable;
use super::rows::{
    CellReader, CellWriter, FIRES, SCHEDULES, UPDATE_SCHEDULE, read_fire, read_schedule, write_schedule, write_schedule_changes,
};
use super::session::Readers;
use super::writer::{Script, WriterHandle};

/// Schedules in the database. When they are due goes by the database's clock.
#[derive(Clone, Debug)]
pub struct SeaSchedules {
    writer: WriterHandle,
    readers: Readers,
}

impl SeaSchedules {
    pub(super) const fn new(writer: WriterHandle, readers: Readers) -> Self {
        Self { writer, readers }
    }

    async fn all(&self, sql: impl Into<String> + Send, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        self.readers.query_all_raw(statement(self.readers.backend(), sql, values)).await.map_err(unavailable)
    }

    async fn read(&self, condition: &str, values: Vec<Value>) -> Result<Vec<StoredSchedule>, StoreError> {
        let sql = format!("SELECT {} FROM schedules s WHERE {condition}", SCHEDULES.columns_of("s"));
        let rows = self.all(sql, values).await?;
        rows.iter().map(|row| read_schedule(&mut CellReader::new(row))).collect()
    }
}

#[async_trait]
impl ScheduleStore for SeaSchedules {
    async fn insert(&self, schedule: StoredSchedule) -> Result<(), StoreError> {
        let mut cells = CellWriter::default();
        write_schedule(&mut cells, &schedule);
        let mut script = Script::default();
        for statement in inserts(self.readers.backend(), &SCHEDULES, OnConflict::Fail, cells.into_cells()) {
            script.exactly(1, SCHEDULES.key_name, statement);
        }
        self.writer.execute(script).await.map(drop)
    }

    async fn update(&self, schedule: StoredSchedule) -> Result<(), StoreError> {
        let mut cells = CellWriter::default();
        write_schedule_changes(&mut cells, &schedule);
        let mut script = Script::default();
        let update = statement(self.readers.backend(), UPDATE_SCHEDULE, cells.into_cells());
        script.exactly(1, SCHEDULES.key_name, update);
        self.writer.execute(script).await.map(drop)
    }

    async fn delete(&self, tenant: &TenantId, id: ScheduleId) -> Result<bool, StoreError> {
        let mut script = Script::default();
        for sql in [
            "DELETE FROM schedules WHERE id = ? AND tenant_id = ?",
            "DELETE FROM schedule_fires WHERE schedule_id = ? AND tenant_id = ?",
        ] {
            script.any(statement(self.readers.backend(), sql, vec![id.to_string().into(), tenant.as_str().into()]));
        }
        let changed = self.writer.execute(script).await?;
        Ok(changed.first().is_some_and(|rows| *rows == 1))
    }

    async fn schedule(&self, tenant: &TenantId, id: ScheduleId) -> Result<Option<StoredSchedule>, StoreError> {
        let values = vec![id.to_string().into(), tenant.as_str().into()];
        Ok(self.read("s.id = ? AND s.tenant_id = ?", values).await?.pop())
    }

    async fn schedules(
        &self,
        tenant: &TenantId,
        before: Option<ScheduleId>,
        limit: u32,
    ) -> Result<Vec<StoredSchedule>, StoreError> {
        let mut values: Vec<Value> = vec![tenant.as_str().into()];
        let mut condition = "s.tenant_id = ?".to_owned();
        if let Some(before) = before {
            condition.push_str(" AND s.id < ?");
            values.push(before.to_string().into());
        }
        condition.push_str(" ORDER BY s.id DESC LIMIT ?");
        values.push(i64::from(limit).into());
        self.read(&condition, values).await
    }

    async fn due(&self, limit: u32) -> Result<(DateTime<Utc>, Vec<StoredSchedule>), StoreError> {
        let rows = self.all(format!("SELECT {}", now_micros(self.readers.backend())), Vec::new()).await?;
        let row = rows.first().ok_or_else(|| StoreError::Corrupt("the database has no clock".to_owned()))?;
        let now = CellReader::new(row).instant()?;
        let values = vec![now.timestamp_micros().into(), i64::from(limit).into()];
        Ok((now, self.read("s.next_fire_at <= ? ORDER BY s.next_fire_at LIMIT ?", values).await?))
    }

    async fn fires(
        &self,
        tenant: &TenantId,
        id: ScheduleId,
        before: Option<DateTime<Utc>>,
        limit: u32,
    ) -> Result<Vec<StoredFire>, StoreError> {
        let mut values: Vec<Value> = vec![id.to_string().into(), tenant.as_str().into()];
        let mut sql =
            format!("SELECT {} FROM schedule_fires f WHERE f.schedule_id = ? AND f.tenant_id = ?", FIRES.columns_of("f"));
        if let Some(before) = before {
            sql.push_str(" AND f.fire_time < ?");
            values.push(before.timestamp_micros().into());
        }
        sql.push_str(" ORDER BY f.fire_time DESC LIMIT ?");
        values.push(i64::from(limit).into());
        let rows = self.all(sql, values).await?;
        rows.iter().map(|row| read_fire(&mut CellReader::new(row))).collect()
    }
}

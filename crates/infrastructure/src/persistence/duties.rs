//! Who does what one process does for all.

use std::time::Duration;

use async_trait::async_trait;
use crewd_application::ports::{Duties, Duty, StoreError};
use sea_orm::Value;
use uuid::Uuid;

use super::dialect::{OnConflict, inserts, now_micros, statement};
use super::error::unavailable;
use super::rows::{CellReader, CellWriter, Table};
use super::session::Readers;
use super::writer::{Script, WriterHandle, lease_micros};

const DUTIES: Table =
    Table { name: "duties", key_name: "name", key: &["name"], columns: &["name", "holder", "epoch", "held_until"] };

/// Duties in the database. Whether a lease is over is decided by the database's clock, in the statement that takes the
/// duty. Who finds a duty held writes nothing.
#[derive(Clone, Debug)]
pub struct SeaDuties {
    writer: WriterHandle,
    readers: Readers,
}

/// A duty as it was found.
struct Found {
    holder: String,
    epoch: u64,
    is_held: bool,
}

impl SeaDuties {
    pub(super) const fn new(writer: WriterHandle, readers: Readers) -> Self {
        Self { writer, readers }
    }

    async fn find(&self, duty: Duty) -> Result<Option<Found>, StoreError> {
        let now = now_micros(self.readers.backend());
        let sql = format!("SELECT d.holder, d.epoch, d.held_until - {now} FROM duties d WHERE d.name = ?");
        let question = statement(self.readers.backend(), sql, vec![duty.as_str().into()]);
        let Some(row) = self.readers.query_one_raw(question).await.map_err(unavailable)? else { return Ok(None) };
        let mut cells = CellReader::new(&row);
        Ok(Some(Found { holder: cells.text()?, epoch: cells.number()?, is_held: cells.signed()? > 0 }))
    }

    /// The first process of an installation that ever asks makes the row.
    async fn make(&self, duty: Duty) -> Result<Found, StoreError> {
        let mut cells = CellWriter::default();
        cells.text(duty.as_str());
        cells.text("");
        cells.number(0);
        cells.number(0);
        let mut script = Script::default();
        for statement in inserts(self.readers.backend(), &DUTIES, OnConflict::Keep, cells.into_cells()) {
            script.any(statement);
        }
        self.writer.execute(script).await?;
        Ok(Found { holder: String::new(), epoch: 0, is_held: false })
    }

    /// Executes one statement; whether it changed the row.
    async fn change(&self, sql: String, values: Vec<Value>) -> Result<bool, StoreError> {
        let mut script = Script::default();
        script.any(statement(self.readers.backend(), sql, values));
        Ok(self.writer.execute(script).await?.first().is_some_and(|rows| *rows == 1))
    }
}

#[async_trait]
impl Duties for SeaDuties {
    async fn hold(&self, duty: Duty, holder: Uuid, lease: Duration) -> Result<Option<u64>, StoreError> {
        let found = match self.find(duty).await? {
            Some(found) => found,
            None => self.make(duty).await?,
        };
        let holder = holder.to_string();
        let is_own = found.holder == holder;
        if found.is_held && !is_own {
            return Ok(None);
        }
        let epoch = if is_own { found.epoch } else { found.epoch.saturating_add(1) };
        let now = now_micros(self.readers.backend());
        let sql = format!(
            "UPDATE duties SET holder = ?, epoch = ?, held_until = {now} + ? \
             WHERE name = ? AND epoch = ? AND (holder = ? OR held_until <= {now})"
        );
        let mut values = CellWriter::default();
        values.text(holder.clone());
        values.number(epoch);
        values.signed(Some(lease_micros(lease)));
        values.text(duty.as_str());
        values.number(found.epoch);
        values.text(holder);
        Ok(self.change(sql, values.into_cells()).await?.then_some(epoch))
    }

    async fn release(&self, duty: Duty, holder: Uuid) -> Result<(), StoreError> {
        let sql = "UPDATE duties SET holder = '', held_until = 0 WHERE name = ? AND holder = ?".to_owned();
        self.change(sql, vec![duty.as_str().into(), holder.to_string().into()]).await.map(drop)
    }
}

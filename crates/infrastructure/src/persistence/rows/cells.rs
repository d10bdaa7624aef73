//! Values of the domain as values of a database, and back.

use chrono::{DateTime, Utc};
use crewd_application::ports::StoreError;
use crewd_domain::shared::{TenantId, Usage};
use sea_orm::{QueryResult, TryGetable, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::persistence::dialect::restored;

/// Collects the cells of rows, column after column.
#[derive(Debug, Default)]
pub(in crate::persistence) struct CellWriter {
    cells: Vec<Value>,
}

impl CellWriter {
    pub(in crate::persistence) fn text(&mut self, text: impl Into<String>) {
        self.cells.push(Value::String(Some(text.into())));
    }

    pub(in crate::persistence) fn optional_text(&mut self, text: Option<impl Into<String>>) {
        self.cells.push(Value::String(text.map(Into::into)));
    }

    pub(in crate::persistence) fn id(&mut self, id: Uuid) {
        self.text(id.hyphenated().to_string());
    }

    pub(in crate::persistence) fn optional_id(&mut self, id: Option<Uuid>) {
        self.optional_text(id.map(|id| id.hyphenated().to_string()));
    }

    /// Numbers past what a signed column bears are kept as the largest one.
    pub(in crate::persistence) fn number(&mut self, number: u64) {
        self.signed(Some(i64::try_from(number).unwrap_or(i64::MAX)));
    }

    pub(in crate::persistence) fn optional_number(&mut self, number: Option<u64>) {
        self.signed(number.map(|number| i64::try_from(number).unwrap_or(i64::MAX)));
    }

    pub(in crate::persistence) fn signed(&mut self, number: Option<i64>) {
        self.cells.push(Value::BigInt(number));
    }

    pub(in crate::persistence) fn small(&mut self, number: i16) {
        self.cells.push(Value::SmallInt(Some(number)));
    }

    pub(in crate::persistence) fn flag(&mut self, flag: bool) {
        self.cells.push(Value::Bool(Some(flag)));
    }

    pub(in crate::persistence) fn instant(&mut self, instant: DateTime<Utc>) {
        self.signed(Some(instant.timestamp_micros()));
    }

    pub(in crate::persistence) fn optional_instant(&mut self, instant: Option<DateTime<Utc>>) {
        self.signed(instant.map(|instant| instant.timestamp_micros()));
    }

    pub(in crate::persistence) fn json(&mut self, value: &impl Serialize) -> Result<(), StoreError> {
        self.text(to_json(value)?);
        Ok(())
    }

    pub(in crate::persistence) fn optional_json(&mut self, value: Option<&impl Serialize>) -> Result<(), StoreError> {
        let text = value.map(to_json).transpose()?;
        self.optional_text(text);
        Ok(())
    }

    pub(in crate::persistence) fn usage(&mut self, usage: &Usage) {
        let Usage { input_tokens, output_tokens, cached_input_tokens, llm_calls, tool_calls, cost_usd_micros } = *usage;
        for count in [input_tokens, output_tokens, cached_input_tokens, llm_calls, tool_calls, cost_usd_micros] {
            self.number(count);
        }
    }

    pub(in crate::persistence) fn append(&mut self, cells: Vec<Value>) {
        self.cells.extend(cells);
    }

    pub(in crate::persistence) fn into_cells(self) -> Vec<Value> {
        self.cells
    }
}

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Reads the cells of a row, column after column.
pub(in crate::persistence) struct CellReader<'row> {
    row: &'row QueryResult,
    next: usize,
}

impl<'row> CellReader<'row> {
    pub(in crate::persistence) const fn new(row: &'row QueryResult) -> Self {
        Self { row, next: 0 }
    }

    fn cell<T: TryGetable>(&mut self) -> Result<T, StoreError> {
        let index = self.next;
        self.next += 1;
        self.row.try_get_by(index).map_err(|error| corrupt(index, error))
    }

    pub(in crate::persistence) fn text(&mut self) -> Result<String, StoreError> {
        self.cell().map(restored)
    }

    pub(in crate::persistence) fn optional_text(&mut self) -> Result<Option<String>, StoreError> {
        Ok(self.cell::<Option<String>>()?.map(restored))
    }

    pub(in crate::persistence) fn id(&mut self) -> Result<Uuid, StoreError> {
        let text = self.text()?;
        Uuid::parse_str(&text).map_err(|error| corrupt(self.next, error))
    }

    pub(in crate::persistence) fn optional_id(&mut self) -> Result<Option<Uuid>, StoreError> {
        let text = self.optional_text()?;
        text.map(|text| Uuid::parse_str(&text)).transpose().map_err(|error| corrupt(self.next, error))
    }

    pub(in crate::persistence) fn tenant(&mut self) -> Result<TenantId, StoreError> {
        let text = self.text()?;
        TenantId::try_from(text).map_err(|error| corrupt(self.next, error))
    }

    /// A whole number of any width: PostgreSQL answers plain numbers of a query, such as the 0 of a `CASE`, with 32 bits.
    pub(in crate::persistence) fn signed(&mut self) -> Result<i64, StoreError> {
        let index = self.next;
        if let Ok(number) = self.cell::<i64>() {
            return Ok(number);
        }
        self.next = index;
        self.cell::<i32>().map(i64::from)
    }

    pub(in crate::persistence) fn number(&mut self) -> Result<u64, StoreError> {
        let number = self.signed()?;
        u64::try_from(number).map_err(|error| corrupt(self.next, error))
    }

    pub(in crate::persistence) fn optional_number(&mut self) -> Result<Option<u64>, StoreError> {
        let number: Option<i64> = self.cell()?;
        number.map(u64::try_from).transpose().map_err(|error| corrupt(self.next, error))
    }

    /// A number that fits in 32 bits.
    pub(in crate::persistence) fn count(&mut self) -> Result<u32, StoreError> {
        let number = self.signed()?;
        u32::try_from(number).map_err(|error| corrupt(self.next, error))
    }

    pub(in crate::persistence) fn small(&mut self) -> Result<i16, StoreError> {
        self.cell()
    }

    pub(in crate::persistence) fn flag(&mut self) -> Result<bool, StoreError> {
        self.cell()
    }

    pub(in crate::persistence) fn instant(&mut self) -> Result<DateTime<Utc>, StoreError> {
        let micros = self.signed()?;
        to_instant(micros)
    }

    pub(in crate::persistence) fn optional_instant(&mut self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let micros: Option<i64> = self.cell()?;
        micros.map(to_instant).transpose()
    }

    pub(in crate::persistence) fn json<T: DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        let text = self.text()?;
        serde_json::from_str(&text).map_err(|error| corrupt(self.next, error))
    }

    pub(in crate::persistence) fn optional_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StoreError> {
        let text = self.optional_text()?;
        text.map(|text| serde_json::from_str(&text)).transpose().map_err(|error| corrupt(self.next, error))
    }

    /// A stored name, read by the enum's own `parse`.
    pub(in crate::persistence) fn name<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
        let text = self.text()?;
        parse(&text).ok_or_else(|| StoreError::Corrupt(format!("unknown name: {text}")))
    }

    /// A stored name, or nothing.
    pub(in crate::persistence) fn optional_name<T>(
        &mut self,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let text = self.optional_text()?;
        text.map(|text| parse(&text).ok_or_else(|| StoreError::Corrupt(format!("unknown name: {text}")))).transpose()
    }

    pub(in crate::persistence) fn usage(&mut self) -> Result<Usage, StoreError> {
        Ok(Usage {
            input_tokens: self.number()?,
            output_tokens: self.number()?,
            cached_input_tokens: self.number()?,
            llm_calls: self.number()?,
            tool_calls: self.number()?,
            cost_usd_micros: self.number()?,
        })
    }
}

/// An instant from microseconds since 1970.
pub(in crate::persistence) fn to_instant(micros: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| StoreError::Corrupt(format!("no instant: {micros}")))
}

fn corrupt(column: usize, error: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("column {column}: {error}"))
}

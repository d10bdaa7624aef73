//! Table `task_metadata`: what filters can find.

use crewd_domain::runs::Task;
use serde_json::Value;

use super::cells::CellWriter;
use super::table::Table;

/// Longest key and longest text that can be found; what is longer is kept with the task but not indexed.
const LABEL_CHARACTERS: usize = 100;
const TEXT_CHARACTERS: usize = 255;

pub(in crate::persistence) const METADATA: Table = Table {
    name: "task_metadata",
    key_name: "task_id",
    key: &["task_id", "label"],
    columns: &["task_id", "label", "label_value", "tenant_id"],
};

/// The labels of a task that filters can find: texts as they are, numbers and flags by their JSON text.
pub(in crate::persistence) fn labels(task: &Task) -> impl Iterator<Item = (&str, String)> {
    task.metadata.iter().filter_map(|(label, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        let fits = label.chars().count() <= LABEL_CHARACTERS && text.chars().count() <= TEXT_CHARACTERS;
        fits.then_some((label.as_str(), text))
    })
}

pub(in crate::persistence) fn write_label(cells: &mut CellWriter, task: &Task, label: &str, text: String) {
    cells.id(task.id.as_uuid());
    cells.text(label);
    cells.text(text);
    cells.text(task.tenant_id.as_str());
}

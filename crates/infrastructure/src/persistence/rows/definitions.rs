//! Table `definitions`.

use crewd_application::ports::{CrewVersion, StoreError, StoredCrew};

use super::cells::{CellReader, CellWriter};
use super::table::Table;

pub(in crate::persistence) const DEFINITIONS: Table = Table {
    name: "definitions",
    key_name: "definition_version",
    key: &["tenant_id", "name", "version"],
    columns: &["tenant_id", "name", "version", "from_api", "created_at", "definition"],
};

pub(in crate::persistence) fn write_crew(cells: &mut CellWriter, crew: &StoredCrew) {
    cells.text(crew.tenant_id.as_str());
    cells.text(&crew.name);
    cells.text(&crew.version);
    cells.flag(crew.from_api);
    cells.instant(crew.created_at);
    cells.text(&crew.definition);
}

pub(in crate::persistence) fn read_crew(cells: &mut CellReader<'_>) -> Result<StoredCrew, StoreError> {
    Ok(StoredCrew {
        tenant_id: cells.tenant()?,
        name: cells.text()?,
        version: cells.text()?,
        from_api: cells.flag()?,
        created_at: cells.instant()?,
        definition: cells.text()?,
    })
}

/// The columns `version, from_api, created_at`.
pub(in crate::persistence) fn read_version(cells: &mut CellReader<'_>) -> Result<CrewVersion, StoreError> {
    Ok(CrewVersion { version: cells.text()?, from_api: cells.flag()?, created_at: cells.instant()? })
}

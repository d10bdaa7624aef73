//! From a claimed row to a run at work.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crewd_application::ports::{ClaimedRun, CrewCatalog, EventQuery, RunQueries, StoreError};
use crewd_domain::crews::CrewDefinition;
use crewd_domain::runs::Event;

use crate::journal::RecordedSteps;

/// Definitions kept in memory at most.
const MAX_DEFINITIONS: usize = 256;

/// Definitions by version; they never change.
#[derive(Default)]
pub(super) struct Definitions {
    known: RwLock<HashMap<String, Arc<CrewDefinition>>>,
}

impl Definitions {
    /// The pinned definition of a claimed run; `None` if it is gone or cannot be read.
    pub(super) fn of(&self, catalog: &dyn CrewCatalog, claimed: &ClaimedRun) -> Option<Arc<CrewDefinition>> {
        let version = &claimed.task.definition_version;
        if let Some(definition) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(version) {
            return Some(definition.clone());
        }
        let text = claimed.definition.as_deref()?;
        let definition = match catalog.restore(text) {
            Ok(entry) => entry.definition,
            Err(error) => {
                tracing::error!(definition.version = %version, error, "a stored definition cannot be read");
                return None;
            }
        };
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_DEFINITIONS {
            known.clear();
        }
        known.insert(version.clone(), definition.clone());
        Some(definition)
    }
}

/// What earlier holders of a run have done and said. A fresh run needs no reading.
pub(super) async fn recorded(queries: &dyn RunQueries, claimed: &mut ClaimedRun) -> Result<RecordedSteps, StoreError> {
    // The first holder of a retry, a fork or a replay finds steps that were taken over.
    if claimed.run.epoch <= 1 && claimed.run.parent.is_none() {
        return Ok(RecordedSteps::default());
    }
    let mut structure: Vec<Event> = Vec::new();
    loop {
        let query = EventQuery {
            task_id: claimed.task.id,
            after: structure.last().map_or(0, |event| event.seq),
            kinds: [RecordedSteps::STRUCTURE, RecordedSteps::ANSWERS].concat(),
            limit: 500,
        };
        let page = queries.events(&claimed.task.tenant_id, &query).await?;
        let last = page.len() < 500;
        structure.extend(page);
        if last {
            break;
        }
    }
    structure.retain(|event| event.run_id == claimed.run.id);
    let approvals = std::mem::take(&mut claimed.approvals);
    Ok(RecordedSteps::new(std::mem::take(&mut claimed.steps), approvals, &structure))
}

//! Crews, versions and reports as clients see them.

use crewd_application::crews::VersionLine;
use crewd_application::ports::CatalogEntry;
use crewd_domain::crews::{CrewDefinition, Process, ValidationReport};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::error::DefinitionProblem;
use crate::timestamp::Timestamp;

/// A line of the list of crews.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CrewSummary {
    /// The name that submissions use.
    #[schema(example = "research")]
    pub(super) name: String,
    /// What the crew is for.
    description: Option<String>,
    /// The version a task submitted now would get.
    #[schema(example = "sha256:…")]
    version: String,
    /// `sequential` or `hierarchical`.
    #[schema(value_type = String, example = "sequential")]
    process: Process,
    /// Names of the agents.
    agents: Vec<String>,
    /// Names of the crew tasks, in their order.
    tasks: Vec<String>,
}

/// A crew.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CrewResponse {
    /// The name that submissions use.
    #[schema(example = "research")]
    name: String,
    /// What the crew is for.
    description: Option<String>,
    /// The content hash of the definition.
    #[schema(example = "sha256:…")]
    version: String,
    /// `sequential` or `hierarchical`.
    #[schema(value_type = String, example = "sequential")]
    process: Process,
    /// Names of the agents.
    agents: Vec<String>,
    /// Names of the crew tasks, in their order.
    tasks: Vec<String>,
    /// JSON Schema of the inputs: one property per placeholder, those without a default required.
    #[schema(value_type = Object)]
    inputs: Value,
    /// The whole definition as it is pinned into tasks.
    #[schema(value_type = Object)]
    definition: Box<RawValue>,
    /// Warnings; a crew with errors is not here at all.
    problems: Vec<DefinitionProblem>,
}

/// A line of a crew's history.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CrewVersionResponse {
    /// The content hash of the definition.
    #[schema(example = "sha256:…")]
    pub(super) version: String,
    /// `api` or `file`.
    #[schema(example = "file")]
    source: &'static str,
    /// Whether a task submitted now would get it.
    current: bool,
    /// When it was first stored; `null` for a file that no task has used yet.
    created_at: Option<Timestamp>,
}

/// Everything that was found in a definition.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ValidationResponse {
    /// Whether the crew can run; with `strict`, whether nothing was found at all.
    valid: bool,
    /// What was found, by file, line and column.
    problems: Vec<DefinitionProblem>,
}

impl From<CatalogEntry> for CrewSummary {
    fn from(entry: CatalogEntry) -> Self {
        let crew = entry.definition.as_ref();
        Self {
            name: crew.name.clone(),
            description: crew.description.clone(),
            version: entry.version.to_string(),
            process: crew.process,
            agents: agent_names(crew),
            tasks: task_names(crew),
        }
    }
}

impl From<CatalogEntry> for CrewResponse {
    fn from(entry: CatalogEntry) -> Self {
        let crew = entry.definition.as_ref();
        Self {
            name: crew.name.clone(),
            description: crew.description.clone(),
            version: entry.version.to_string(),
            process: crew.process,
            agents: agent_names(crew),
            tasks: task_names(crew),
            inputs: crew.input_schema(),
            definition: RawValue::from_string(entry.canonical.to_string()).unwrap_or_else(|_| RawValue::NULL.to_owned()),
            problems: problems(&entry.report),
        }
    }
}

impl From<VersionLine> for CrewVersionResponse {
    fn from(line: VersionLine) -> Self {
        Self {
            version: line.version,
            source: if line.from_api { "api" } else { "file" },
            current: line.current,
            created_at: line.created_at.map(Timestamp),
        }
    }
}

impl ValidationResponse {
    /// A report; `strict` lets warnings count.
    pub(super) fn of(report: &ValidationReport, strict: bool) -> Self {
        Self { valid: !report.has_errors(strict), problems: problems(report) }
    }
}

fn agent_names(crew: &CrewDefinition) -> Vec<String> {
    crew.agents.iter().map(|agent| agent.name.clone()).collect()
}

fn task_names(crew: &CrewDefinition) -> Vec<String> {
    crew.tasks.iter().map(|task| task.name.clone()).collect()
}

fn problems(report: &ValidationReport) -> Vec<DefinitionProblem> {
    report.diagnostics.iter().map(DefinitionProblem::from).collect()
}

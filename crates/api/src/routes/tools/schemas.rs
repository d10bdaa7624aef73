//! A tool as clients see it.

use crewd_domain::tools::{RiskLevel, ToolDescriptor};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A tool that agents of this installation can call.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ToolResponse {
    /// The name that definitions use.
    #[schema(example = "file_read")]
    pub(super) name: String,
    /// What the model is told.
    description: String,
    /// JSON Schema of the arguments.
    #[schema(value_type = Object)]
    parameters: Value,
    /// How much harm a wrong call can do: `low`, `medium`, `high` or `critical`.
    #[schema(value_type = String, example = "low")]
    risk: RiskLevel,
    /// What recovery may do with a call of unknown outcome: `read_only`, `idempotent`, `keyed` or `effectful`.
    #[schema(example = "read_only")]
    effect: &'static str,
}

impl From<ToolDescriptor> for ToolResponse {
    fn from(tool: ToolDescriptor) -> Self {
        let effect = tool.effect.as_str();
        Self { name: tool.name, description: tool.description, parameters: tool.parameters, risk: tool.risk, effect }
    }
}

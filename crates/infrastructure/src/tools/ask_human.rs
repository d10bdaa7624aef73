//! Asking a person.

use async_trait::async_trait;
use crewd_application::ports::{Tool, ToolCallContext, ToolError, ToolOutput};
use crewd_domain::tools::{ASK_HUMAN, EffectClass, RiskLevel, ToolDescriptor};
use serde_json::{Map, Value, json};

/// The tool as agents see it. Its calls never come here: the engine puts the question, the run waits without a worker,
/// and the person's answer is the result.
pub(super) struct AskHuman {
    descriptor: ToolDescriptor,
}

impl AskHuman {
    pub(super) fn new() -> Self {
        let descriptor = ToolDescriptor {
            name: ASK_HUMAN.to_owned(),
            description:
                "Asks a person and waits for the answer, which may take long. Use it only for what nobody but a person can \
                          tell; ask everything at once."
                    .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "question": {
                        "type": "string", "minLength": 1, "maxLength": 4000, "examples": ["Which of the two offers do you want?"],
                        "description": "The question, with all that the person must know to answer it."
                    }
                },
                "required": ["question"],
                "additionalProperties": false
            }),
            risk: RiskLevel::Low,
            effect: EffectClass::ReadOnly,
            reconciles: false,
        };
        Self { descriptor }
    }
}

#[async_trait]
impl Tool for AskHuman {
    fn descriptor(&self) -> &ToolDescriptor {
        &self.descriptor
    }

    async fn call(&self, _context: &ToolCallContext, _arguments: &Map<String, Value>) -> Result<ToolOutput, ToolError> {
        Err(ToolError::Failed("A person answers this, not a program; the question was not put.".to_owned()))
    }
}

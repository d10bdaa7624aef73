//! Argument schemas, compiled once.

use std::collections::HashMap;

use crewd_application::ports::ToolSet;
use jsonschema::Validator;
use serde_json::Value;

/// How many problems a model is told of at once.
const MAX_PROBLEMS: usize = 10;

/// The compiled argument schemas of all tools.
#[derive(Debug, Default)]
pub struct ToolSchemas {
    validators: HashMap<String, Validator>,
}

impl ToolSchemas {
    /// Compiles the schemas of all tools.
    ///
    /// # Errors
    /// The first tool whose schema is no JSON Schema: a defect of the installation, told at start.
    pub fn compile(tools: &dyn ToolSet) -> Result<Self, String> {
        let mut validators = HashMap::new();
        for tool in tools.descriptors() {
            let validator = jsonschema::validator_for(&tool.parameters).map_err(|error| format!("the schema of the tool {}: {error}", tool.name))?;
            validators.insert(tool.name, validator);
        }
        Ok(Self { validators })
    }

    /// Checks arguments.
    ///
    /// # Errors
    /// Everything that is wrong, for the model to read.
    pub fn check(&self, tool: &str, arguments: &Value) -> Result<(), String> {
        let Some(validator) = self.validators.get(tool) else {
            return Err(format!("The tool {tool} has no schema."));
        };
        let problems: Vec<String> = validator
            .iter_errors(arguments)
            .take(MAX_PROBLEMS)
            .map(|error| {
                let place = error.instance_path().to_string();
                if place.is_empty() { error.to_string() } else { format!("{place}: {error}") }
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(format!("The arguments do not fit the tool: {}.", problems.join("; "))) }
    }
}

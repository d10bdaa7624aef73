//! What models are told of tools and what their arguments must fit, prepared once for all runs.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crewd_application::error::FieldProblem;
use crewd_application::ports::{ArgumentCheck, ToolSet};
use crewd_domain::tools::ToolDescriptor;
use jsonschema::Validator;
use serde_json::Value;

/// How many problems a model is told of at once.
const MAX_PROBLEMS: usize = 10;
/// Choices of tools that are remembered at most.
const MAX_OFFERS: usize = 1024;

/// The compiled argument schemas of all tools, and the choices of tools that agents have.
#[derive(Debug, Default)]
pub struct ToolSchemas {
    validators: HashMap<String, Validator>,
    descriptors: HashMap<String, ToolDescriptor>,
    digests: HashMap<String, String>,
    offers: RwLock<HashMap<Vec<String>, Arc<[ToolDescriptor]>>>,
}

impl ToolSchemas {
    /// Compiles the schemas of all tools.
    ///
    /// # Errors
    /// The first tool whose schema is no JSON Schema: a defect of the installation, told at start.
    pub fn compile(tools: &dyn ToolSet) -> Result<Self, String> {
        let mut schemas = Self::default();
        for tool in tools.descriptors() {
            let wrong = |error| format!("the schema of the tool {}: {error}", tool.name);
            let validator = jsonschema::validator_for(&tool.parameters).map_err(wrong)?;
            schemas.validators.insert(tool.name.clone(), validator);
            let told = serde_json::to_vec(&(&tool.name, &tool.description, &tool.parameters)).unwrap_or_default();
            schemas.digests.insert(tool.name.clone(), crewd_application::sha256_hex(told));
            schemas.descriptors.insert(tool.name.clone(), tool);
        }
        Ok(schemas)
    }

    /// The descriptors of these tools, in this order. Runs of the same crew share them.
    ///
    /// # Errors
    /// The first name that is no tool's.
    pub fn offer(&self, names: &[String]) -> Result<Arc<[ToolDescriptor]>, String> {
        if let Some(offer) = self.offers.read().unwrap_or_else(PoisonError::into_inner).get(names) {
            return Ok(offer.clone());
        }
        let descriptor = |name: &String| self.descriptors.get(name).cloned().ok_or_else(|| name.clone());
        let offer: Arc<[ToolDescriptor]> = names.iter().map(descriptor).collect::<Result<Vec<_>, _>>()?.into();
        let mut offers = self.offers.write().unwrap_or_else(PoisonError::into_inner);
        if offers.len() >= MAX_OFFERS {
            offers.clear();
        }
        offers.insert(names.to_vec(), offer.clone());
        Ok(offer)
    }

    /// What a model is told of a tool, as a hash: a run whose tools have changed since does not go on unnoticed.
    #[must_use]
    pub fn digest<'tool>(&'tool self, tool: &'tool ToolDescriptor) -> &'tool str {
        self.digests.get(&tool.name).unwrap_or(&tool.name)
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

impl ArgumentCheck for ToolSchemas {
    fn check_arguments(&self, tool: &str, arguments: &Value) -> Result<(), Vec<FieldProblem>> {
        match self.validators.get(tool) {
            Some(validator) => fits(validator, arguments),
            None => Err(vec![FieldProblem::new("", format!("cannot be checked: there is no tool {tool} any more"))]),
        }
    }

    fn check_response(&self, schema: &Value, response: &Value) -> Result<(), Vec<FieldProblem>> {
        match jsonschema::validator_for(schema) {
            Ok(validator) => fits(&validator, response),
            Err(error) => {
                Err(vec![FieldProblem::new("", format!("cannot be checked: the schema of the answer is none: {error}"))])
            }
        }
    }
}

fn fits(validator: &Validator, value: &Value) -> Result<(), Vec<FieldProblem>> {
    let problem =
        |error: jsonschema::ValidationError<'_>| FieldProblem::new(error.instance_path().to_string(), error.to_string());
    let problems: Vec<FieldProblem> = validator.iter_errors(value).take(MAX_PROBLEMS).map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

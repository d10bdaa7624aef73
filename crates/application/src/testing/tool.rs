//! Tools that answer by script, and what every tool must keep to.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use crewd_domain::tools::{EffectClass, RiskLevel, ToolDescriptor};
use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, watch};

use crate::ports::{Tool, ToolCallContext, ToolError, ToolOutput, ToolSet};

/// A call that a [`FakeTool`] got.
#[derive(Clone, Debug)]
pub struct RecordedCall {
    /// On whose behalf.
    pub context: ToolCallContext,
    /// With what.
    pub arguments: Map<String, Value>,
}

/// A tool that answers by script and remembers its calls. It takes any arguments unless told otherwise.
#[derive(Debug)]
pub struct FakeTool {
    descriptor: ToolDescriptor,
    script: Mutex<VecDeque<Result<ToolOutput, ToolError>>>,
    otherwise: Result<ToolOutput, ToolError>,
    gate: Option<Arc<ToolGate>>,
    calls: Mutex<Vec<RecordedCall>>,
    finished: watch::Sender<usize>,
}

impl FakeTool {
    /// A read-only tool of low risk that answers `result of <name>`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let descriptor = ToolDescriptor {
            name: name.to_owned(),
            description: format!("Answers by script, as the tool {name} of a test."),
            parameters: json!({"type": "object", "properties": {}, "additionalProperties": true}),
            risk: RiskLevel::Low,
            effect: EffectClass::ReadOnly,
            reconciles: false,
        };
        Self {
            descriptor,
            script: Mutex::default(),
            otherwise: Ok(ToolOutput { text: format!("result of {name}") }),
            gate: None,
            calls: Mutex::default(),
            finished: watch::Sender::new(0),
        }
    }

    /// Answers this text from now on.
    #[must_use]
    pub fn answering(mut self, text: &str) -> Self {
        self.otherwise = Ok(ToolOutput { text: text.to_owned() });
        self
    }

    /// Fails like this from now on.
    #[must_use]
    pub fn failing(mut self, error: ToolError) -> Self {
        self.otherwise = Err(error);
        self
    }

    /// Gives these results first, one a call, before it falls back to its standing answer.
    #[must_use]
    pub fn scripted(self, results: impl IntoIterator<Item = Result<ToolOutput, ToolError>>) -> Self {
        locked(&self.script).extend(results);
        self
    }

    /// Declares this schema of its arguments.
    #[must_use]
    pub fn with_parameters(mut self, schema: Value) -> Self {
        self.descriptor.parameters = schema;
        self
    }

    /// Declares this effect class.
    #[must_use]
    pub const fn with_effect(mut self, effect: EffectClass) -> Self {
        self.descriptor.effect = effect;
        self
    }

    /// Declares this risk.
    #[must_use]
    pub const fn with_risk(mut self, risk: RiskLevel) -> Self {
        self.descriptor.risk = risk;
        self
    }

    /// Holds every call at the gate until it opens. Tools may share a gate.
    #[must_use]
    pub fn held_at(mut self, gate: &Arc<ToolGate>) -> Self {
        self.gate = Some(Arc::clone(gate));
        self
    }

    /// The calls so far, in the order they came, finished or not.
    #[must_use]
    pub fn calls(&self) -> Vec<RecordedCall> {
        locked(&self.calls).clone()
    }

    /// How many calls came to their end; one that was dropped while it was held did not.
    #[must_use]
    pub fn finished(&self) -> usize {
        *self.finished.borrow()
    }
}

#[async_trait]
impl Tool for FakeTool {
    fn descriptor(&self) -> &ToolDescriptor {
        &self.descriptor
    }

    async fn call(&self, context: &ToolCallContext, arguments: &Map<String, Value>) -> Result<ToolOutput, ToolError> {
        // The result is drawn at the arrival: the order of the script is the order of the calls.
        let result = locked(&self.script).pop_front().unwrap_or_else(|| self.otherwise.clone());
        locked(&self.calls).push(RecordedCall { context: context.clone(), arguments: arguments.clone() });
        if let Some(gate) = &self.gate {
            gate.pass().await;
        }
        self.finished.send_modify(|count| *count += 1);
        result
    }
}

/// Where calls of tools wait until a test lets them go on: shows that they run at the same time.
#[derive(Debug)]
pub struct ToolGate {
    arrived: watch::Sender<usize>,
    passes: Semaphore,
}

impl ToolGate {
    /// A closed gate.
    #[must_use]
    pub fn closed() -> Arc<Self> {
        Arc::new(Self { arrived: watch::Sender::new(0), passes: Semaphore::new(0) })
    }

    /// Returns as soon as so many calls have come to the gate altogether, gone on or not.
    pub async fn wait_for_arrivals(&self, calls: usize) {
        // It fails only without a sender, and the sender is held here.
        self.arrived.subscribe().wait_for(|arrived| *arrived >= calls).await.ok();
    }

    /// Lets so many calls pass, waiting or yet to come.
    pub fn let_pass(&self, calls: usize) {
        self.passes.add_permits(calls);
    }

    /// Lets all calls pass from now on.
    pub fn open(&self) {
        self.passes.close();
    }

    async fn pass(&self) {
        self.arrived.send_modify(|count| *count += 1);
        if let Ok(permit) = self.passes.acquire().await {
            permit.forget();
        }
    }
}

/// The tools of a test.
#[derive(Clone, Default)]
pub struct FakeToolSet {
    tools: BTreeMap<String, Arc<dyn Tool>>,
}

impl FakeToolSet {
    /// An installation without tools.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tool; keep another handle of it to look at its calls.
    #[must_use]
    pub fn with(mut self, tool: Arc<dyn Tool>) -> Self {
        self.tools.insert(tool.descriptor().name.clone(), tool);
        self
    }
}

impl ToolSet for FakeToolSet {
    fn get(&self, name: &str) -> Option<Arc<dyn Tool>> {
        self.tools.get(name).cloned()
    }

    fn descriptors(&self) -> Vec<ToolDescriptor> {
        self.tools.values().map(|tool| tool.descriptor().clone()).collect()
    }
}

/// Checks what every tool says about itself: a name that all providers take, a description that helps a model and
/// fits a prompt, and a closed object schema whose arguments are all explained.
///
/// # Panics
/// Where the tool breaks a rule.
pub fn check_tool(tool: &dyn Tool) {
    let ToolDescriptor { name, description, parameters, .. } = tool.descriptor();
    let lower_snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    assert!((1..=64).contains(&name.len()) && name.chars().all(lower_snake), "name: {name}");
    assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "name: {name}");
    assert!((20..=1_024).contains(&description.chars().count()), "description of {name}");
    assert_eq!(parameters.get("type"), Some(&json!("object")), "schema of {name}");
    assert_eq!(parameters.get("additionalProperties"), Some(&json!(false)), "unknown arguments of {name} are refused");
    let none = Map::new();
    let properties = parameters.get("properties").and_then(Value::as_object).unwrap_or(&none);
    for (property, schema) in properties {
        let explained = schema.get("description").and_then(Value::as_str).is_some_and(|text| text.len() >= 10);
        assert!(explained, "{name}.{property} has a description");
        assert!(schema.get("type").is_some() || schema.get("enum").is_some(), "{name}.{property} has a type");
    }
    for required in parameters.get("required").and_then(Value::as_array).into_iter().flatten() {
        assert!(required.as_str().is_some_and(|key| properties.contains_key(key)), "{name} requires {required}");
    }
}

/// Checks a whole set: each tool, one name each, and that what is listed can be fetched.
///
/// # Panics
/// Where the set breaks a rule.
pub fn check_tool_set(tools: &dyn ToolSet) {
    let mut names = HashSet::new();
    for descriptor in tools.descriptors() {
        assert!(names.insert(descriptor.name.clone()), "two tools are called {}", descriptor.name);
        let tool = tools.get(&descriptor.name);
        assert_eq!(tool.as_ref().map(|tool| tool.descriptor()), Some(&descriptor), "what is listed is what is fetched");
        if let Some(tool) = tool {
            check_tool(tool.as_ref());
        }
    }
    assert!(tools.get("no_such_tool").is_none());
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "tool_tests.rs"]
mod tests;

//! The vocabulary of a crew. Names and defaults are CrewAI's, so that its projects mean the same here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::approvals::ApprovalRule;

/// A crew: agents, the tasks they do, and the order of these tasks.
///
/// It holds the texts as written, placeholders included; `render` gives the texts of one run. Reading one
/// back from JSON ignores unknown fields, so that a definition stored by a newer version still loads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrewDefinition {
    /// Address of the crew: `POST /tasks` names it, its folder carries it.
    pub name: String,
    /// What the crew is for, in one sentence, for lists of crews.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who decides what is done next.
    #[serde(default)]
    pub process: Process,
    /// The agents that may work in this crew.
    #[serde(default)]
    pub agents: Vec<AgentDefinition>,
    /// The tasks, in the order in which they are done.
    #[serde(default)]
    pub tasks: Vec<CrewTaskDefinition>,
    /// Model calls per minute for the whole crew; unset means no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rpm: Option<u32>,
    /// Whether equal tool calls of this crew share one result. Off by default.
    #[serde(default)]
    pub cache: bool,
    /// From which risk on a person decides about tool calls; unset means the installation's rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_from: Option<ApprovalRule>,
    /// Values for placeholders that the caller may leave out.
    #[serde(default)]
    pub inputs: BTreeMap<String, Value>,
}

/// Who decides what is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Process {
    /// The tasks in their order, each by the agent it names.
    #[default]
    Sequential,
    /// A manager assigns the tasks. It can be written down, but not run yet.
    Hierarchical,
}

/// One agent: who it is, what it may use, how far it may go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentDefinition {
    /// Key of the agent in its file; tasks refer to it.
    pub name: String,
    /// Who the agent is; also its address when work is delegated. Placeholders allowed.
    pub role: String,
    /// What the agent wants. Placeholders allowed.
    pub goal: String,
    /// Where the agent comes from. Placeholders allowed.
    pub backstory: String,
    /// The model to use; unset means the operator's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm: Option<LlmSettings>,
    /// Names of the tools it may use.
    #[serde(default)]
    pub tools: Vec<String>,
    /// Model turns per task before a final answer is demanded.
    #[serde(default = "default_max_iter")]
    pub max_iter: u32,
    /// Model calls per minute of this agent; unset means no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rpm: Option<u32>,
    /// Seconds one task may take; unset means no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_execution_time: Option<u32>,
    /// How often a failed task is tried again.
    #[serde(default = "default_max_retry_limit")]
    pub max_retry_limit: u32,
    /// Whether it may hand work to the other agents of the crew.
    #[serde(default)]
    pub allow_delegation: bool,
    /// Whether it reports more than usual.
    #[serde(default)]
    pub verbose: bool,
    /// Whether it takes part in caching tool results.
    #[serde(default = "yes")]
    pub cache: bool,
    /// Whether a history too long for the model is shortened instead of failing the task.
    #[serde(default = "yes")]
    pub respect_context_window: bool,
    /// Tokens one answer may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Whether the prompt has a system message; otherwise all goes into the user message.
    #[serde(default = "yes")]
    pub use_system_prompt: bool,
    /// Own layout of the system message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_template: Option<String>,
    /// Own layout of the user message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_template: Option<String>,
    /// Own layout of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_template: Option<String>,
    /// From which risk on a person decides about this agent's tool calls; unset means the crew's rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_from: Option<ApprovalRule>,
    /// Whether the prompt tells today's date.
    #[serde(default)]
    pub inject_date: bool,
    /// How the date is written (`strftime`); unset means `%Y-%m-%d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_format: Option<String>,
}

/// Which model an agent uses and how. Addresses and keys of providers belong to the operator, not here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LlmSettings {
    /// `provider/model`, or a bare model name of the default provider.
    pub model: String,
    /// Randomness, 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Tokens one answer may have; an agent's own `max_tokens` goes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Texts that end an answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// Seed for providers that support one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Whether answers are streamed; unset means yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// Whether the model knows tool calls; `false` describes the tools in the prompt instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_tools: Option<bool>,
    /// Tokens the model can hold; unset means what is known of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u32>,
}

/// One task of a crew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrewTaskDefinition {
    /// Key of the task in its file; other tasks refer to it in `context`.
    pub name: String,
    /// What to do. Placeholders allowed.
    pub description: String,
    /// What the answer must look like. Placeholders allowed; may be empty.
    pub expected_output: String,
    /// Name of the agent that does it.
    pub agent: String,
    /// Which earlier answers it sees.
    #[serde(default)]
    pub context: ContextRule,
    /// Tools for this task; given, they replace those of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// Whether the next task starts without waiting for this one.
    #[serde(default)]
    pub async_execution: bool,
    /// File below the run's folder that gets the answer. Placeholders allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_file: Option<String>,
    /// Whether missing folders of `output_file` are made.
    #[serde(default = "yes")]
    pub create_directory: bool,
    /// JSON Schema the answer must fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_json: Option<Value>,
    /// Whether the answer is asked for in Markdown.
    #[serde(default)]
    pub markdown: bool,
    /// Whether a person is shown the answer and may ask for changes before it counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub human_input: bool,
}

/// Which answers of earlier tasks a task sees.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextRule {
    /// `context` is not written: all earlier synchronous tasks (nothing for an asynchronous task).
    #[default]
    AllPrevious,
    /// `context` is empty: none.
    Nothing,
    /// `context` is a list: those tasks only.
    Only(Vec<String>),
}

impl CrewDefinition {
    /// An empty sequential crew.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: None,
            process: Process::Sequential,
            agents: Vec::new(),
            tasks: Vec::new(),
            max_rpm: None,
            cache: false,
            approval_from: None,
            inputs: BTreeMap::new(),
        }
    }

    /// The agent of that name.
    #[must_use]
    pub fn agent(&self, name: &str) -> Option<&AgentDefinition> {
        self.agents.iter().find(|agent| agent.name == name)
    }

    /// The task of that name.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<&CrewTaskDefinition> {
        self.tasks.iter().find(|task| task.name == name)
    }
}

impl AgentDefinition {
    /// An agent with the defaults of every setting.
    #[must_use]
    pub fn new(name: impl Into<String>, role: impl Into<String>, goal: impl Into<String>, backstory: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            role: role.into(),
            goal: goal.into(),
            backstory: backstory.into(),
            llm: None,
            tools: Vec::new(),
            max_iter: default_max_iter(),
            max_rpm: None,
            max_execution_time: None,
            max_retry_limit: default_max_retry_limit(),
            allow_delegation: false,
            verbose: false,
            cache: true,
            respect_context_window: true,
            max_tokens: None,
            use_system_prompt: true,
            system_template: None,
            prompt_template: None,
            response_template: None,
            approval_from: None,
            inject_date: false,
            date_format: None,
        }
    }
}

impl CrewTaskDefinition {
    /// A task with the defaults of every setting.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        description: impl Into<String>,
        expected_output: impl Into<String>,
        agent: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            expected_output: expected_output.into(),
            agent: agent.into(),
            context: ContextRule::AllPrevious,
            tools: None,
            async_execution: false,
            output_file: None,
            create_directory: true,
            output_json: None,
            markdown: false,
            human_input: false,
        }
    }
}

const fn default_max_iter() -> u32 {
    25
}

const fn default_max_retry_limit() -> u32 {
    2
}

const fn yes() -> bool {
    true
}

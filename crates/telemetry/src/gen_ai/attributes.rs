//! Attribute names, and the values crewd uses for them.

/// What is done: one of the `OPERATION_` values.
pub const OPERATION_NAME: &str = "gen_ai.operation.name";
/// Whose model: `openai`, `deepseek`, `dashscope`, …
pub const PROVIDER_NAME: &str = "gen_ai.provider.name";
/// Name of a crew or flow.
pub const WORKFLOW_NAME: &str = "gen_ai.workflow.name";
/// Name of an agent.
pub const AGENT_NAME: &str = "gen_ai.agent.name";
/// Id of an agent within its definition.
pub const AGENT_ID: &str = "gen_ai.agent.id";
/// What belongs to one conversation; here, the task.
pub const CONVERSATION_ID: &str = "gen_ai.conversation.id";
/// The model that was asked.
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
/// Whether the answer was asked for in pieces.
pub const REQUEST_STREAM: &str = "gen_ai.request.stream";
/// Sampling temperature asked for.
pub const REQUEST_TEMPERATURE: &str = "gen_ai.request.temperature";
/// The most tokens the answer may have.
pub const REQUEST_MAX_TOKENS: &str = "gen_ai.request.max_tokens";
/// The provider's id of the answer.
pub const RESPONSE_ID: &str = "gen_ai.response.id";
/// The model that answered.
pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
/// Why the answer ended, one reason per choice.
pub const RESPONSE_FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
/// Seconds until the first piece of a streamed answer.
pub const RESPONSE_TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
/// Tokens that went in, cached ones included.
pub const USAGE_INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// Tokens that came out.
pub const USAGE_OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// Tokens that were read from the provider's cache; part of the input.
pub const USAGE_CACHE_READ_INPUT_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
/// Tokens spent on reasoning; part of the output.
pub const USAGE_REASONING_OUTPUT_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";
/// Name of a tool.
pub const TOOL_NAME: &str = "gen_ai.tool.name";
/// The model's id of one tool call.
pub const TOOL_CALL_ID: &str = "gen_ai.tool.call.id";
/// Kind of tool: `function` for those this program runs.
pub const TOOL_TYPE: &str = "gen_ai.tool.type";
/// Host of the model's endpoint.
pub const SERVER_ADDRESS: &str = "server.address";
/// Port of the model's endpoint.
pub const SERVER_PORT: &str = "server.port";
/// A short, stable word for what went wrong.
pub const ERROR_TYPE: &str = "error.type";

/// A crew or flow runs.
pub const OPERATION_INVOKE_WORKFLOW: &str = "invoke_workflow";
/// An agent works on a task.
pub const OPERATION_INVOKE_AGENT: &str = "invoke_agent";
/// A model is asked.
pub const OPERATION_CHAT: &str = "chat";
/// A tool is run.
pub const OPERATION_EXECUTE_TOOL: &str = "execute_tool";

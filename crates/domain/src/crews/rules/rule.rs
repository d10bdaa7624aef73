//! Stable ids of the rules. Readers of a report match on them, so none is ever renamed.

/// A crew needs at least one agent.
pub const NO_AGENTS: &str = "no_agents";
/// A crew needs at least one task.
pub const NO_TASKS: &str = "no_tasks";
/// Names are short, visible and free of path signs.
pub const INVALID_NAME: &str = "invalid_name";
/// Two agents, or two tasks, share a name.
pub const DUPLICATE_NAME: &str = "duplicate_name";
/// Two agents share a role, the address for delegated work.
pub const DUPLICATE_ROLE: &str = "duplicate_role";
/// A list names something twice.
pub const DUPLICATE_ENTRY: &str = "duplicate_entry";
/// A task of a sequential crew names no agent.
pub const MISSING_AGENT: &str = "missing_agent";
/// A task names an agent the crew does not have.
pub const UNKNOWN_AGENT: &str = "unknown_agent";
/// `context` names a task the crew does not have.
pub const UNKNOWN_TASK: &str = "unknown_task";
/// A tool nobody registered.
pub const UNKNOWN_TOOL: &str = "unknown_tool";
/// `context` names the task itself or a later one.
pub const FORWARD_REFERENCE: &str = "forward_reference";
/// An asynchronous task waits for an asynchronous task right before it.
pub const ASYNC_CONTEXT: &str = "async_context";
/// More than one asynchronous task at the end.
pub const ASYNC_TAIL: &str = "async_tail";
/// An agent that no task uses.
pub const UNUSED_AGENT: &str = "unused_agent";
/// A default for an input that no text asks for.
pub const UNUSED_INPUT: &str = "unused_input";
/// A number outside its range.
pub const OUT_OF_RANGE: &str = "out_of_range";
/// A file name that leaves the run's folder or speaks to a shell.
pub const OUTPUT_FILE: &str = "output_file";
/// Braces that look like a placeholder and are none.
pub const NOT_A_PLACEHOLDER: &str = "not_a_placeholder";
/// A character that cannot be stored.
pub const INVALID_CHARACTERS: &str = "invalid_characters";
/// Something CrewAI has, that changes the result, and that cannot run here yet.
pub const NOT_SUPPORTED: &str = "not_supported";
/// A value of the wrong type.
pub const WRONG_TYPE: &str = "wrong_type";

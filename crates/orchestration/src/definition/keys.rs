//! Every key CrewAI knows, and what crewd does with it.

use crewd_domain::crews::{Problem, closest, excerpt, rule::NOT_SUPPORTED};

use super::{
    entries::Field,
    findings::Findings,
    rules::{IGNORED_KEY, NO_EFFECT, OPERATOR_ONLY, UNKNOWN_KEY},
    values::is_set,
};

/// What happens to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handling {
    /// It is read.
    Used,
    /// It changes what a run may do or return; running without it would be wrong, so it is refused.
    Gate(&'static str),
    /// It is read and kept in the definition, but does nothing yet.
    Kept,
    /// It does nothing yet; the crew runs without it.
    NotYet,
    /// It does nothing, on purpose; the text says why.
    Ignored(&'static str),
    /// It belongs to the operator.
    Operator,
}

use Handling::{Gate, Ignored, Kept, NotYet, Operator, Used};

const CODE: &str = "crewd never runs code from a definition";
const INTERNAL: &str = "it is an internal of CrewAI";
const PLATFORM: &str = "it belongs to a paid platform";
const DEPRECATED: &str = "it is deprecated in CrewAI";

/// Keys of an agent.
pub(super) const AGENT: &[(&str, Handling)] = &[
    ("role", Used),
    ("goal", Used),
    ("backstory", Used),
    ("llm", Used),
    ("tools", Used),
    ("approval_from", Used),
    ("max_iter", Used),
    ("max_rpm", Used),
    ("max_execution_time", Used),
    ("max_retry_limit", Used),
    ("allow_delegation", Kept),
    ("verbose", Used),
    ("cache", Used),
    ("respect_context_window", Used),
    ("max_tokens", Used),
    ("use_system_prompt", Used),
    ("system_template", Used),
    ("prompt_template", Used),
    ("response_template", Used),
    ("inject_date", Used),
    ("date_format", Used),
    ("planning", NotYet),
    ("planning_config", NotYet),
    ("reasoning", NotYet),
    ("max_reasoning_attempts", NotYet),
    ("memory", NotYet),
    ("knowledge_sources", NotYet),
    ("knowledge_config", NotYet),
    ("embedder", NotYet),
    ("mcps", NotYet),
    ("skills", NotYet),
    ("a2a", NotYet),
    ("step_callback", NotYet),
    ("callbacks", NotYet),
    ("use_better_compaction", NotYet),
    ("tool_failure_policy", NotYet),
    ("checkpoint", Ignored("every step of a run is kept anyway")),
    ("guardrail", Ignored("CrewAI applies an agent's guardrail only outside crews")),
    ("guardrail_max_retries", Ignored("CrewAI applies an agent's guardrail only outside crews")),
    ("function_calling_llm", Ignored(DEPRECATED)),
    ("allow_code_execution", Ignored(CODE)),
    ("code_execution_mode", Ignored(CODE)),
    ("multimodal", Ignored(DEPRECATED)),
    ("from_repository", Ignored(PLATFORM)),
    ("apps", Ignored(PLATFORM)),
    ("security_config", Ignored(INTERNAL)),
    ("i18n", Ignored(INTERNAL)),
    ("executor_class", Ignored(INTERNAL)),
    ("adapted_agent", Ignored(INTERNAL)),
    ("cache_handler", Ignored(INTERNAL)),
];

/// Keys of a task.
pub(super) const TASK: &[(&str, Handling)] = &[
    ("description", Used),
    ("expected_output", Used),
    ("agent", Used),
    ("context", Used),
    ("tools", Used),
    ("async_execution", Used),
    ("output_file", Used),
    ("create_directory", Used),
    ("output_json", Used),
    ("output_pydantic", Used),
    ("markdown", Used),
    ("human_input", Used),
    ("guardrail", Gate("the answer would go out unchecked")),
    ("guardrails", Gate("the answer would go out unchecked")),
    ("condition", Gate("the task would run whatever its condition says")),
    ("type", Gate("the task would run as an ordinary one")),
    ("response_model", Gate("use output_json with a JSON Schema instead")),
    ("guardrail_max_retries", NotYet),
    ("max_retries", NotYet),
    ("callback", NotYet),
    ("callbacks", NotYet),
    ("input_files", NotYet),
    ("tool_failure_policy", NotYet),
    ("name", Ignored("the key of the task is its name")),
    ("allow_crewai_trigger_context", Ignored(PLATFORM)),
    ("config", Ignored(INTERNAL)),
    ("converter_cls", Ignored(CODE)),
    ("security_config", Ignored(INTERNAL)),
];

/// Keys of `crew.yaml`.
pub(super) const CREW: &[(&str, Handling)] = &[
    ("name", Used),
    ("description", Used),
    ("process", Used),
    ("agents", Used),
    ("tasks", Used),
    ("inputs", Used),
    ("schemas", Used),
    ("llm", Used),
    ("approval_from", Used),
    ("max_rpm", Used),
    ("cache", Kept),
    ("manager_llm", NotYet),
    ("manager_agent", NotYet),
    ("memory", NotYet),
    ("embedder", NotYet),
    ("planning", NotYet),
    ("planning_llm", NotYet),
    ("knowledge_sources", NotYet),
    ("skills", NotYet),
    ("prompt_file", NotYet),
    ("step_callback", NotYet),
    ("task_callback", NotYet),
    ("before_kickoff_callbacks", NotYet),
    ("after_kickoff_callbacks", NotYet),
    ("tool_failure_policy", NotYet),
    ("stream", Ignored("every run can be streamed")),
    ("verbose", Ignored("events and logs tell everything")),
    ("output_log_file", Ignored("events and logs tell everything")),
    ("tracing", Ignored("the operator turns on traces")),
    ("checkpoint", Ignored("every step of a run is kept anyway")),
    ("function_calling_llm", Ignored(DEPRECATED)),
    ("chat_llm", Ignored("crews are talked to over the API")),
    ("trained_agents_file", Ignored(CODE)),
    ("share_crew", Ignored("crewd sends nothing home")),
    ("security_config", Ignored(INTERNAL)),
];

/// Keys of an `llm` mapping.
pub(super) const LLM: &[(&str, Handling)] = &[
    ("model", Used),
    ("model_name", Used),
    ("deployment_name", Used),
    ("temperature", Used),
    ("top_p", Used),
    ("max_tokens", Used),
    ("max_completion_tokens", Used),
    ("stop", Used),
    ("seed", Used),
    ("stream", Used),
    ("native_tools", Used),
    ("context_window", Used),
    ("context_window_size", Used),
    ("base_url", Operator),
    ("api_base", Operator),
    ("api_key", Operator),
    ("api_version", Operator),
    ("extra_headers", Operator),
    ("default_headers", Operator),
    ("client_params", Operator),
    ("aws_access_key_id", Operator),
    ("aws_secret_access_key", Operator),
    ("provider", NotYet),
    ("timeout", NotYet),
    ("max_retries", NotYet),
    ("n", NotYet),
    ("presence_penalty", NotYet),
    ("frequency_penalty", NotYet),
    ("logit_bias", NotYet),
    ("logprobs", NotYet),
    ("top_logprobs", NotYet),
    ("response_format", NotYet),
    ("reasoning_effort", NotYet),
    ("thinking", NotYet),
    ("callbacks", NotYet),
    ("is_litellm", Ignored(INTERNAL)),
];

/// Reports every key that is unknown or cannot be honoured.
pub(super) fn check_keys(findings: &mut Findings<'_>, element: &str, fields: &[Field], known: &[(&str, Handling)]) {
    for field in fields {
        let path = if element.is_empty() { field.key.to_string() } else { format!("{element}.{}", field.key) };
        if let Some(problem) = key_problem(path, field, known) {
            findings.report(field.key_at, problem);
        }
    }
}

fn key_problem(path: String, field: &Field, known: &[(&str, Handling)]) -> Option<Problem> {
    let key = excerpt(&field.key);
    let Some((_, handling)) = known.iter().find(|(name, _)| *name == &*field.key) else {
        let problem = Problem::warning(path, UNKNOWN_KEY, format!("`{key}` is not a known key and has no effect"));
        let names = known.iter().filter(|(_, handling)| matches!(handling, Used | Kept)).map(|(name, _)| *name);
        return Some(match closest(&field.key, names) {
            Some(name) => problem.suggest(format!("did you mean `{name}`?")),
            None => problem,
        });
    };
    if !is_set(&field.value) {
        return None;
    }
    match handling {
        Used => None,
        Gate(why) => Some(Problem::error(path, NOT_SUPPORTED, format!("`{key}` is not supported yet; {why}"))),
        Kept | NotYet => Some(Problem::warning(path, NO_EFFECT, format!("`{key}` has no effect yet"))),
        Ignored(why) => Some(Problem::warning(path, IGNORED_KEY, format!("`{key}` is ignored: {why}"))),
        Operator => Some(
            Problem::error(path, OPERATOR_ONLY, format!("`{key}` is set by the operator, not in a definition"))
                .suggest("remove it and name a model of a configured provider, as in `provider/model`"),
        ),
    }
}

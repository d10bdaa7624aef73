//! One agent out of its keys.

use crewd_domain::crews::AgentDefinition;

use super::{
    entries::RawEntry,
    fields::Fields,
    findings::Findings,
    keys::{AGENT, check_keys},
    llm::read_llm,
};

pub(super) fn read_agent(entry: &RawEntry, findings: &mut Findings<'_>) -> AgentDefinition {
    let element = format!("agents.{}", entry.name);
    check_keys(findings, &element, &entry.fields, AGENT);
    let mut fields = Fields { findings, element: &element, fields: &entry.fields, at: entry.at };
    let mut agent = AgentDefinition::new(
        entry.name.as_str(),
        fields.required_text("role"),
        fields.required_text("goal"),
        fields.required_text("backstory"),
    );
    agent.llm = fields.given("llm").and_then(|node| read_llm(&fields.path("llm"), &node, fields.findings));
    agent.tools = fields.names("tools").unwrap_or_default();
    agent.approval_from = fields.approval_rule("approval_from");
    read_limits(&mut fields, &mut agent);
    read_prompt(&mut fields, &mut agent);
    set(&mut agent.allow_delegation, fields.flag("allow_delegation"));
    set(&mut agent.verbose, fields.flag("verbose"));
    set(&mut agent.cache, fields.flag("cache"));
    agent
}

fn read_limits(fields: &mut Fields<'_, '_>, agent: &mut AgentDefinition) {
    set(&mut agent.max_iter, fields.count("max_iter"));
    set(&mut agent.max_retry_limit, fields.count("max_retry_limit"));
    agent.max_rpm = fields.count("max_rpm");
    agent.max_execution_time = fields.count("max_execution_time");
    agent.max_tokens = fields.count("max_tokens");
    set(&mut agent.respect_context_window, fields.flag("respect_context_window"));
}

fn read_prompt(fields: &mut Fields<'_, '_>, agent: &mut AgentDefinition) {
    set(&mut agent.use_system_prompt, fields.flag("use_system_prompt"));
    agent.system_template = fields.text("system_template");
    agent.prompt_template = fields.text("prompt_template");
    agent.response_template = fields.text("response_template");
    set(&mut agent.inject_date, fields.flag("inject_date"));
    agent.date_format = fields.text("date_format");
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

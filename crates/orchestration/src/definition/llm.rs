//! The model of an agent: a name, or a mapping with settings.

use crewd_domain::crews::{LlmSettings, Problem};

use super::{
    fields::Fields,
    findings::Findings,
    keys::{LLM, check_keys},
    rules::MISSING_KEY,
    yaml::{Content, Node},
};

/// Reads `llm`. Addresses and keys of providers are refused: only the operator defines providers.
pub(super) fn read_llm(element: &str, node: &Node, findings: &mut Findings<'_>) -> Option<LlmSettings> {
    let Content::Mapping(entries) = &node.content else {
        let model = findings.text(element, node)?.trim().to_owned();
        findings.mark(format!("{element}.model"), node.at);
        return Some(LlmSettings { model, ..LlmSettings::default() });
    };
    findings.mark(element, node.at);
    check_keys(findings, element, entries, LLM);
    let mut fields = Fields { findings, element, fields: entries, at: node.at };
    let model = ["model", "model_name", "deployment_name"].into_iter().find_map(|key| fields.text(key));
    let settings = LlmSettings {
        temperature: fields.number("temperature"),
        top_p: fields.number("top_p"),
        max_tokens: fields.count("max_tokens").or_else(|| fields.count("max_completion_tokens")),
        stop: read_stop(&mut fields),
        seed: fields.integer("seed"),
        stream: fields.flag("stream"),
        native_tools: fields.flag("native_tools"),
        context_window: fields.count("context_window").or_else(|| fields.count("context_window_size")),
        model: String::new(),
    };
    let Some(model) = model else {
        let problem = Problem::error(format!("{element}.model"), MISSING_KEY, "an llm mapping needs a `model`");
        findings.report(node.at, problem);
        return None;
    };
    Some(LlmSettings { model: model.trim().to_owned(), ..settings })
}

/// One text, or a list of them; kept as written, because blanks and newlines may be meant.
fn read_stop(fields: &mut Fields<'_, '_>) -> Vec<String> {
    let Some(node) = fields.given("stop") else { return Vec::new() };
    let path = fields.path("stop");
    let Content::Sequence(items) = &node.content else {
        return fields.findings.text(&path, &node).into_iter().collect();
    };
    let numbered = items.iter().enumerate();
    numbered.filter_map(|(position, item)| fields.findings.text(&format!("{path}[{position}]"), item)).collect()
}

//! `crew.yaml`: the crew as a whole, the order of its tasks, and keys added to agents and tasks.

use crewd_domain::crews::{
    CrewDefinition, LlmSettings, Problem, Process, closest, excerpt,
    rule::{UNKNOWN_AGENT, UNKNOWN_TASK, WRONG_TYPE},
};

use super::{
    entries::{Entries, Field, Kind, RawEntry},
    fields::Fields,
    findings::Findings,
    keys::{CREW, check_keys},
    llm::read_llm,
    rules::{NAME_MISMATCH, UNUSED_TASK},
    tasks::Schemas,
    yaml::{Content, Node, Position},
};

/// What `crew.yaml` says of the crew itself.
#[derive(Default)]
pub(super) struct Manifest {
    pub(super) schemas: Schemas,
    /// Model of agents that name none.
    pub(super) llm: Option<LlmSettings>,
}

/// Reads the crew's own keys into `crew`.
pub(super) fn read_manifest(fields: &[Field], at: Position, crew: &mut CrewDefinition, findings: &mut Findings<'_>) -> Manifest {
    check_keys(findings, "", fields, CREW);
    let mut fields = Fields { findings, element: "", fields, at };
    check_name(&mut fields, &crew.name);
    crew.description = fields.text("description").map(|text| text.trim().to_owned());
    crew.process = read_process(&mut fields);
    crew.approval_from = fields.approval_rule("approval_from");
    crew.max_rpm = fields.count("max_rpm");
    crew.cache = fields.flag("cache").unwrap_or(false);
    for (name, node) in mapping(&mut fields, "inputs") {
        let value = fields.findings.json(&format!("inputs.{name}"), &node.value);
        crew.inputs.insert(name, value);
    }
    let mut manifest = Manifest::default();
    for (name, node) in mapping(&mut fields, "schemas") {
        let schema = fields.findings.json(&format!("schemas.{name}"), &node.value);
        if !schema.is_object() {
            let message = "a schema must be a JSON Schema, a mapping such as {type: object}";
            let problem = Problem::error(format!("schemas.{name}"), WRONG_TYPE, message);
            fields.findings.report(node.value.at, problem);
        }
        manifest.schemas.insert(name, schema);
    }
    manifest.llm = fields.given("llm").and_then(|node| read_llm("llm", &node, fields.findings));
    manifest
}

/// Applies `agents:` or `tasks:` of `crew.yaml`. A mapping adds keys to entries; a list chooses them and gives
/// their order.
pub(super) fn wire(entries: &mut Entries, kind: Kind, fields: &[Field], findings: &mut Findings<'_>) {
    let Some(field) = fields.iter().find(|field| &*field.key == kind.plural()) else { return };
    match &field.value.content {
        Content::Mapping(members) => {
            for member in members {
                if let Some(keys) = member.value.entries() {
                    extend(entries, kind, &member.key, member.key_at, keys, findings);
                } else if !member.value.is_null() || !entries.contains(&member.key) {
                    let element = format!("{}.{}", kind.plural(), member.key);
                    findings.wrong::<()>(&element, &member.value, "a mapping of keys and values");
                }
            }
        }
        Content::Sequence(items) => {
            let chosen = items.iter().filter_map(|item| choose(entries, kind, item, findings)).collect::<Vec<_>>();
            reorder(entries, kind, &chosen, findings);
        }
        Content::Scalar(_) if field.value.is_null() => {}
        Content::Scalar(_) => {
            findings.wrong::<()>(kind.plural(), &field.value, "a list or a mapping of names");
        }
    }
}

/// The name of a list item; keys it carries go to its entry.
fn choose(entries: &mut Entries, kind: Kind, item: &Node, findings: &mut Findings<'_>) -> Option<String> {
    if let Content::Scalar(_) = &item.content {
        let name = findings.text(kind.plural(), item)?.trim().to_owned();
        if entries.contains(&name) || findings.incomplete {
            return Some(name);
        }
        let rule = if kind == Kind::Agents { UNKNOWN_AGENT } else { UNKNOWN_TASK };
        let message = format!("the crew has no {} `{}`", kind.singular(), excerpt(&name));
        let problem = Problem::error(kind.plural(), rule, message);
        findings.report(
            item.at,
            match closest(&name, entries.list.iter().map(|entry| entry.name.as_str())) {
                Some(near) => problem.suggest(format!("did you mean `{near}`?")),
                None => problem,
            },
        );
        return None;
    }
    let Some((name, at, keys)) = Entries::named(item) else {
        return findings.wrong(kind.plural(), item, "a name, or a mapping with a `name`");
    };
    extend(entries, kind, &name, at, &keys, findings);
    Some(name)
}

fn extend(entries: &mut Entries, kind: Kind, name: &str, at: Position, keys: &[Field], findings: &mut Findings<'_>) {
    if !entries.contains(name) {
        findings.mark(format!("{}.{name}", kind.plural()), at);
    }
    entries.extend(name, at, keys);
}

fn reorder(entries: &mut Entries, kind: Kind, chosen: &[String], findings: &mut Findings<'_>) {
    let rank = |entry: &RawEntry| chosen.iter().position(|name| *name == entry.name);
    let (mut kept, left): (Vec<_>, Vec<_>) = entries.list.drain(..).partition(|entry| rank(entry).is_some());
    kept.sort_by_key(|entry| rank(entry));
    if kind == Kind::Tasks {
        for task in left {
            let message = format!("crew.yaml does not list task `{}`; it is never done", excerpt(&task.name));
            findings.report(task.at, Problem::warning(format!("tasks.{}", task.name), UNUSED_TASK, message));
        }
        entries.list = kept;
    } else {
        // Agents without a place in the list stay, so that the rules can tell which are unused.
        kept.extend(left);
        entries.list = kept;
    }
}

fn check_name(fields: &mut Fields<'_, '_>, folder: &str) {
    let Some(name) = fields.text("name") else { return };
    if name.trim() != folder {
        let message = format!("the crew is called `{}` like its folder, not `{}`", excerpt(folder), excerpt(name.trim()));
        let at = fields.given("name").map_or(fields.at, |node| node.at);
        fields.findings.report(at, Problem::warning("name", NAME_MISMATCH, message));
    }
}

fn read_process(fields: &mut Fields<'_, '_>) -> Process {
    let Some(text) = fields.text("process") else { return Process::Sequential };
    match text.trim().to_lowercase().as_str() {
        "sequential" => Process::Sequential,
        "hierarchical" => Process::Hierarchical,
        _ => {
            if let Some(node) = fields.given("process") {
                fields.findings.wrong::<()>("process", &node, "`sequential` or `hierarchical`");
            }
            Process::Sequential
        }
    }
}

fn mapping(fields: &mut Fields<'_, '_>, key: &str) -> Vec<(String, Field)> {
    let Some(node) = fields.given(key) else { return Vec::new() };
    let Some(entries) = node.entries() else {
        fields.findings.wrong::<()>(key, &node, "a mapping of names");
        return Vec::new();
    };
    entries.iter().map(|entry| (entry.key.to_string(), entry.clone())).collect()
}

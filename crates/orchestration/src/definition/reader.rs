//! From the files of a crew to its definition, with everything that is wrong at once.

use std::{collections::BTreeSet, rc::Rc};

use crewd_application::ports::CrewSource;
use crewd_domain::crews::{
    CrewDefinition, Problem, ValidationReport,
    rule::{
        DUPLICATE_NAME, FORWARD_REFERENCE, MISSING_AGENT, NO_AGENTS, NO_TASKS, UNKNOWN_AGENT, UNKNOWN_TASK, UNUSED_AGENT,
        UNUSED_INPUT, WRONG_TYPE,
    },
};

use super::{
    agents::read_agent,
    entries::{Entries, Field, Kind, report_twice},
    findings::Findings,
    layout::{Part, part_of},
    manifest::{Manifest, read_manifest, wire},
    resolve::resolve_references,
    rules::DUPLICATE_KEY,
    tasks::read_task,
    yaml::{Node, Parsed, Position, parse},
};

/// Rules about things that a file nobody could read may hold.
const NEED_ALL_FILES: &[&str] =
    &[NO_AGENTS, NO_TASKS, MISSING_AGENT, UNKNOWN_AGENT, UNKNOWN_TASK, FORWARD_REFERENCE, UNUSED_AGENT, UNUSED_INPUT];

/// Reads a crew from its files.
///
/// The definition is there unless the report has errors. `known_tools` are the tools agents may name. Files
/// that are no part of a crew are not looked at.
#[must_use]
pub fn read_crew(source: &CrewSource, known_tools: &BTreeSet<String>) -> (Option<CrewDefinition>, ValidationReport) {
    let mut findings = Findings::new(source);
    let files = RawCrew::read(source, &mut findings);
    let crew = files.build(source, &mut findings);
    let mut problems = crew.check(Some(known_tools));
    if findings.incomplete {
        problems.retain(|problem| !NEED_ALL_FILES.contains(&problem.rule));
    }
    findings.add_all(problems);
    let report = findings.finish();
    ((!report.has_errors(false)).then_some(crew), report)
}

/// The files of a crew, taken apart.
struct RawCrew {
    agents: Entries,
    tasks: Entries,
    manifest: Vec<Field>,
    manifest_at: Position,
}

impl RawCrew {
    fn read(source: &CrewSource, findings: &mut Findings<'_>) -> Self {
        let mut raw = Self {
            agents: Entries::new(Kind::Agents),
            tasks: Entries::new(Kind::Tasks),
            manifest: Vec::new(),
            manifest_at: Position { file: 0, line: 1, column: 1 },
        };
        for (file, content) in source.files.iter().enumerate() {
            let Some(part) = part_of(&content.path) else { continue };
            let parsed = parse(file, &content.content);
            report_parsed(&parsed, part, findings);
            let start = Position { file, line: 1, column: 1 };
            match part {
                Part::Crew => raw.manifest_at = start,
                Part::Agents | Part::AgentFile(_) => findings.mark("agents", start),
                Part::Tasks | Part::TaskFile(_) => findings.mark("tasks", start),
            }
            if let Some(root) = parsed.root {
                raw.take(part, &root, findings);
            }
        }
        raw
    }

    fn take(&mut self, part: Part<'_>, root: &Rc<Node>, findings: &mut Findings<'_>) {
        match part {
            Part::Crew => match root.entries() {
                Some(entries) => self.take_manifest(entries, findings),
                None if root.is_null() => {}
                None => findings.report(root.at, Problem::error("", WRONG_TYPE, "crew.yaml must be a mapping")),
            },
            Part::Agents => {
                if let Some(tasks) = self.agents.read_file(root, findings) {
                    self.tasks.read_collection(&tasks, findings);
                }
            }
            Part::Tasks => {
                if let Some(agents) = self.tasks.read_file(root, findings) {
                    self.agents.read_collection(&agents, findings);
                }
            }
            Part::AgentFile(stem) => self.agents.read_folder_file(stem, root, findings),
            Part::TaskFile(stem) => self.tasks.read_folder_file(stem, root, findings),
        }
    }

    /// Two manifests (`crew.yaml` and `config/crew.yaml`) add up; a key in both is an error.
    fn take_manifest(&mut self, entries: &[Field], findings: &mut Findings<'_>) {
        for entry in entries {
            findings.mark(&*entry.key, entry.key_at);
            match self.manifest.iter().find(|field| field.key == entry.key) {
                Some(first) => {
                    report_twice(findings, DUPLICATE_KEY, &entry.key, &entry.key, (first.key_at, entry.key_at));
                }
                None => self.manifest.push(entry.clone()),
            }
        }
    }

    fn build(mut self, source: &CrewSource, findings: &mut Findings<'_>) -> CrewDefinition {
        let mut crew = CrewDefinition::new(source.name.as_str());
        wire(&mut self.agents, Kind::Agents, &self.manifest, findings);
        wire(&mut self.tasks, Kind::Tasks, &self.manifest, findings);
        let manifest = read_manifest(&self.manifest, self.manifest_at, &mut crew, findings);
        self.read_entries(&manifest, &mut crew, findings);
        resolve_references(&mut crew, findings);
        crew
    }

    fn read_entries(&self, manifest: &Manifest, crew: &mut CrewDefinition, findings: &mut Findings<'_>) {
        for entry in &self.agents.list {
            findings.mark(format!("agents.{}", entry.name), entry.at);
            let mut agent = read_agent(entry, findings);
            agent.llm = agent.llm.or_else(|| manifest.llm.clone());
            crew.agents.push(agent);
        }
        for entry in &self.tasks.list {
            findings.mark(format!("tasks.{}", entry.name), entry.at);
            crew.tasks.push(read_task(entry, &manifest.schemas, findings));
        }
    }
}

fn report_parsed(parsed: &Parsed, part: Part<'_>, findings: &mut Findings<'_>) {
    findings.incomplete |= parsed.broken;
    for issue in &parsed.issues {
        let problem = Problem::error("", issue.rule, issue.message.as_str());
        findings.report(
            issue.at,
            match issue.suggestion {
                Some(advice) => problem.suggest(advice),
                None => problem,
            },
        );
    }
    // At the top of these files every key is the name of an agent or a task.
    let names = matches!(part, Part::Agents | Part::Tasks);
    for found in &parsed.duplicates {
        let rule = if names && found.level == 0 { DUPLICATE_NAME } else { DUPLICATE_KEY };
        report_twice(findings, rule, "", &found.key, (found.first, found.second));
    }
}

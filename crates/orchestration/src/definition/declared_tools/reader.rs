//! From files to declared tools, with everything that is wrong at once.

use std::{collections::BTreeMap, collections::BTreeSet, rc::Rc};

use crewd_application::ports::CrewSource;
use crewd_domain::{
    crews::{
        Problem, ValidationReport,
        rule::{DUPLICATE_NAME, WRONG_TYPE},
    },
    tools::HttpToolDefinition,
};

use super::tool::read_tool;
use crate::definition::{
    entries::report_twice,
    findings::Findings,
    rules::DUPLICATE_KEY,
    yaml::{Content, Node, Position, parse},
};

/// What declarations must fit.
#[derive(Clone, Debug, Default)]
pub struct ToolSurroundings {
    /// Names that are taken by tools that come with crewd.
    pub builtin: BTreeSet<String>,
    /// Settings that hold secrets of tools; nothing where they are not known, so that they are not checked.
    pub secrets: Option<BTreeSet<String>>,
}

/// What the files of an installation declare.
#[derive(Clone, Debug)]
pub struct DeclaredTools {
    /// The tools that are sound, in the order of the files.
    pub tools: Vec<HttpToolDefinition>,
    /// The names of all tools that are declared, sound or not.
    pub names: BTreeSet<String>,
    /// What is wrong.
    pub report: ValidationReport,
    /// The files the report speaks of.
    pub source: CrewSource,
}

/// Reads the tools of these files.
#[must_use]
pub fn read_declared_tools(source: CrewSource, around: &ToolSurroundings) -> DeclaredTools {
    let mut findings = Findings::new(&source);
    let mut reader = Reader { around, findings: &mut findings, tools: Vec::new(), places: BTreeMap::new() };
    for (file, content) in source.files.iter().enumerate() {
        reader.read_file(file, &content.content);
    }
    let (tools, names) = (std::mem::take(&mut reader.tools), reader.places.into_keys().collect());
    let report = findings.finish();
    DeclaredTools { tools, names, report, source }
}

struct Reader<'read, 'source> {
    around: &'read ToolSurroundings,
    findings: &'read mut Findings<'source>,
    tools: Vec<HttpToolDefinition>,
    places: BTreeMap<String, Position>,
}

impl Reader<'_, '_> {
    fn read_file(&mut self, file: usize, content: &[u8]) {
        let parsed = parse(file, content);
        for issue in &parsed.issues {
            let problem = Problem::error("", issue.rule, issue.message.as_str());
            self.findings.report(
                issue.at,
                match issue.suggestion {
                    Some(advice) => problem.suggest(advice),
                    None => problem,
                },
            );
        }
        for found in &parsed.duplicates {
            report_twice(self.findings, DUPLICATE_KEY, "", &found.key, (found.first, found.second));
        }
        let Some(root) = parsed.root.filter(|root| !root.is_null()) else { return };
        match &root.content {
            Content::Sequence(items) => items.iter().for_each(|item| self.read_item(item)),
            _ => {
                let problem = Problem::error("tools", WRONG_TYPE, "this file must be a list of tools");
                self.findings.report(root.at, problem.suggest("begin each tool with `- name: …`"));
            }
        }
    }

    fn read_item(&mut self, item: &Rc<Node>) {
        let Some(read) = read_tool(item, self.around, self.findings) else { return };
        match self.places.get(&read.name) {
            Some(first) => {
                let element = format!("tools.{}", read.name);
                report_twice(self.findings, DUPLICATE_NAME, &element, &read.name, (*first, read.at));
            }
            None => {
                self.places.insert(read.name, read.at);
                self.tools.extend(read.definition);
            }
        }
    }
}

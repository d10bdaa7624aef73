//! Short ways to write down a crew and to look at a report.

use std::collections::BTreeSet;

use crewd_application::ports::{CrewSource, SourceFile};
use crewd_domain::crews::{CrewDefinition, Diagnostic, ValidationReport};

use crate::definition::read_crew;

pub(in crate::definition::tests) const AGENTS: &str = "researcher:\n  role: Researcher\n  goal: Find\n  backstory: Old\nwriter:\n  role: Writer\n  goal: Write\n  backstory: Young\n";
pub(in crate::definition::tests) const TASKS: &str = "find:\n  description: Find {topic}\n  expected_output: List\n  agent: researcher\nwrite:\n  description: Write\n  expected_output: Text\n  agent: writer\n";

pub(in crate::definition::tests) fn tools() -> BTreeSet<String> {
    ["directory_read", "file_read", "file_write"].into_iter().map(str::to_owned).collect()
}

pub(in crate::definition::tests) fn source(files: &[(&str, &str)]) -> CrewSource {
    let file = |(path, text): &(&str, &str)| SourceFile { path: (*path).to_owned(), content: text.as_bytes().to_vec() };
    CrewSource { name: "crew".into(), files: files.iter().map(file).collect() }
}

pub(in crate::definition::tests) fn read(files: &[(&str, &str)]) -> (Option<CrewDefinition>, ValidationReport) {
    read_crew(&source(files), &tools())
}

/// Reads the classic pair.
pub(in crate::definition::tests) fn pair(agents: &str, tasks: &str) -> (Option<CrewDefinition>, ValidationReport) {
    read(&[("agents.yaml", agents), ("tasks.yaml", tasks)])
}

/// A crew that must be free of problems.
pub(in crate::definition::tests) fn sound(files: &[(&str, &str)]) -> CrewDefinition {
    let (crew, report) = read(files);
    assert!(report.diagnostics.is_empty(), "{:#?}", report.diagnostics);
    crew.unwrap()
}

/// `path:line:column severity rule`, as short as a test can be.
pub(in crate::definition::tests) fn brief(diagnostic: &Diagnostic) -> String {
    let number = |value: Option<u32>| value.map_or("-".to_owned(), |value| value.to_string());
    let severity = format!("{:?}", diagnostic.severity).to_lowercase();
    format!("{}:{}:{} {severity} {}", diagnostic.path, number(diagnostic.line), number(diagnostic.column), diagnostic.rule)
}

pub(in crate::definition::tests) fn briefs(report: &ValidationReport) -> Vec<String> {
    report.diagnostics.iter().map(brief).collect()
}

/// One agent `a` with these further lines, and one task.
pub(in crate::definition::tests) fn with_agent(lines: &str) -> (Option<CrewDefinition>, ValidationReport) {
    pair(
        &format!("a:\n  role: R\n  goal: G\n  backstory: B\n{lines}"),
        "t:\n  description: D\n  expected_output: E\n  agent: a\n",
    )
}

/// One agent, and one task `t` with these further lines.
pub(in crate::definition::tests) fn with_task(lines: &str) -> (Option<CrewDefinition>, ValidationReport) {
    pair(
        "a:\n  role: R\n  goal: G\n  backstory: B\n",
        &format!("t:\n  description: D\n  expected_output: E\n  agent: a\n{lines}"),
    )
}

/// The pair above, and this `crew.yaml`.
pub(in crate::definition::tests) fn with_crew(text: &str) -> (Option<CrewDefinition>, ValidationReport) {
    read(&[("agents.yaml", AGENTS), ("tasks.yaml", TASKS), ("crew.yaml", text)])
}

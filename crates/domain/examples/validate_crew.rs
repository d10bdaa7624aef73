//! Another team's program: it has crews as JSON or as structs, and wants to know whether they can run.
//!
//! `cargo run -p crewd-domain --example validate_crew` checks the crews below;
//! `cargo run -p crewd-domain --example validate_crew -- crew.json` checks a file.

use std::{collections::BTreeSet, error::Error};

use crewd_domain::crews::{AgentDefinition, ContextRule, CrewDefinition, CrewTaskDefinition};
use serde_json::{Map, Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(path) = std::env::args().nth(1) {
        let crew: CrewDefinition = serde_json::from_str(&std::fs::read_to_string(path)?)?;
        report(&crew);
        return Ok(());
    }
    let crew = newsletter();
    report(&crew);
    show_inputs(&crew)?;
    report(&broken());
    Ok(())
}

/// A crew built in code: everything not named has CrewAI's default.
fn newsletter() -> CrewDefinition {
    let mut crew = CrewDefinition::new("newsletter");
    let mut reader = AgentDefinition::new("reader", "Reader of {folder}", "Find what is new", "You read every day.");
    reader.tools = vec!["directory_read".into(), "file_read".into()];
    crew.agents = vec![reader, AgentDefinition::new("writer", "Writer", "Write the newsletter", "You write briefly.")];
    let mut write = CrewTaskDefinition::new("write", "Write {count} short items.", "A list in Markdown", "writer");
    write.context = ContextRule::Only(vec!["read".into()]);
    crew.tasks = vec![CrewTaskDefinition::new("read", "Read the files in {folder}.", "What is new", "reader"), write];
    crew.inputs.insert("count".into(), json!(5));
    crew
}

/// The same crew with four slips, which are all found at once.
fn broken() -> CrewDefinition {
    let mut crew = newsletter();
    for agent in crew.agents.iter_mut().filter(|agent| agent.name == "reader") {
        agent.tools.push("FileWriterTool".into());
        agent.max_iter = 0;
    }
    for task in crew.tasks.iter_mut().filter(|task| task.name == "write") {
        task.agent = "writter".into();
        task.output_file = Some("../newsletter.md".into());
    }
    crew
}

fn report(crew: &CrewDefinition) {
    let tools: BTreeSet<String> = ["directory_read", "file_read", "file_write"].map(str::to_owned).into();
    let report = crew.validate(Some(&tools));
    println!("{}: {} errors, {} warnings", crew.name, report.error_count(), report.warning_count());
    for found in &report.diagnostics {
        println!("  {} [{}] {}", found.element, found.rule, found.message);
        if let Some(suggestion) = &found.suggestion {
            println!("    {suggestion}");
        }
    }
}

fn show_inputs(crew: &CrewDefinition) -> Result<(), Box<dyn Error>> {
    println!("inputs: {}", crew.input_schema());
    if let Err(error) = crew.render(&Map::new()) {
        println!("without inputs: {error}");
    }
    let inputs: Map<String, Value> = Map::from_iter([("folder".to_owned(), json!("inbox"))]);
    let rendered = crew.render(&inputs)?;
    for task in &rendered.tasks {
        println!("{}: {}", task.name, task.description);
    }
    println!("canonical: {} bytes", crew.canonical_json().len());
    Ok(())
}

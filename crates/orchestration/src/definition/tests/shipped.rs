//! The crews that come with crewd.

use std::path::Path;

use serde_json::json;

use super::tools;
use crate::definition::{discover, read_crew};

#[test]
fn shipped_crews_are_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/crews");
    let found = discover(&folder).unwrap();
    let names: Vec<_> = found.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["code_review", "research", "support"]);
    for source in &found.sources {
        let (crew, report) = read_crew(source, &tools());
        assert!(report.diagnostics.is_empty(), "{:#?}", report.diagnostics);
        let crew = crew.unwrap();
        assert!(crew.description.is_some() && crew.agents.len() >= 2);
        let required = &crew.input_schema()["required"];
        let expected = match source.name.as_str() {
            "research" => json!(["topic"]),
            "support" => json!(["question"]),
            _ => json!([]),
        };
        assert_eq!(required, &expected);
        if source.name == "research" {
            assert!(crew.agents.iter().all(|agent| !agent.tools.is_empty()), "both agents use tools");
        }
    }
}

use std::sync::Arc;

use crewd_application::ports::ArgumentCheck;
use crewd_application::testing::tool::{FakeTool, FakeToolSet};
use serde_json::json;

use super::ToolSchemas;

fn tools() -> FakeToolSet {
    let read = FakeTool::new("read").with_parameters(json!({
        "type": "object",
        "properties": {"path": {"type": "string"}, "lines": {"type": "integer", "minimum": 1}},
        "required": ["path"],
        "additionalProperties": false
    }));
    FakeToolSet::new().with(Arc::new(read)).with(Arc::new(FakeTool::new("web")))
}

#[test]
fn everything_wrong_with_arguments_is_said_with_its_place() {
    let schemas = ToolSchemas::compile(&tools()).unwrap();
    assert_eq!(schemas.check("read", &json!({"path": "a", "lines": 2})), Ok(()));
    let problems = schemas.check("read", &json!({"path": 1, "lines": 0, "more": true})).unwrap_err();
    for part in ["/path", "/lines", "more"] {
        assert!(problems.contains(part), "{problems}");
    }
    assert!(schemas.check("read", &json!({})).unwrap_err().contains("path"));
    assert!(schemas.check("read", &json!("text")).is_err());
    assert!(schemas.check("gone", &json!({})).is_err());
}

#[test]
fn a_model_is_not_told_more_problems_than_it_can_use() {
    let schemas = ToolSchemas::compile(&tools()).unwrap();
    let many: serde_json::Map<_, _> = (0..50).map(|index| (format!("k{index}"), json!(1))).collect();
    let problems = schemas.check("read", &json!(many)).unwrap_err();
    assert!(problems.matches("; ").count() < 10, "{problems}");
}

#[test]
fn a_schema_that_is_none_is_told_at_start() {
    let broken = FakeTool::new("broken").with_parameters(json!({"type": "nothing"}));
    let error = ToolSchemas::compile(&FakeToolSet::new().with(Arc::new(broken))).unwrap_err();
    assert!(error.contains("broken"), "{error}");
}

#[test]
fn an_offer_keeps_its_order_and_is_shared() {
    let schemas = ToolSchemas::compile(&tools()).unwrap();
    let names = ["web".to_owned(), "read".to_owned()];
    let offer = schemas.offer(&names).unwrap();
    assert_eq!(offer.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["web", "read"]);
    assert!(Arc::ptr_eq(&offer, &schemas.offer(&names).unwrap()));
    assert_eq!(schemas.offer(&["gone".to_owned()]).unwrap_err(), "gone");
    assert!(schemas.offer(&[]).unwrap().is_empty());
}

#[test]
fn what_a_person_gives_is_checked_with_its_places() {
    let schemas = ToolSchemas::compile(&tools()).unwrap();
    let places = |result: Result<(), Vec<crewd_application::error::FieldProblem>>| {
        result.unwrap_err().into_iter().map(|problem| problem.pointer).collect::<Vec<_>>()
    };
    assert_eq!(schemas.check_arguments("read", &json!({"path": "a"})), Ok(()));
    assert_eq!(places(schemas.check_arguments("read", &json!({"path": 1, "lines": 0}))), ["/path", "/lines"]);
    assert_eq!(places(schemas.check_arguments("gone", &json!({}))), [""]);
    assert_eq!(schemas.check_response(&json!({"type": "string"}), &json!("yes")), Ok(()));
    assert_eq!(places(schemas.check_response(&json!({"type": "string"}), &json!(1))), [""]);
    assert_eq!(places(schemas.check_response(&json!({"type": "nothing"}), &json!(1))), [""]);
}

use serde_json::{Value, json};

use crate::testing::{OTHER_KEY, Stage, tea};

const CREWS: &str = "/api/v1/crews";

/// The body of a `PUT` as the catalogue of the tests reads it: a definition in the first file.
fn definition(description: &str) -> Value {
    let crew = crewd_domain::crews::CrewDefinition { description: Some(description.to_owned()), ..tea() };
    json!({ "agents": serde_json::to_string(&crew).unwrap() })
}

#[tokio::test]
async fn crews_are_listed_by_name() {
    let stage = Stage::new();
    stage.catalog.put(crewd_domain::crews::CrewDefinition { name: "coffee".to_owned(), ..tea() });
    let all = stage.get(CREWS).await.expect(200).json();
    let version = all["items"][1]["version"].clone();
    let expected = json!({"name": "tea", "description": null, "version": version, "process": "sequential", "agents": ["writer"], "tasks": ["write"]});
    assert_eq!((&all["items"][0]["name"], &all["items"][1], &all["next_cursor"]), (&json!("coffee"), &expected, &json!(null)));
    let first = stage.get(&format!("{CREWS}?limit=1")).await.expect(200).json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = stage.get(&format!("{CREWS}?limit=1&cursor={cursor}")).await.expect(200).json();
    assert_eq!((&second["items"][0]["name"], &second["next_cursor"]), (&json!("tea"), &json!(null)));
    stage.get(&format!("{CREWS}?name=x")).await.expect_reason(422, "validation_failed", "unknown_filter");
    stage.get(&format!("/api/v1/tools?cursor={cursor}")).await.expect_reason(400, "bad_request", "invalid_cursor");
}

#[tokio::test]
async fn a_crew_tells_its_inputs_as_a_schema() {
    let stage = Stage::new();
    let crew = stage.get(&format!("{CREWS}/tea")).await.expect(200).json();
    assert_eq!((&crew["inputs"]["type"], &crew["inputs"]["required"]), (&json!("object"), &json!(["topic"])));
    assert_eq!((&crew["definition"]["agents"][0]["role"], &crew["problems"]), (&json!("Writer"), &json!([])));
    let version = crew["version"].as_str().unwrap();
    assert_eq!(stage.get(&format!("{CREWS}/tea?version={version}")).await.expect(200).json(), crew);
    for path in ["/nobody", "/..%2f..%2fetc", "/a%00b", "/tea?version=sha256:none"] {
        stage.get(&format!("{CREWS}{path}")).await.expect_error(404, "not_found");
    }
}

#[tokio::test]
async fn a_put_makes_the_current_version() {
    let stage = Stage::new();
    let path = format!("{CREWS}/coffee");
    let put = |body: Value| stage.send_text("PUT", &path, "application/json", body.to_string());
    let first = put(definition("one")).await.expect(201);
    assert_eq!((first.header("location"), &first.json()["description"]), (path.as_str(), &json!("one")));
    let second = put(definition("two")).await.expect(200).json();
    assert_eq!(put(definition("two")).await.expect(200).json()["version"], second["version"], "the same again changes nothing");
    assert_eq!(stage.get(&path).await.expect(200).json()["version"], second["version"]);
    let versions = stage.get(&format!("{path}/versions")).await.expect(200).json();
    let items = versions["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    let current: Vec<_> = items.iter().filter(|line| line["current"] == true).map(|line| &line["version"]).collect();
    assert_eq!(
        (current, &items[0]["source"], &items[0]["created_at"]),
        (vec![&second["version"]], &json!("api"), &json!("2026-01-01T00:00:00.000Z"))
    );
    let page = stage.get(&format!("{path}/versions?limit=1")).await.expect(200).json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = stage.get(&format!("{path}/versions?cursor={cursor}")).await.expect(200).json();
    assert_eq!((&rest["items"][0], &rest["next_cursor"]), (&items[1], &json!(null)));
    stage.get(&format!("{CREWS}/nobody/versions")).await.expect_error(404, "not_found");
}

#[tokio::test]
async fn a_wrong_definition_is_refused_with_its_problems() {
    let stage = Stage::new();
    let put = |kind: &'static str, body: &'static str| stage.send_text("PUT", "/api/v1/crews/coffee", kind, body);
    let details = put("application/json", r#"{"agents": "x: ["}"#).await.expect_error(400, "invalid_definition");
    let problem = &details["problems"][0];
    assert_eq!(
        (&problem["severity"], problem["rule"].is_string(), problem["message"].is_string()),
        (&json!("error"), true, true)
    );
    assert_eq!(details["reason"], problem["rule"]);
    put("application/yaml", "agents:\n  a: {}\ntasks:\n  t: {}\n").await.expect_error(400, "invalid_definition");
    put("application/yaml", "agents: {}\nflows: {}\n").await.expect_fields(422, "validation_failed", &["/flows"]);
    put("application/json", "{}").await.expect_fields(422, "validation_failed", &["/agents"]);
    put("text/plain", "agents: {}").await.expect_error(415, "unsupported_media_type");
    stage.get("/api/v1/crews/coffee").await.expect_error(404, "not_found");
}

#[tokio::test]
async fn a_put_is_seen_by_its_tenant_alone() {
    let stage = Stage::with_keys();
    stage.send_text("PUT", "/api/v1/crews/coffee", "application/json", definition("one").to_string()).await.expect(201);
    stage.get("/api/v1/crews/coffee").await.expect(200);
    let foreign = Stage { key: Some(OTHER_KEY), ..stage };
    foreign.get("/api/v1/crews/coffee").await.expect_error(404, "not_found");
}

#[tokio::test]
async fn a_check_keeps_nothing() {
    let stage = Stage::new();
    let path = format!("{CREWS}/validate");
    let good = stage.post(&path, &definition("one")).await.expect(200).json();
    assert_eq!(good, json!({"valid": true, "problems": []}));
    let bad = stage.post(&path, &json!({"name": "x", "files": {"agents.yaml": "x: ["}, "strict": true})).await.expect(200).json();
    assert_eq!(bad["valid"], false);
    for field in ["path", "line", "column", "rule", "severity", "message", "suggestion"] {
        assert!(bad["problems"][0].get(field).is_some(), "{field}: {bad}");
    }
    stage.post(&path, &json!({"files": {"../x": ""}})).await.expect_reason(422, "validation_failed", "invalid_filename");
    stage.get(&format!("{CREWS}/x")).await.expect_error(404, "not_found");
    stage.get(&path).await.expect_error(405, "method_not_allowed");
}

#[tokio::test]
async fn tools_and_models_are_listed() {
    let stage = Stage::new();
    let tools = stage.get("/api/v1/tools").await.expect(200).json();
    let names: Vec<_> = tools["items"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["add", "look_up"]);
    assert_eq!(
        (&tools["items"][0]["risk"], &tools["items"][0]["effect"], &tools["items"][0]["parameters"]["type"]),
        (&json!("low"), &json!("read_only"), &json!("object"))
    );
    let models = stage.get("/api/v1/models").await.expect(200).json();
    let default = models["items"].as_array().unwrap().iter().filter(|model| model["default"] == true).count();
    assert_eq!(default, 1, "{models}");
}

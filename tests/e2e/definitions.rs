//! Crews as the API shows and takes them; tools and models.

use std::time::Duration;

use crewd_tests::crews;
use crewd_tests::errors::expect_error;
use crewd_tests::fake_llm::{FakeLlm, Turn};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::{Value, json};

use crate::stage::{about, plan, stage};

const AGENTS: &str = "analyst:\n  role: Analyst\n  goal: Find what matters\n  backstory: You have read a lot.\n";
const TASKS: &str = "analysis:\n  description: Analyse {subject} for {reader}.\n  expected_output: Text.\n  agent: analyst\n";

/// One document with both parts, as `PUT` and `validate` take it.
fn yaml(agents: &str, tasks: &str) -> String {
    let indented = |text: &str| text.lines().map(|line| format!("  {line}\n")).collect::<String>();
    format!("agents:\n{}tasks:\n{}", indented(agents), indented(tasks))
}

#[test]
fn crews_are_listed_and_shown_with_their_inputs() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let list = client.get("/api/v1/crews?limit=200").await.expect(200).json();
        let names: Vec<&str> = list["items"].as_array().expect("items").iter().filter_map(|crew| crew["name"].as_str()).collect();
        assert!(names.contains(&"single") && names.contains(&"reference"), "{names:?}");
        let crew = client.get("/api/v1/crews/single").await.expect(200).json();
        assert_eq!(crew["name"], "single");
        let inputs = &crew["inputs"];
        assert_eq!(inputs["type"], "object", "the inputs as JSON Schema: {crew}");
        assert_eq!(inputs["required"], json!(["topic"]), "{crew}");
        assert!(inputs["properties"]["topic"].is_object(), "{crew}");
        expect_error(&client.get("/api/v1/crews/nobody").await, 404, "not_found");
        expect_error(&client.get("/api/v1/crews/nobody/versions").await, 404, "not_found");
    });
}

#[test]
fn lists_of_crews_page() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let mut names = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = client.get(&format!("/api/v1/crews?limit=4{cursor}")).await.expect(200).json();
            names.extend(
                page["items"].as_array().expect("items").iter().filter_map(|crew| crew["name"].as_str()).map(str::to_owned),
            );
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let mut sorted = names.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), names.len(), "none twice: {names:?}");
        assert!(names.len() >= 12, "all of them: {names:?}");
    });
}

#[test]
fn a_put_crew_can_be_run_and_has_versions() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan().model(&model).start().await;
        let client = app.client();
        model.scenario("snipe-put").always(Turn::text("put and run"));
        let put = client.send_text("PUT", "/api/v1/crews/fresh", "application/yaml", yaml(AGENTS, TASKS)).await;
        assert!([200, 201].contains(&put.status), "{}", put.text);
        let first = put.json()["version"].as_str().expect("a version").to_owned();
        assert!(first.starts_with("sha256:"), "{}", put.text);
        let done = client.run_crew("fresh", &json!({ "subject": "snipe-put", "reader": "me" })).await.expect("succeeded");
        assert_eq!(done.0["definition_version"], first);

        let same = client.send_text("PUT", "/api/v1/crews/fresh", "application/yaml", yaml(AGENTS, TASKS)).await;
        assert_eq!(same.json()["version"], first, "the same content is the same version");
        let changed = TASKS.replace("Analyse", "Examine");
        let second = client.send_text("PUT", "/api/v1/crews/fresh", "application/yaml", yaml(AGENTS, &changed)).await.json();
        assert_ne!(second["version"], first);
        let versions = client.get("/api/v1/crews/fresh/versions").await.expect(200).json();
        let listed: Vec<&Value> =
            versions["items"].as_array().expect("items").iter().map(|version| &version["version"]).collect();
        assert_eq!(listed, [&second["version"], &json!(first)], "newest first");

        let body = json!({ "crew": "fresh", "version": first, "inputs": { "subject": "snipe-put", "reader": "old" } });
        let old = client.post("/api/v1/tasks", &body).await.expect(202).json();
        assert_eq!(old["definition_version"], first, "an older version can be asked for");
        let unknown = json!({ "crew": "fresh", "version": format!("sha256:{}", "0".repeat(64)), "inputs": { "subject": "a", "reader": "b" } });
        let answer = client.post("/api/v1/tasks", &unknown).await;
        assert!([404, 422].contains(&answer.status), "{}", answer.text);
    });
}

#[test]
fn a_crew_put_as_json_is_the_same_crew() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan().model(&model).start().await;
        let client = app.client();
        let body = json!({
            "agents": { "analyst": { "role": "Analyst", "goal": "Find what matters", "backstory": "You have read a lot." } },
            "tasks": { "analysis": { "description": "Analyse {subject} for {reader}.", "expected_output": "Text.", "agent": "analyst" } },
        });
        let as_json = client.send(client.request("PUT", "/api/v1/crews/twin").json(&body)).await;
        assert!([200, 201].contains(&as_json.status), "{}", as_json.text);
        let as_yaml = client.send_text("PUT", "/api/v1/crews/twin", "application/yaml", yaml(AGENTS, TASKS)).await;
        assert_eq!(as_json.json()["version"], as_yaml.json()["version"]);
    });
}

#[test]
fn a_wrong_definition_is_refused_with_all_its_problems() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let tasks = "analysis:\n  description: Analyse.\n  agent: nobody\nsecond:\n  description: More.\n  expected_output: Text.\n  agent: analyst\n  context: [missing]\n";
        let answer = client.send_text("PUT", "/api/v1/crews/wrong", "application/yaml", yaml(AGENTS, tasks)).await;
        let body = expect_error(&answer, 400, "invalid_definition");
        let text = body["details"].to_string();
        for fact in ["expected_output", "nobody", "missing"] {
            assert!(text.contains(fact), "{fact} is not reported: {body:#}");
        }
        expect_error(&client.get("/api/v1/crews/wrong").await, 404, "not_found");
    });
}

#[test]
fn validate_reports_place_rule_and_suggestion() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let tasks =
            "analysis:\n  descripton: Analyse {x}.\n  description: Analyse {x}.\n  expected_output: Text.\n  agent: analist\n";
        let answer =
            client.send_text("POST", "/api/v1/crews/validate", "application/yaml", yaml(AGENTS, tasks)).await.expect(200);
        let report = answer.json();
        let problems = ["problems", "diagnostics", "items"]
            .iter()
            .find_map(|name| report[*name].as_array())
            .unwrap_or_else(|| panic!("{report}"));
        let about = |word: &str| {
            problems
                .iter()
                .find(|problem| problem.to_string().contains(word))
                .unwrap_or_else(|| panic!("nothing about {word}: {report:#}"))
        };
        let agent = about("analist");
        for field in ["path", "rule", "message", "severity"] {
            assert!(agent[field].as_str().is_some_and(|text| !text.is_empty()), "`{field}`: {agent}");
        }
        assert_eq!(agent["line"], 11, "{agent}");
        assert!(agent["column"].as_u64().is_some_and(|column| column > 1), "{agent}");
        assert!(agent["suggestion"].as_str().is_some_and(|text| text.contains("analyst")), "{agent}");
        assert_eq!(about("descripton")["severity"], "warning");

        let fine =
            client.send_text("POST", "/api/v1/crews/validate", "application/yaml", yaml(AGENTS, TASKS)).await.expect(200).json();
        assert!(!fine.to_string().contains("\"error\""), "{fine}");
    });
}

#[test]
fn hostile_yaml_is_refused_quickly() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let mut bomb = String::from("agents:\n  a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for level in 1..=9 {
            let refs = vec![format!("*a{}", level - 1); 9].join(",");
            bomb.push_str(&format!("  a{level}: &a{level} [{refs}]\n"));
        }
        let deep = format!("agents: {}{}", "[".repeat(10_000), "]".repeat(10_000));
        let started = std::time::Instant::now();
        let before = app.resident_kib();
        for path in ["/api/v1/crews/validate", "/api/v1/crews/bomb"] {
            let method = if path.ends_with("validate") { "POST" } else { "PUT" };
            for (hostile, rule) in [(&bomb, "yaml_limits"), (&deep, "yaml_")] {
                let answer = client.send_text(method, path, "application/yaml", hostile.clone()).await;
                if method == "PUT" {
                    expect_error(&answer, 400, "invalid_definition");
                }
                assert!([200, 400].contains(&answer.status) && answer.text.contains(rule), "{method}: {}", answer.text);
            }
        }
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        assert!(app.resident_kib() < before + 60_000, "memory: {before} -> {} KiB", app.resident_kib());
        let large = yaml(&AGENTS.replace("a lot", &"a lot ".repeat(50_000)), TASKS);
        let answer = client.send_text("PUT", "/api/v1/crews/large", "application/yaml", large).await;
        assert!([400, 413].contains(&answer.status), "{}", answer.text);
    });
}

#[test]
fn names_that_are_no_names_are_refused() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        for name in ["..%2f..%2fetc", "%2e%2e", "a%00b", "a%0Ab", "has%20space%2fslash", &"n".repeat(300)] {
            let answer = client.send_text("PUT", &format!("/api/v1/crews/{name}"), "application/yaml", yaml(AGENTS, TASKS)).await;
            assert!((400..500).contains(&answer.status), "{name}: {} {}", answer.status, answer.text);
        }
        let traversal = format!("{TASKS}  output_file: ../../outside.txt\n");
        let answer = client.send_text("PUT", "/api/v1/crews/outside", "application/yaml", yaml(AGENTS, &traversal)).await;
        expect_error(&answer, 400, "invalid_definition");
    });
}

#[test]
fn tools_and_models_are_listed() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let tools = client.get("/api/v1/tools").await.expect(200).json();
        let items = tools["items"].as_array().expect("items");
        for name in ["file_read", "file_write", "directory_read"] {
            let tool = items.iter().find(|tool| tool["name"] == name).unwrap_or_else(|| panic!("{name}: {tools:#}"));
            assert!(tool["description"].as_str().is_some_and(|text| !text.is_empty()), "{tool}");
            assert!(tool["risk"].is_string() && tool["effect"].is_string(), "risk and effect are said: {tool}");
            assert!(tool["parameters"]["type"] == "object", "{tool}");
        }
        let models = client.get("/api/v1/models").await.expect(200).json();
        assert!(models["items"].as_array().is_some_and(|items| !items.is_empty()), "{models}");
        assert!(models.to_string().contains("fake-model"), "{models}");
    });
}

#[test]
fn a_changed_file_is_a_new_version_without_a_restart() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan().model(&model).crew(&crews::single("moving")).start().await;
        let client = app.client();
        let version = async || client.get("/api/v1/crews/moving").await.json()["version"].as_str().map(str::to_owned);
        let first = version().await.expect("a version");
        let mut changed = crews::single("moving");
        changed.tasks = changed.tasks.replace("Analyse", "Inspect closely");
        app.home().add_crew(&changed);
        eventually("the new version is seen", SOON, async || version().await.filter(|now| *now != first)).await;
        let scenario = model.scenario("snipe-moving");
        client.run_crew("moving", &about("snipe-moving")).await.expect("succeeded");
        assert!(scenario.requests()[0].chat.text().contains("Inspect closely"));

        changed.tasks = "analysis: [broken".to_owned();
        app.home().add_crew(&changed);
        app.home().add_crew(&crews::single("newcomer"));
        eventually("the new crew is seen", SOON, async || {
            (client.get("/api/v1/crews/newcomer").await.status == 200).then_some(())
        })
        .await;
        client.run_crew("moving", &about("snipe-moving, after a broken edit")).await.expect("succeeded");
    });
}

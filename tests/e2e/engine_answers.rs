//! From model text to answers: context between crew tasks, JSON, files, and models without native tools.

use crewd_tests::fake_llm::Turn;
use crewd_tests::runtime::run;
use serde_json::json;

use crate::stage::{about, kinds, stage, whole_log};

#[test]
fn context_is_unset_empty_or_a_list() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("pipit-context");
        scenario
            .then(Turn::text("ANSWER-ONE"))
            .then(Turn::text("ANSWER-TWO"))
            .then(Turn::text("ANSWER-THREE"))
            .then(Turn::text("ANSWER-FOUR"));
        let task = client.run_crew("contexts", &about("pipit-context")).await.expect("succeeded");
        let prompts: Vec<String> = scenario.requests().iter().map(|request| request.chat.last_user()).collect();
        assert_eq!(prompts.len(), 4);
        assert!(!prompts[1].contains("ANSWER-ONE"), "`context: []` sees nothing: {}", prompts[1]);
        assert!(
            prompts[2].contains("ANSWER-ONE") && prompts[2].contains("ANSWER-TWO"),
            "unset sees all before it: {}",
            prompts[2]
        );
        assert!(prompts[2].find("ANSWER-ONE") < prompts[2].find("ANSWER-TWO"), "in order");
        assert!(
            prompts[3].contains("ANSWER-ONE") && !prompts[3].contains("ANSWER-TWO") && !prompts[3].contains("ANSWER-THREE"),
            "a list sees only those: {}",
            prompts[3]
        );
        assert_eq!(task.raw(), "ANSWER-FOUR", "the crew's answer is the last one");
        let outputs: Vec<&str> =
            task.0["output"]["tasks"].as_array().into_iter().flatten().filter_map(|output| output["raw"].as_str()).collect();
        assert_eq!(outputs, ["ANSWER-ONE", "ANSWER-TWO", "ANSWER-THREE", "ANSWER-FOUR"]);
    });
}

#[test]
fn values_of_placeholders_are_never_read_again() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("pipit-once");
        let inputs = json!({ "topic": "pipit-once {secret} {{topic}}", "secret": "REVEALED", "flag": true });
        client.run_crew("single", &inputs).await.expect("succeeded");
        let prompt = scenario.requests()[0].chat.text();
        assert!(prompt.contains("pipit-once {secret} {{topic}}"), "{prompt}");
        assert!(!prompt.contains("REVEALED"), "{prompt}");
    });
}

#[test]
fn values_read_as_python_writes_them() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("pipit-python");
        let inputs = json!({ "topic": ["pipit-python", 1, true, null, { "k": 1.5 }] });
        client.run_crew("single", &inputs).await.expect("succeeded");
        let prompt = scenario.requests()[0].chat.text();
        assert!(prompt.contains("Analyse ['pipit-python', 1, True, None, {'k': 1.5}]."), "{prompt}");
    });
}

#[test]
fn json_answers_are_checked_and_repaired_within_bounds() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let fine = model.scenario("pipit-json");
        fine.always(Turn::text("```json\n{\"title\": \"Moon\", \"count\": 2}\n```"));
        let task = client.run_crew("structured", &about("pipit-json")).await.expect("succeeded");
        assert_eq!(task.0["output"]["json"], json!({ "title": "Moon", "count": 2 }), "{}", task.0);
        let request = fine.requests()[0].chat.0.to_string();
        assert!(request.contains("title") && request.contains("count"), "the model is told the schema: {request}");

        let mended = model.scenario("pipit-mend");
        mended.then(Turn::text("{\"title\": \"Moon\"}")).always(Turn::text("{\"title\": \"Moon\", \"count\": 3}"));
        let task = client.run_crew("structured", &about("pipit-mend")).await.expect("succeeded");
        assert_eq!(task.0["output"]["json"]["count"], 3);
        assert_eq!(mended.count(), 2);
        assert!(
            mended.requests()[1].chat.text().contains("count"),
            "the repair says what is missing: {}",
            mended.requests()[1].chat.text()
        );

        let hopeless = model.scenario("pipit-hopeless");
        hopeless.always(Turn::text("I would rather write a poem."));
        let task = client.run_crew("structured", &about("pipit-hopeless")).await.expect("failed");
        assert!(!task.error_code().is_empty() && !task.error_class().is_empty(), "{}", task.0);
        assert!(hopeless.count() <= 12, "bounded: {}", hopeless.count());
        let log = whole_log(&client, task.id()).await;
        assert!(
            log.iter().any(|event| event["type"] == "llm.completed" && event["data"].to_string().contains("poem")),
            "what came is kept in the log"
        );
    });
}

#[test]
fn an_answer_goes_to_its_file_inside_the_run() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("pipit-file").always(Turn::text("# A report"));
        let inputs = json!({ "topic": "pipit-file", "name": "pipit-report" });
        client.run_crew("to_file", &inputs).await.expect("succeeded");
        let found = app.home().find("pipit-report.md");
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with(app.home().data()) && found[0].parent().is_some_and(|parent| parent.ends_with("reports")),
            "{found:?}"
        );
        assert_eq!(std::fs::read_to_string(&found[0]).unwrap_or_default().trim(), "# A report");
    });
}

#[test]
fn an_answers_file_cannot_leave_the_run() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        for (index, name) in
            ["../../../pipit-evil", "/pipit-evil", "..\\..\\pipit-evil", "~/pipit-evil", "$HOME/pipit-evil", "a\u{0}pipit-evil"]
                .into_iter()
                .enumerate()
        {
            let marker = format!("pipit-escape{index}");
            model.scenario(&marker).always(Turn::text("evil"));
            let body = json!({ "crew": "to_file", "inputs": { "topic": marker, "name": name } });
            let answer = client.post("/api/v1/tasks", &body).await;
            if answer.status == 202 {
                let task = client.wait_terminal(answer.json()["id"].as_str().unwrap_or_default()).await;
                // A tilde or a dollar sign is only a name where it does not stand first: no shell reads it.
                let harmless = name.starts_with(['~', '$']) && task.status() == "succeeded";
                assert!(harmless || task.status() == "failed" && task.error_class() == "user_error", "{name:?}: {}", task.0);
            } else {
                assert_eq!(answer.status, 422, "{name:?}: {}", answer.text);
            }
            let escaped: Vec<_> =
                app.home().find("pipit-evil.md").into_iter().filter(|path| !path.starts_with(app.home().data())).collect();
            assert!(escaped.is_empty(), "{name:?} escaped: {escaped:?}");
        }
    });
}

#[test]
fn a_model_without_native_tools_works_in_text() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("pipit-text");
        scenario
            .then(Turn::text("Thought: I should look.\nAction: directory_read\nAction Input: {}\nObservation: invented files\nFinal Answer: invented"))
            .always(Turn::text("Thought: I know it now.\nFinal Answer: There is facts.txt."));
        let task = client.run_crew("text_only", &about("pipit-text")).await.expect("succeeded");
        assert_eq!(task.raw(), "There is facts.txt.");
        assert_eq!(task.0["usage"]["tool_calls"], 1, "the action was executed, not believed: {}", task.0);
        let requests = scenario.requests();
        assert_eq!(requests[0].chat.model(), "text-model");
        assert!(requests[0].chat.tools().is_empty(), "tools are described in the prompt instead");
        assert!(requests[0].chat.text().contains("directory_read"), "{}", requests[0].chat.text());
        let second = requests[1].chat.text();
        assert!(second.contains("facts.txt"), "the real observation came back: {second}");
        assert!(!second.contains("invented files"), "what follows the action is cut off: {second}");
    });
}

#[test]
fn an_unexecuted_action_is_never_an_answer() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("pipit-refuse");
        scenario
            .then(Turn::text("Action: no_such_tool\nAction Input: {}"))
            .then(Turn::text("Action: directory_read\nAction Input: this is not json {"))
            .always(Turn::text("Final Answer: At last."));
        let task = client.run_crew("text_only", &about("pipit-refuse")).await.expect("succeeded");
        assert_eq!(task.raw(), "At last.");
        assert_eq!(scenario.count(), 3);

        let stubborn = model.scenario("pipit-stubborn");
        stubborn.always(Turn::text("Action: no_such_tool\nAction Input: {}"));
        let task = client.run_crew("text_only", &about("pipit-stubborn")).await;
        assert!(["failed", "incomplete"].contains(&task.status()), "{}", task.0);
        assert!(!task.raw().contains("Action:"), "never accepted as the answer: {}", task.0);
        assert!(stubborn.count() <= 30, "bounded: {}", stubborn.count());
        let log = whole_log(&client, task.id()).await;
        assert!(!kinds(&log).contains(&"task.succeeded"));
    });
}

use std::sync::Arc;
use std::time::Duration;

use crewd_application::ports::{
    CallLabels, FinishReason, LanguageModel, Message, ModelDelta, ModelErrorKind, ModelRequest, ModelResponse, ResponseFormat,
    Role, ToolChoice,
};
use crewd_application::testing::llm::{collect, run_suite, simple_request};
use crewd_domain::tools::{EffectClass, RiskLevel, ToolDescriptor};
use futures::StreamExt;
use serde_json::{Value, json};

use super::OfflineModel;

fn tool(name: &str, parameters: Value) -> ToolDescriptor {
    let description = "A tool.".to_owned();
    ToolDescriptor {
        name: name.to_owned(),
        description,
        parameters,
        risk: RiskLevel::Low,
        effect: EffectClass::ReadOnly,
        reconciles: false,
    }
}

fn directory_read() -> ToolDescriptor {
    tool(
        "directory_read",
        json!({"type": "object", "properties": {
        "path": {"type": "string", "default": "."}, "depth": {"type": "integer", "default": 2}}}),
    )
}

fn file_read() -> ToolDescriptor {
    tool(
        "file_read",
        json!({"type": "object", "properties": {
        "path": {"type": "string"}, "offset": {"type": "integer"}}, "required": ["path"]}),
    )
}

fn file_write() -> ToolDescriptor {
    tool(
        "file_write",
        json!({"type": "object", "properties": {
        "path": {"type": "string"}, "content": {"type": "string"}}, "required": ["path", "content"]}),
    )
}

fn request(task: &str, expected: &str, tools: Vec<ToolDescriptor>) -> ModelRequest {
    let labels = CallLabels {
        tenant: None,
        agent: "writer".to_owned(),
        task_description: task.to_owned(),
        expected_output: expected.to_owned(),
    };
    ModelRequest { labels: Arc::new(labels), tools: tools.into(), ..simple_request(task) }
}

async fn ask(request: &ModelRequest) -> ModelResponse {
    collect(OfflineModel::new(Duration::ZERO).call(request.clone())).await.1.expect("an answer")
}

async fn text(task: &str, expected: &str) -> String {
    ask(&request(task, expected, Vec::new())).await.text
}

/// Goes on with the conversation as the engine does: `result` is what each called tool returns.
fn take(request: &mut ModelRequest, response: ModelResponse, result: impl Fn(&str) -> String) {
    let calls = response.tool_calls;
    request.messages.push(Message { tool_calls: calls.clone(), ..Message::text(Role::Assistant, response.text) });
    request.messages.extend(calls.into_iter().map(|call| Message::tool_result(call.id, result(&call.name))));
}

fn arguments(response: &ModelResponse, at: usize) -> Value {
    serde_json::from_str(&response.tool_calls[at].arguments).expect("JSON")
}

#[tokio::test]
async fn the_offline_model_keeps_the_promises_of_the_port() {
    run_suite(&OfflineModel::new(Duration::ZERO), || 0).await;
    run_suite(&OfflineModel::new(Duration::from_micros(1)), || 0).await;
}

#[test]
fn no_pace_needs_no_timer() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without timers");
    let items = runtime.block_on(OfflineModel::new(Duration::ZERO).call(simple_request("Say hello.")).collect::<Vec<_>>());
    assert!(items.len() > 5);
}

#[tokio::test]
async fn a_paced_answer_waits_and_keeps_to_the_time_limit() {
    let mut answer = OfflineModel::new(Duration::from_millis(1)).call(simple_request("Say hello."));
    assert!(futures::poll!(answer.next()).is_pending(), "a piece takes its time");
    assert!(matches!(answer.next().await, Some(Ok(ModelDelta::Text(_)))));
    let hurried = ModelRequest { time_limit: Duration::ZERO, ..simple_request("Say hello.") };
    let error = collect(OfflineModel::new(Duration::from_millis(1)).call(hurried)).await.1.expect_err("a time-out");
    assert_eq!(error.kind, ModelErrorKind::Timeout);
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer() {
    let asked = request("Explain tides.", "Two paragraphs", Vec::new());
    assert_eq!(ask(&asked).await, ask(&asked).await);
    let other = request("Explain the moon.", "Two paragraphs", Vec::new());
    assert_ne!(ask(&asked).await.text, ask(&other).await.text);
}

#[tokio::test]
async fn each_tool_is_called_once_and_quoted() {
    let task = "Look with `directory_read` for notes about Rust, then save a report as `report.md`.";
    let mut asked = request(task, "Three bullet points", vec![file_write(), file_read(), directory_read()]);
    let listing = "The folder `.`:\nsrc/main.rs (12 bytes)\nideas.md (30 bytes)";

    let look = ask(&asked).await;
    assert_eq!((look.finish_reason, look.tool_calls.len()), (FinishReason::ToolCalls, 1));
    assert_eq!((look.tool_calls[0].name.as_str(), arguments(&look, 0)), ("directory_read", json!({"path": "."})));
    take(&mut asked, look, |_| listing.to_owned());

    let read = ask(&asked).await;
    assert_eq!((read.tool_calls[0].name.as_str(), arguments(&read, 0)), ("file_read", json!({"path": "ideas.md"})));
    take(&mut asked, read, |_| "# Ideas\nOwnership first.".to_owned());

    let write = ask(&asked).await;
    let written = arguments(&write, 0);
    assert_eq!((write.tool_calls[0].name.as_str(), &written["path"]), ("file_write", &json!("report.md")));
    assert!(written["content"].as_str().is_some_and(|content| content.contains("Ownership first.") && content.contains("Rust")));
    take(&mut asked, write, |_| "Wrote 30 bytes to `report.md`.".to_owned());

    let answer = ask(&asked).await;
    assert_eq!((answer.finish_reason, answer.tool_calls.len()), (FinishReason::Stop, 0));
    for word in ["`directory_read`", "`file_read`", "Ownership first.", "`file_write`", "Wrote 30 bytes", "offline model"] {
        assert!(answer.text.contains(word), "{word} is not in {}", answer.text);
    }
    assert_eq!(answer.text.lines().filter(|line| line.starts_with("- ")).count(), 3, "{}", answer.text);
}

#[tokio::test]
async fn independent_tools_are_called_in_one_turn() {
    let query = |name| tool(name, json!({"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}));
    let response =
        ask(&request("Compare tea and coffee in Norway", "A table", vec![query("search_web"), query("search_wiki")])).await;
    assert_eq!(response.tool_calls.len(), 2);
    assert_ne!(response.tool_calls[0].id, response.tool_calls[1].id);
    assert_eq!(arguments(&response, 0), json!({"query": "Compare coffee Norway"}));
}

#[tokio::test]
async fn without_leave_to_call_tools_it_answers() {
    let asked = ModelRequest { tool_choice: ToolChoice::None, ..request("Explain tides.", "One sentence", vec![file_read()]) };
    let response = ask(&asked).await;
    assert!(response.tool_calls.is_empty() && response.text.contains("Explain tides"), "{}", response.text);
}

#[tokio::test]
async fn a_file_that_nobody_named_gets_a_name() {
    let response = ask(&request("Write about Norwegian tides", "", vec![file_write()])).await;
    assert_eq!(arguments(&response, 0)["path"], "notes/norwegian-tides.md");
    let response = ask(&request("Explain tides", "", vec![file_read()])).await;
    assert_eq!(arguments(&response, 0)["path"], "notes.md");
}

#[tokio::test]
async fn answers_have_the_expected_shape() {
    let task = "Find out what a newcomer should know about Rust.";
    let bullets = text(task, "Five to eight findings as a list.").await;
    assert_eq!(bullets.lines().filter(|line| line.starts_with("- ")).count(), 5, "{bullets}");
    let numbered = text(task, "A numbered list of 4 steps").await;
    assert!(numbered.starts_with("1. ") && numbered.contains("\n4. ") && !numbered.contains("\n5. "), "{numbered}");
    let table = text(task, "A markdown table with 6 rows").await;
    assert_eq!(table.lines().filter(|line| line.starts_with('|')).count(), 8, "{table}");
    let paragraphs = text(task, "Three paragraphs").await;
    assert_eq!(paragraphs.split("\n\n").count(), 4, "three and the note: {paragraphs}");
    let sentence = text(task, "One sentence").await;
    assert!(sentence.starts_with("This answers the task “Find out what a newcomer should know about Rust”."), "{sentence}");
    for answer in [bullets, numbered, table, paragraphs, sentence] {
        assert!(answer.contains("Find out what a newcomer should know about Rust"), "{answer}");
        assert!(answer.ends_with("_(offline model: simulated answer)_"), "{answer}");
    }
}

#[tokio::test]
async fn reports_have_a_title_their_headings_and_their_length() {
    let expected =
        "A report in Markdown of 300 to 500 words: a title, two or three sections, and a last section \"What to read next\".";
    let report = text("Write a report about Rust from the findings.", expected).await;
    assert!(report.starts_with("# Write a report about Rust from the findings\n"), "{report}");
    assert_eq!(report.lines().filter(|line| line.starts_with("## ")).count(), 3, "{report}");
    assert!(report.contains("\n## What to read next\n"), "{report}");
    let words = report.split_whitespace().count();
    assert!((300..=500).contains(&words), "{words} words: {report}");
}

#[tokio::test]
async fn chinese_is_answered_in_chinese() {
    let task = "先查看知识库，再回答客户关于登录失败的问题。";
    let steps = text(task, "200 字以内：一句问候，三到五个编号步骤").await;
    assert!(steps.starts_with("1. 以下回答任务“先查看知识库，再回答客户关于登录失败的问题”。"), "{steps}");
    assert!(steps.contains("\n3. ") && !steps.contains("\n4. "), "{steps}");
    assert!(steps.ends_with("_（离线模型：模拟回答）_") && steps.chars().count() <= 200, "{steps}");
    let paragraphs = text(task, "写 3 段").await;
    assert_eq!(paragraphs.split("\n\n").count(), 4, "{paragraphs}");
    let report = text(task, "一份 Markdown 报告，包含两个小节和“后续步骤”").await;
    assert!(report.starts_with("# ") && report.contains("\n## 后续步骤\n"), "{report}");
    let (pieces, _) = collect(OfflineModel::new(Duration::ZERO).call(request(task, "写 3 段", Vec::new()))).await;
    let short = |piece: &ModelDelta| matches!(piece, ModelDelta::Text(text) if text.chars().count() <= 2 || text.is_ascii());
    assert!(pieces.iter().all(short), "{pieces:?}");
}

#[tokio::test]
async fn json_is_json_and_nothing_else() {
    let answer = text("Describe Oslo.", "A JSON object with name, country and tags.").await;
    let value: Value = serde_json::from_str(&answer).expect("JSON");
    for field in ["name", "country", "tags", "note"] {
        assert!(value.get(field).is_some(), "{value}");
    }
    let answer = text("判断类别和紧急程度。", "一个 JSON 对象，包含 category 和 urgency 两个字段").await;
    let value: Value = serde_json::from_str(&answer).expect("JSON");
    assert!(value["category"].is_string() && value["urgency"].as_str().is_some_and(|text| text.contains("离线模型")), "{value}");
}

#[tokio::test]
async fn a_schema_is_fitted_wherever_it_is_given() {
    let schema = json!({"type": "object", "properties": {
        "category": {"type": "string", "enum": ["账号", "付款"]}, "summary": {"type": "string"}, "missing": {"type": "array", "items": {"type": "string"}}},
        "required": ["category", "summary", "missing"], "additionalProperties": false});
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let format = ResponseFormat { name: "ticket".to_owned(), schema: schema.clone() };
    let by_format = ModelRequest { response_format: Some(format), ..request("判断类别", "一个 JSON 对象", Vec::new()) };
    let mut in_text = request("判断类别", "一个 JSON 对象", Vec::new());
    in_text.messages =
        vec![Message::text(Role::User, format!("判断类别\n\nIt must fit this JSON Schema:\n{schema}\n\nEarlier: {{}}"))];
    for asked in [by_format, in_text] {
        let answer = ask(&asked).await.text;
        let value: Value = serde_json::from_str(&answer).expect("JSON");
        assert!(validator.is_valid(&value), "{value}");
    }
}

#[test]
fn instances_fit_their_schemas() {
    let schemas = [
        json!({"type": "object"}),
        json!({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "integer", "minimum": 7}}}),
        json!({"type": "object", "properties": {"n": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}}, "required": ["n"]}),
        json!({"type": "object", "properties": {"n": {"type": "integer", "multipleOf": 5, "minimum": 11, "maximum": 18}}, "required": ["n"]}),
        json!({"type": "object", "properties": {"n": {"type": "number", "maximum": -2.5}}, "required": ["n"]}),
        json!({"type": "object", "properties": {"s": {"type": "string", "minLength": 200, "maxLength": 210}, "t": {"type": "string", "maxLength": 3}}, "required": ["s", "t"]}),
        json!({"type": "array", "minItems": 3, "uniqueItems": true, "items": {"enum": ["x", "y", "z"]}}),
        json!({"type": "array", "maxItems": 0, "items": {"type": "string"}}),
        json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2, "items": false}),
        json!({"anyOf": [{"type": "null"}, {"type": "object", "properties": {"b": {"type": "boolean"}}, "required": ["b"]}]}),
        json!({"allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"properties": {"b": {"const": 4}}, "required": ["b"]}]}),
        json!({"type": ["null", "object"], "properties": {"d": {"type": "string", "format": "date"}}, "required": ["d", "undeclared"]}),
        json!({"type": "object", "properties": {"deep": {"$ref": "#"}}}),
        json!({"type": "object", "properties": {"code": {"type": "string", "pattern": "^[A-Z]{2}$", "examples": ["NO"]}}, "required": ["code"]}),
        json!(true),
        json!({}),
    ];
    let brief = super::brief::Brief::of(&request("Explain tides.", "", Vec::new()));
    for schema in schemas {
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        for purpose in [super::instance::Purpose::Arguments, super::instance::Purpose::Answer] {
            let made = super::instance::Maker { root: &schema, brief: &brief, purpose, tool: "t" }.make();
            assert!(validator.is_valid(&made), "{made} does not fit {schema}");
        }
    }
}

#[tokio::test]
async fn tools_in_the_prompt_are_called_in_text() {
    let system = "You can use these tools:\n\n- directory_read: Lists files.\n  Arguments (JSON Schema): {\"type\":\"object\",\
        \"properties\":{\"path\":{\"type\":\"string\"}}}\n- search: Finds: all.\n  Arguments (JSON Schema): {\"type\":\"object\",\
        \"properties\":{\"query\":{\"type\":\"string\"}},\"required\":[\"query\"]}\n\nWrite:\nAction: the tool's name\nAction Input: JSON";
    let mut asked = request("Explain the Norwegian tides.", "One sentence", Vec::new());
    asked.messages.insert(0, Message::text(Role::System, system));
    let first = ask(&asked).await.text;
    assert!(first.ends_with("Action: directory_read\nAction Input: {\"path\":\".\"}"), "{first}");
    asked.messages.push(Message::text(Role::Assistant, first));
    asked.messages.push(Message::text(Role::User, "Observation: ideas.md (3 bytes)"));
    let second = ask(&asked).await.text;
    assert!(second.ends_with("Action: search\nAction Input: {\"query\":\"Explain Norwegian tides\"}"), "{second}");
    asked.messages.push(Message::text(Role::Assistant, second));
    asked.messages.push(Message::text(Role::User, "Observation: two a day"));
    let last = ask(&asked).await.text;
    assert!(last.starts_with("Thought: I know the answer\nFinal Answer: This answers the task"), "{last}");
    assert!(last.contains("“ideas.md (3 bytes)”") && last.contains("“two a day”") && !last.contains("Action:"), "{last}");
    let forced = ModelRequest { tool_choice: ToolChoice::None, ..asked };
    assert!(ask(&forced).await.text.starts_with("This answers"));
}

#[tokio::test]
async fn words_about_actions_in_a_task_call_nothing() {
    let answer = text("Action: explain\nAction Input: what this means", "Two bullet points").await;
    assert!(answer.starts_with("- This answers the task “Action explain Action Input what this means”."), "{answer}");
}

#[tokio::test]
async fn usage_is_counted_and_marked_as_an_estimate() {
    let response = ask(&request("12345678", "One sentence", Vec::new())).await;
    assert_eq!(response.usage.input_tokens, 6);
    assert!(response.usage.output_tokens > 5 && response.usage_estimated && response.simulated);
    assert_eq!(response.model, "offline");
}

#[tokio::test]
async fn an_empty_request_is_answered() {
    let empty = ModelRequest { messages: Vec::new(), ..simple_request("") };
    assert!(!ask(&empty).await.text.is_empty());
}

//! What goes over the wire to a well-behaved provider, and how its odder answers are read.

use crewd_tests::fake_llm::{Call, Turn};
use crewd_tests::runtime::run;
use serde_json::json;

use crate::stage::{about, kinds, stage, whole_log};

#[test]
fn a_request_has_model_key_messages_and_asks_for_usage() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("linnet-request");
        client.run_crew("single", &about("linnet-request")).await.expect("succeeded");
        let request = &scenario.requests()[0];
        assert_eq!(request.header("authorization"), Some("Bearer sk-test-provider-key"));
        assert_eq!(request.chat.model(), "fake-model");
        assert!(request.chat.is_stream(), "streaming is the default");
        assert_eq!(request.chat.0["stream_options"]["include_usage"], true);
        assert!(request.chat.tools().is_empty(), "no tools, no `tools`: {}", request.chat.0);
        assert!(
            request.chat.0.get("tools").is_none_or(|tools| !tools.as_array().is_some_and(Vec::is_empty)),
            "an empty list is refused by some"
        );
        let prompt = request.chat.text();
        for fact in ["Analyst", "Find what matters", "You have read a lot.", "Analyse linnet-request.", "One short paragraph."] {
            assert!(prompt.contains(fact), "{fact} is not in the prompt: {prompt}");
        }
        assert!(!prompt.contains("{topic}"), "{prompt}");
    });
}

#[test]
fn an_agents_own_model_is_asked() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("linnet-model");
        client.run_crew("named_model", &about("linnet-model")).await.expect("succeeded");
        assert_eq!(scenario.requests()[0].chat.model(), "another-model");
    });
}

#[test]
fn without_a_stream_the_answer_is_the_same() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("linnet-unary");
        scenario.always(Turn::text("in one piece").usage(9, 3));
        let task = client.run_crew("unary", &about("linnet-unary")).await.expect("succeeded");
        assert!(!scenario.requests()[0].chat.is_stream());
        assert_eq!(task.raw(), "in one piece");
        assert_eq!(task.0["usage"]["input_tokens"], 9);
        assert_eq!(task.0["usage"]["output_tokens"], 3);
    });
}

#[test]
fn missing_usage_is_estimated_not_zero() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        for crew in ["single", "unary"] {
            let marker = format!("linnet-usage-{crew}");
            model.scenario(&marker).always(Turn::text("several words of an answer").without_usage());
            let task = client.run_crew(crew, &about(&marker)).await.expect("succeeded");
            assert!(task.0["usage"]["input_tokens"].as_u64() > Some(0), "{}", task.0["usage"]);
            assert!(task.0["usage"]["output_tokens"].as_u64() > Some(0), "{}", task.0["usage"]);
        }
    });
}

/// Runs a task whose model thinks aloud; the thought must be no part of the answer.
async fn thinks_aloud(marker: &str, turn: Turn) {
    let (app, model) = stage().await;
    let client = app.client();
    model.scenario(marker).always(turn);
    let task = client.run_crew("single", &about(marker)).await.expect("succeeded");
    assert_eq!(task.raw(), "The answer.");
    let log = whole_log(&client, task.id()).await;
    let deltas = log.iter().filter(|event| event["type"] == "llm.delta");
    let joined = |field: &str| deltas.clone().filter_map(|event| event["data"][field].as_str()).collect::<String>();
    assert_eq!(joined("text"), "The answer.");
    assert!(joined("reasoning").contains("Let me think."));
}

#[test]
fn reasoning_is_shown_apart_and_is_no_answer() {
    run(thinks_aloud("linnet-field", Turn::text("The answer.").reasoning("Let me think.")));
}

#[test]
fn thinking_in_tags_is_reasoning_too() {
    run(thinks_aloud("linnet-tag", Turn::pieces(["<thi", "nk>Let me think.</th", "ink>The answer."])));
}

#[test]
fn a_second_finish_is_ignored() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("linnet-twice").always(Turn::text("once").duplicate_finish());
        let task = client.run_crew("single", &about("linnet-twice")).await.expect("succeeded");
        assert_eq!(task.raw(), "once");
        assert_eq!(task.0["usage"]["llm_calls"], 1);
    });
}

#[test]
fn text_in_any_script_survives_the_way() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let text = "小红书笔记 — «été» 👩‍🚀 \u{202e}abc \" \\ \n tab\t";
        model.scenario("linnet-text").always(Turn::text(text));
        let task = client.run_crew("single", &about("linnet-text 你好")).await.expect("succeeded");
        assert_eq!(task.raw().trim(), text.trim());
        assert_eq!(task.0["inputs"]["topic"], "linnet-text 你好");
    });
}

#[test]
fn tool_calls_in_fragments_are_put_together() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("linnet-fragments");
        let calls = [
            Call::tool("directory_read", json!({})).id("call_a"),
            Call::tool("file_read", json!({ "path": "facts.txt" })).id("call_b"),
        ];
        scenario.then(Turn::calls(calls).and_text("I look it up. ")).always(Turn::text("Looked up."));
        let task = client.run_crew("readers", &about("linnet-fragments")).await.expect("succeeded");
        assert_eq!(task.raw(), "Looked up.");
        let second = &scenario.requests()[1].chat;
        let assistant =
            second.messages().iter().find(|message| message["role"] == "assistant").expect("the assistant's turn is repeated");
        assert_eq!(assistant["tool_calls"].as_array().map(Vec::len), Some(2), "{assistant}");
        let ids: Vec<&str> = second.messages().iter().filter_map(|message| message["tool_call_id"].as_str()).collect();
        assert_eq!(ids, ["call_a", "call_b"], "each result names its call, in order");
        let log = whole_log(&client, task.id()).await;
        assert!(kinds(&log).iter().filter(|kind| **kind == "tool.completed").count() == 2, "{:?}", kinds(&log));
    });
}

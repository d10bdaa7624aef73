//! The fake model itself: what it sends is what a real one sends.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Call, FakeLlm, Fault, Gate, Turn};
use crate::runtime::{SOON, eventually, run, within};

fn body(marker: &str, stream: bool) -> Value {
    json!({
        "model": "m", "stream": stream, "messages": [{ "role": "user", "content": marker }],
        "tools": [{ "type": "function", "function": { "name": "look", "parameters": {
            "type": "object", "required": ["path"], "properties": { "path": { "type": "string" } } } } }],
    })
}

async fn post(model: &FakeLlm, body: &Value) -> reqwest::Result<reqwest::Response> {
    crate::client::http::plain_http().post(format!("{}/chat/completions", model.base_url())).json(body).send().await
}

fn chunks(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).expect("JSON"))
        .collect()
}

#[test]
fn fragments_of_calls_join_to_json() {
    run(async {
        let model = FakeLlm::start().await;
        model.scenario("a").then(Turn::calls([Call::tool("look", json!({})), Call::text("other", "{\"x\": [1, 2]}")]));
        let text = post(&model, &body("a", true)).await.expect("an answer").text().await.expect("a body");
        assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
        let mut arguments = [String::new(), String::new()];
        for call in chunks(&text).iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0].as_object().cloned()) {
            let index = call["index"].as_u64().expect("an index") as usize;
            arguments[index].push_str(call["function"]["arguments"].as_str().unwrap_or_default());
        }
        assert_eq!(arguments[0], "{\"path\":\".\"}", "made up from the schema");
        assert_eq!(arguments[1], "{\"x\": [1, 2]}");
        assert_eq!(chunks(&text).iter().filter(|chunk| chunk["choices"][0]["finish_reason"] == "tool_calls").count(), 1);
        assert_eq!(chunks(&text).last().expect("chunks")["usage"]["total_tokens"], 17);
    });
}

#[test]
fn by_default_it_calls_a_tool_once_and_then_answers() {
    run(async {
        let model = FakeLlm::start().await;
        let mut asked = body("nothing scripted", false);
        let first: Value = post(&model, &asked).await.expect("an answer").json().await.expect("JSON");
        assert_eq!(first["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "look");
        asked["messages"]
            .as_array_mut()
            .expect("messages")
            .push(json!({ "role": "tool", "tool_call_id": "x", "content": "seen" }));
        let second: Value = post(&model, &asked).await.expect("an answer").json().await.expect("JSON");
        assert!(second["choices"][0]["message"]["content"].as_str().is_some_and(|text| text.contains("answer")));
        assert_eq!(model.requests().len(), 2);
    });
}

#[test]
fn a_cut_breaks_the_connection_after_the_text() {
    run(async {
        let model = FakeLlm::start().await;
        model.scenario("cut").always(Fault::Cut("half"));
        let mut response = post(&model, &body("cut", true)).await.expect("headers");
        let mut text = Vec::new();
        let broke = loop {
            match response.chunk().await {
                Ok(Some(bytes)) => text.extend_from_slice(&bytes),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(broke, "not a clean end");
        assert!(String::from_utf8_lossy(&text).contains("half"));
        assert!(!model.requests()[0].closed_early(), "the script broke it, not the client");
    });
}

#[test]
fn a_client_that_leaves_is_noticed_before_and_after_the_headers() {
    run(async {
        let model = FakeLlm::start().await;
        model.scenario("silent").always(Fault::HangsBeforeHeaders);
        model.scenario("stalled").always(Fault::HangsMidStream("x"));
        for marker in ["silent", "stalled"] {
            let asked = body(marker, true);
            let call = async { post(&model, &asked).await.expect("headers").text().await };
            assert!(tokio::time::timeout(Duration::from_millis(300), call).await.is_err(), "it hangs");
        }
        eventually("both are noticed", SOON, async || model.requests().iter().all(super::Recorded::closed_early).then_some(()))
            .await;
        assert_eq!(model.in_flight(), 0);
    });
}

#[test]
fn a_gate_holds_until_it_opens() {
    run(async {
        let model = FakeLlm::start().await;
        let gate = Gate::new();
        model.scenario("gate").always(Turn::text("through").hold_first(&gate));
        let asked = body("gate", false);
        let call = async { post(&model, &asked).await.expect("an answer").text().await.expect("a body") };
        let open = async {
            eventually("it waits", SOON, async || (model.in_flight() == 1).then_some(())).await;
            gate.open();
        };
        let (text, ()) = within("it goes on", SOON, async { tokio::join!(call, open) }).await;
        assert!(text.contains("through"));
        assert!(model.requests()[0].ended() && !model.requests()[0].closed_early());
    });
}

#[test]
fn faults_look_as_they_say() {
    run(async {
        let model = FakeLlm::start().await;
        for (marker, fault, status, kind) in [
            ("f1", Fault::TooManyRequests(Some("3")), 429, "application/json"),
            ("f2", Fault::HtmlPage, 502, "text/html; charset=utf-8"),
            ("f3", Fault::WrongContentType, 200, "text/html; charset=utf-8"),
            ("f4", Fault::ContextLength, 400, "application/json"),
            ("f5", Fault::EmptyBody, 200, "text/event-stream"),
        ] {
            model.scenario(marker).always(fault);
            let response = post(&model, &body(marker, true)).await.expect("an answer");
            assert_eq!(response.status().as_u16(), status, "{marker}");
            assert_eq!(response.headers()["content-type"], kind, "{marker}");
            assert_eq!(response.headers().contains_key("retry-after"), marker == "f1");
        }
    });
}

use crewd_application::testing::llm::run_suite;
use serde_json::json;

use super::server::{Act, DONE, FakeServer, Received, USAGE, chunked, delta, json};

/// A provider that behaves.
fn behave(request: &Received) -> Vec<Act> {
    if request.body["stream"] == false {
        let message = json!({"role": "assistant", "content": "Hello."});
        let usage = json!({"prompt_tokens": 5, "completion_tokens": 2});
        let choices = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
        return vec![Act::Send(json("200 OK", &json!({"id": "c", "model": "m", "choices": choices, "usage": usage})))];
    }
    if request.body.get("tools").is_some() {
        let first = json!({"role": "assistant", "content": null, "tool_calls":
            [{"index": 0, "id": "call_a", "type": "function", "function": {"name": "weather", "arguments": ""}}]});
        let more = |text: &str| delta(&json!({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}), "");
        let pieces =
            [delta(&first, ""), more("{\"city\""), more(":\"Oslo\"}"), delta(&json!({}), "tool_calls"), USAGE.to_owned()];
        return chunked(&[&pieces[0], &pieces[1], &pieces[2], &pieces[3], &pieces[4], DONE]);
    }
    let pieces = [delta(&json!({"role": "assistant", "content": "Hel"}), ""), delta(&json!({"content": "lo."}), "stop")];
    chunked(&[&pieces[0], &pieces[1], USAGE, DONE])
}

#[tokio::test]
async fn the_provider_keeps_the_promises_of_the_port() {
    let server = FakeServer::new(behave).await;
    for provider in server.providers() {
        run_suite(&provider, || server.count()).await;
    }
}

//! A model provider that costs next to nothing: chat completions, plain and streamed.
//!
//! The model's name says how it behaves: `latN` waits N ms before the answer, `tokN` streams N pieces, `itlN` waits N ms
//! between pieces. With tools on offer it calls the first one once (`callsN`: N times in one turn), then answers. Streamed pieces carry the time they
//! were sent, in microseconds since 1970, so that their way can be measured.

use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

type Body = BoxBody<Bytes, Infallible>;

/// Serves until it is ended.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://127.0.0.1:{}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
    }
}

/// What a model's name asks for.
#[derive(Clone, Copy)]
struct Plan {
    latency: Duration,
    pieces: u64,
    gap: Duration,
    calls: usize,
}

fn plan(model: &str) -> Plan {
    let number = |prefix: &str| model.split('-').find_map(|word| word.strip_prefix(prefix)?.parse::<u64>().ok());
    let milliseconds = |prefix: &str| Duration::from_millis(number(prefix).unwrap_or(0));
    Plan {
        latency: milliseconds("lat"),
        pieces: number("tok").unwrap_or(8),
        gap: milliseconds("itl"),
        calls: number("calls").and_then(|calls| usize::try_from(calls).ok()).unwrap_or(1),
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let bytes = request.into_body().collect().await?.to_bytes();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let plan = plan(body.get("model").and_then(Value::as_str).unwrap_or_default());
    if !plan.latency.is_zero() {
        tokio::time::sleep(plan.latency).await;
    }
    let used = body
        .pointer("/messages")
        .and_then(Value::as_array)
        .is_some_and(|all| all.iter().any(|m| m.get("role") == Some(&json!("tool"))));
    let tool = body.pointer("/tools/0/function/name").filter(|_| !used).cloned();
    let streamed = body.get("stream") == Some(&Value::Bool(true));
    Ok(match (tool, streamed) {
        (Some(name), true) => events(vec![json!({"tool_calls": calls(&name, plan.calls, true)})], "tool_calls"),
        (Some(name), false) => {
            whole(&json!({"role": "assistant", "content": null, "tool_calls": calls(&name, plan.calls, false)}), "tool_calls")
        }
        (None, false) => {
            whole(&json!({"role": "assistant", "content": "tok ".repeat(usize::try_from(plan.pieces).unwrap_or(8))}), "stop")
        }
        (None, true) if plan.gap.is_zero() => events((0..plan.pieces).map(|_| json!({"content": "tok "})).collect(), "stop"),
        (None, true) => paced(plan),
    })
}

fn calls(name: &Value, count: usize, indexed: bool) -> Vec<Value> {
    let call = |index: usize| {
        let id = format!("call_{}", index + 1);
        let mut call = json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{\"path\": \".\"}"}});
        if indexed && let Some(object) = call.as_object_mut() {
            object.insert("index".to_owned(), json!(index));
        }
        call
    };
    (0..count).map(call).collect()
}

fn usage() -> Value {
    json!({"prompt_tokens": 100, "completion_tokens": 8, "total_tokens": 108})
}

fn whole(message: &Value, finish: &str) -> Response<Body> {
    let body = json!({"id": "c", "object": "chat.completion", "model": "mock", "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage()});
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())).boxed());
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    response
}

fn event(delta: &Value, finish: Option<&str>) -> String {
    format!(
        "data: {}\n\n",
        json!({"id": "c", "object": "chat.completion.chunk", "model": "mock", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    )
}

fn tail(finish: &str) -> String {
    format!(
        "{}data: {}\n\ndata: [DONE]\n\n",
        event(&json!({}), Some(finish)),
        json!({"id": "c", "model": "mock", "choices": [], "usage": usage()})
    )
}

fn event_stream(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("text/event-stream"));
    response
}

fn events(deltas: Vec<Value>, finish: &str) -> Response<Body> {
    let text: String = deltas.iter().map(|delta| event(delta, None)).collect();
    event_stream(Full::new(Bytes::from(text + &tail(finish))).boxed())
}

fn paced(plan: Plan) -> Response<Body> {
    let pieces = stream::unfold(0, move |sent| async move {
        if sent > plan.pieces {
            return None;
        }
        tokio::time::sleep(plan.gap).await;
        let now = SystemTime::UNIX_EPOCH;
        let micros = wall().duration_since(now).map_or(0, |time| time.as_micros());
        let text = if sent == plan.pieces { tail("stop") } else { event(&json!({"content": format!("{micros} ")}), None) };
        Some((Frame::data(Bytes::from(text)), sent + 1))
    });
    event_stream(BodyExt::boxed(StreamBody::new(pieces.map(Ok))))
}

/// The wall clock, the only one two processes share.
#[expect(clippy::disallowed_methods, reason = "a measurement between two processes needs the clock they share")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now().max(UNIX_EPOCH)
}

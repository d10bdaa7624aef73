use std::time::Duration;

use axum::body::Body;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::testing::Stage;

/// Nothing here takes long; this only keeps a broken test from hanging.
const SOON: Duration = Duration::from_secs(20);

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    /// Serves the stage on a free port and opens a socket; a refusal is its status and body.
    async fn open(stage: &Stage, path: &str) -> Result<Self, (u16, Value)> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = stage.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        match connect_async(format!("ws://{address}/api/v1/tasks/{path}")).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => {
                Err((response.status().as_u16(), serde_json::from_slice(response.body().as_deref().unwrap_or_default()).unwrap()))
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn hear(&mut self) -> Message {
        tokio::time::timeout(SOON, self.0.next()).await.expect("something in time").expect("more").expect("a message")
    }

    async fn next(&mut self) -> Value {
        match self.hear().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Everything up to the close, and its code.
    async fn rest_and_code(&mut self) -> (Vec<Value>, u16) {
        let mut messages = Vec::new();
        loop {
            match self.hear().await {
                Message::Text(text) => messages.push(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => return (messages, frame.map_or(0, |frame| frame.code.into())),
                other => panic!("{other:?}"),
            }
        }
    }
}

async fn finished(stage: &Stage) -> String {
    let id = stage.submit().await;
    stage.start(&id).await;
    stage.log(&id, 2).await;
    stage.succeed(&id).await;
    id
}

#[tokio::test]
async fn a_socket_tells_the_log_and_closes() {
    let stage = Stage::new();
    let id = finished(&stage).await;
    for cut in 0..=5_usize {
        let mut client =
            Client::open(&stage, &format!("{id}/ws?after={cut}")).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
        let (messages, code) = client.rest_and_code().await;
        assert_eq!((&messages[0]["type"], &messages[0]["last_seq"]), (&json!("stream.snapshot"), &json!(5)));
        assert_eq!(Stage::seqs(&messages), (cut as u64 + 1..=5).collect::<Vec<_>>(), "after {cut}");
        assert_eq!((&messages.last().unwrap()["type"], code), (&json!("stream.end"), 1000));
    }
    let mut client =
        Client::open(&stage, &format!("{id}/ws?types=task.succeeded")).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert_eq!(Stage::seqs(&client.rest_and_code().await.0), [5]);
}

#[tokio::test]
async fn operations_are_answered() {
    let stage = Stage::new();
    let id = stage.submit().await;
    let mut client = Client::open(&stage, &format!("{id}/ws?after=1")).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert_eq!(client.next().await["type"], "stream.snapshot");
    client.say(json!({"op": "unsubscribe", "id": 1})).await;
    assert_eq!(client.next().await, json!({"type": "result", "op": "unsubscribe", "id": 1, "ok": true}));
    stage.start(&id).await;
    client
        .say(json!({"op": "subscribe", "id": "two", "after": 0, "types": ["task.started", "task.cancelled", "budget.alert"]}))
        .await;
    assert_eq!(client.next().await, json!({"type": "result", "op": "subscribe", "id": "two", "ok": true}));
    assert_eq!(client.next().await["type"], "stream.snapshot");
    assert_eq!(client.next().await["seq"], 2, "what was missed is told now");
    client.say(json!({"op": "cancel", "id": 3, "mode": "immediate", "reason": "enough"})).await;
    assert_eq!(client.next().await, json!({"type": "result", "op": "cancel", "id": 3, "ok": true}));
    client.say(json!({"op": "cancel", "mode": "brutal"})).await;
    let refused = client.next().await;
    assert_eq!(
        (&refused["ok"], &refused["id"], &refused["error"]["code"]),
        (&json!(false), &json!(null), &json!("validation_failed"))
    );
    assert_eq!(refused["error"]["details"]["fields"][0]["pointer"], "/mode");
    client.say(json!({"op": "decide", "id": 4, "decision": "approve"})).await;
    let decide = client.next().await;
    assert_eq!((&decide["ok"], &decide["error"]["code"]), (&json!(false), &json!("not_found")));
    stage.succeed(&id).await;
    let (rest, code) = client.rest_and_code().await;
    assert_eq!((rest.len(), code), (1, 1000), "the end is not among the types: {rest:?}");
}

#[tokio::test]
async fn nonsense_is_answered_and_survived() {
    let stage = Stage::new();
    let id = stage.submit().await;
    let mut client = Client::open(&stage, &format!("{id}/ws?after=1")).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    client.next().await;
    for nonsense in [
        "not json",
        "[]",
        "{}",
        "{\"op\": 7}",
        "{\"op\": \"dance\"}",
        "{\"op\": \"subscribe\", \"after\": -1}",
        "{\"op\": \"subscribe\", \"types\": [\"x\"]}",
    ] {
        client.0.send(Message::text(nonsense)).await.unwrap();
        let answer = client.next().await;
        assert!(answer["type"] == "error" || answer["ok"] == false, "{nonsense}: {answer}");
        let message = answer["message"].as_str().or(answer["error"]["message"].as_str());
        assert!(message.is_some_and(|message| !message.is_empty()), "{answer}");
    }
    client.0.send(Message::binary(vec![1_u8])).await.unwrap();
    assert_eq!(client.next().await["code"], "bad_request");
    client.0.send(Message::text("x".repeat(64 * 1024 + 1))).await.unwrap();
    let end = tokio::time::timeout(SOON, client.0.next()).await.expect("an end");
    assert!(matches!(end, None | Some(Err(_) | Ok(Message::Close(_)))), "{end:?}");
}

#[tokio::test]
async fn a_socket_ends_with_the_server() {
    let stage = Stage::new();
    let id = stage.submit().await;
    let mut client = Client::open(&stage, &format!("{id}/ws")).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    client.next().await;
    stage.shutdown.cancel();
    assert_eq!(client.rest_and_code().await.1, 1001);
}

#[tokio::test]
async fn an_upgrade_is_refused_like_any_request() {
    let stage = Stage::new();
    let id = stage.submit().await;
    let (status, body) = Client::open(&stage, "01890000-0000-7000-8000-000000000000/ws").await.err().expect("no such task");
    assert_eq!((status, &body["code"]), (404, &json!("not_found")));
    let (status, body) = Client::open(&stage, &format!("{id}/ws?after=x")).await.err().expect("no such number");
    assert_eq!((status, &body["details"]["reason"]), (400, &json!("invalid_event_id")));
    let plain = stage.send(stage.request("GET", &format!("/api/v1/tasks/{id}/ws")).body(Body::empty()).unwrap()).await;
    plain.expect_reason(400, "bad_request", "upgrade_required");
    assert_eq!(plain.header("upgrade"), "websocket");
}

//! Calls over a scripted way out, and over real sockets where the connection itself matters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crewd_application::ports::{
    OutboundError, OutboundMethod, OutboundRequest, Reconciled, Tool, ToolCallContext, ToolError, ToolSet,
};
use crewd_application::testing::egress::ScriptedOutbound;
use crewd_application::testing::ids::SequenceIds;
use crewd_domain::runs::StepPath;
use crewd_domain::shared::{RunId, TaskId, TenantId};
use crewd_domain::tools::{
    AddressTemplate, EffectClass, HttpBody, HttpCall, HttpMethod, HttpToolDefinition, RiskLevel, Template,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::HttpTools;

fn address(text: &str) -> AddressTemplate {
    AddressTemplate::parse(text).unwrap()
}

fn definition(url: &str) -> HttpToolDefinition {
    HttpToolDefinition {
        name: "pay".to_owned(),
        description: "Pays.".to_owned(),
        risk: RiskLevel::Low,
        effect: EffectClass::Keyed,
        parameters: json!({"type": "object"}),
        http: HttpCall {
            method: HttpMethod::Post,
            url: address(url),
            query: Vec::new(),
            headers: vec![("Accept".to_owned(), "application/json".to_owned())],
            secret_headers: vec![("Authorization".to_owned(), "APP_TOOL_SECRET_ERP".to_owned())],
            body: HttpBody::Arguments,
            timeout_seconds: 30,
            reconcile_url: Some(address("https://erp.example.com/done/{idempotency_key}?of={invoice}")),
        },
    }
}

fn secrets() -> BTreeMap<String, SecretString> {
    BTreeMap::from([("APP_TOOL_SECRET_ERP".to_owned(), SecretString::from("Bearer planted-token"))])
}

fn context() -> ToolCallContext {
    ToolCallContext {
        tenant: TenantId::default_tenant(),
        task_id: TaskId::new(SequenceIds::id(1)),
        run_id: RunId::new(SequenceIds::id(2)),
        step: StepPath::crew_task(0).agent().turn(0).tool(0),
        idempotency_key: "step-key/1".to_owned(),
        time_limit: Duration::from_secs(60),
    }
}

/// A tool over a scripted way out.
struct Bench {
    outbound: Arc<ScriptedOutbound>,
    tool: Arc<dyn Tool>,
}

impl Bench {
    fn of(definition: HttpToolDefinition) -> Self {
        let outbound = Arc::new(ScriptedOutbound::default());
        let tools = HttpTools::over(vec![definition], &secrets(), outbound.clone()).unwrap();
        Self { tool: tools.get("pay").unwrap(), outbound }
    }

    fn with_effect(effect: EffectClass) -> Self {
        Self::of(HttpToolDefinition { effect, ..definition("https://erp.example.com/invoices/{invoice}/payments") })
    }

    async fn call(&self, arguments: Value) -> Result<String, ToolError> {
        self.tool.call(&context(), arguments.as_object().unwrap()).await.map(|output| output.text)
    }

    async fn pay(&self) -> Result<String, ToolError> {
        self.call(json!({"invoice": "A/1", "amount": 7})).await
    }

    async fn reconcile(&self) -> Reconciled {
        self.tool.reconcile(&context(), json!({"invoice": "A/1"}).as_object().unwrap()).await
    }
}

fn header<'a>(request: &'a OutboundRequest, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn a_call_carries_key_ids_secret_and_the_arguments_that_are_left() {
    let bench = Bench::with_effect(EffectClass::Keyed);
    bench.outbound.answer_with(201, &[], "{\"paid\":true}");
    assert_eq!(bench.pay().await.as_deref(), Ok("{\"paid\":true}"));
    let requests = bench.outbound.requests();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((request.method, request.url.as_str()), (OutboundMethod::Post, "https://erp.example.com/invoices/A%2F1/payments"));
    assert_eq!(request.body, Bytes::from_static(b"{\"amount\":7}"));
    assert_eq!(header(request, "Idempotency-Key"), Some("step-key/1"));
    assert_eq!(header(request, "X-Crewd-Task-Id"), Some(context().task_id.to_string().as_str()));
    assert_eq!(header(request, "X-Crewd-Run-Id"), Some(context().run_id.to_string().as_str()));
    assert_eq!(header(request, "Authorization"), Some("Bearer planted-token"));
    assert_eq!(header(request, "Content-Type"), Some("application/json"));
    assert_eq!(header(request, "Accept"), Some("application/json"));
    assert_eq!(request.max_response_bytes, 10 * 1024 * 1024);
    assert!(request.time_limit <= Duration::from_secs(30));
}

#[tokio::test]
async fn the_query_takes_arguments_and_leaves_absent_ones_out() {
    let mut definition = definition("https://h.example.com/search?v=1");
    let part = |name: &str, text: &str| (name.to_owned(), Template::parse(text).unwrap());
    definition.http.query = vec![part("q", "{q}"), part("page", "{page}"), part("dry", "no")];
    definition.http.method = HttpMethod::Get;
    definition.http.body = HttpBody::None;
    let bench = Bench::of(definition);
    bench.call(json!({"q": "a&b"})).await.unwrap();
    bench.call(json!({"q": "x", "page": 2})).await.unwrap();
    let requests = bench.outbound.requests();
    assert_eq!(requests[0].url, "https://h.example.com/search?v=1&q=a%26b&dry=no");
    assert_eq!(requests[1].url, "https://h.example.com/search?v=1&q=x&page=2&dry=no");
    assert!(requests[0].body.is_empty() && header(&requests[0], "Content-Type").is_none());
    assert!(matches!(bench.call(json!({"q": []})).await, Err(ToolError::InvalidArguments(_))));
}

#[tokio::test]
async fn arguments_never_change_the_path() {
    let bench = Bench::with_effect(EffectClass::Keyed);
    for value in [json!(".."), json!("."), json!(""), json!(null), json!({}), json!("x".repeat(3_000))] {
        let refused = bench.call(json!({ "invoice": value })).await;
        assert!(matches!(refused, Err(ToolError::InvalidArguments(_))), "{refused:?}");
    }
    assert!(bench.outbound.requests().is_empty(), "nothing is sent");
}

#[tokio::test(start_paused = true)]
async fn passing_troubles_are_tried_again_with_the_same_key() {
    for effect in [EffectClass::ReadOnly, EffectClass::Idempotent, EffectClass::Keyed] {
        let bench = Bench::with_effect(effect);
        bench.outbound.answer_with(503, &[], "busy");
        bench.outbound.answer(Err(OutboundError::Connect("connection refused".to_owned())));
        bench.outbound.answer_with(200, &[], "done");
        assert_eq!(bench.pay().await.as_deref(), Ok("done"), "{effect:?}");
        let keys: Vec<_> =
            bench.outbound.requests().iter().map(|request| header(request, "Idempotency-Key").map(str::to_owned)).collect();
        assert_eq!(keys, vec![Some("step-key/1".to_owned()); 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn two_further_attempts_are_all() {
    let bench = Bench::with_effect(EffectClass::Keyed);
    (0..3).for_each(|_| bench.outbound.answer_with(503, &[], "busy"));
    assert_eq!(bench.pay().await, Err(ToolError::Failed("HTTP 503: busy".to_owned())));
    assert_eq!(bench.outbound.requests().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_effectful_tool_is_never_called_twice() {
    for trouble in [OutboundError::Connect("x".to_owned()), OutboundError::Broken("x".to_owned()), OutboundError::Timeout] {
        let bench = Bench::with_effect(EffectClass::Effectful);
        bench.outbound.answer(Err(trouble));
        assert!(matches!(bench.pay().await, Err(ToolError::Failed(_))));
        assert_eq!(bench.outbound.requests().len(), 1);
    }
    let bench = Bench::with_effect(EffectClass::Effectful);
    bench.outbound.answer_with(503, &[("Retry-After", "1")], "busy");
    assert_eq!(bench.pay().await, Err(ToolError::Failed("HTTP 503: busy".to_owned())));
    assert_eq!(bench.outbound.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for_where_there_is_time() {
    let bench = Bench::with_effect(EffectClass::Keyed);
    bench.outbound.answer_with(429, &[("Retry-After", "20")], "slow down");
    bench.outbound.answer_with(429, &[("Retry-After", "20")], "slow down");
    let started = Instant::now();
    assert_eq!(bench.pay().await, Err(ToolError::Failed("HTTP 429: slow down".to_owned())), "a third one is too late");
    let waited = started.elapsed();
    assert!((20..22).contains(&waited.as_secs()), "{waited:?}");
    let requests = bench.outbound.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[1].time_limit <= Duration::from_secs(10), "what is left of 30 s: {:?}", requests[1].time_limit);
}

#[tokio::test]
async fn a_secret_that_comes_back_is_masked() {
    let bench = Bench::with_effect(EffectClass::Effectful);
    bench.outbound.answer_with(200, &[], "you sent Bearer planted-token");
    assert_eq!(bench.pay().await.as_deref(), Ok("you sent ********"));
    bench.outbound.answer_with(401, &[], "unknown token planted-token");
    assert_eq!(bench.pay().await, Err(ToolError::Failed("HTTP 401: unknown token ********".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn the_other_side_is_asked_what_happened() {
    let bench = Bench::with_effect(EffectClass::Effectful);
    assert!(bench.tool.descriptor().reconciles);
    bench.outbound.answer_with(503, &[], "");
    bench.outbound.answer_with(200, &[], "paid");
    assert!(matches!(bench.reconcile().await, Reconciled::Happened(output) if output.text == "paid"));
    bench.outbound.answer_with(404, &[], "");
    assert_eq!(bench.reconcile().await, Reconciled::DidNotHappen);
    bench.outbound.answer_with(202, &[], "");
    assert_eq!(bench.reconcile().await, Reconciled::Unknown);
    bench.outbound.answer_with(500, &[], "");
    assert_eq!(bench.reconcile().await, Reconciled::Unknown);
    let request = &bench.outbound.requests()[0];
    assert_eq!(
        (request.method, request.url.as_str()),
        (OutboundMethod::Get, "https://erp.example.com/done/step-key%2F1?of=A%2F1")
    );
    assert_eq!(header(request, "Idempotency-Key"), Some("step-key/1"));
    assert_eq!(header(request, "Authorization"), Some("Bearer planted-token"));
    let mut silent = definition("https://h.example.com/{invoice}");
    silent.http.reconcile_url = None;
    let silent = Bench::of(silent);
    assert_eq!(silent.reconcile().await, Reconciled::Unknown);
    assert!(!silent.tool.descriptor().reconciles && silent.outbound.requests().is_empty());
}

#[test]
fn what_cannot_be_used_is_told_without_the_secret() {
    let wrong = BTreeMap::from([("APP_TOOL_SECRET_ERP".to_owned(), SecretString::from("planted\nline"))]);
    let error = HttpTools::new(vec![definition("https://h.example.com/")], &wrong).err().unwrap().to_string();
    assert!(error.contains("APP_TOOL_SECRET_ERP") && !error.contains("planted"), "{error}");
    let error = HttpTools::new(vec![definition("http://1.2.3.400/")], &BTreeMap::new()).err().unwrap();
    assert_eq!(error.problems.len(), 2, "{error}");
}

/// A tool of the operator on this machine.
fn local(port: u16, reconcile: Option<&str>) -> Arc<dyn Tool> {
    let mut definition = definition(&format!("http://127.0.0.1:{port}/{{invoice}}"));
    definition.http.reconcile_url = reconcile.map(address);
    HttpTools::new(vec![definition], &secrets()).unwrap().get("pay").unwrap()
}

#[tokio::test]
async fn the_declared_host_is_called_wherever_it_is_and_redirects_are_not_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tool = local(listener.local_addr().unwrap().port(), None);
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"{}") {
            assert!(socket.read_buf(&mut request).await.unwrap() > 0);
        }
        socket.write_all(b"HTTP/1.1 307 x\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        String::from_utf8(request).unwrap()
    });
    let answer = tool.call(&context(), json!({"invoice": "a b"}).as_object().unwrap()).await;
    assert_eq!(answer, Err(ToolError::Failed("HTTP 307: redirects are not followed".to_owned())));
    assert!(server.await.unwrap().starts_with("POST /a%20b HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_call_that_is_dropped_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tool = local(listener.local_addr().unwrap().port(), None);
    let call = tokio::spawn(async move { tool.call(&context(), json!({"invoice": "1"}).as_object().unwrap()).await });
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"{}") {
        assert!(socket.read_buf(&mut request).await.unwrap() > 0);
    }
    call.abort();
    let mut rest = [0; 1];
    assert!(matches!(socket.read(&mut rest).await, Ok(0) | Err(_)), "the other side sees the end");
}

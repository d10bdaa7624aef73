//! Both transports, received and decoded by the official messages.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::mpsc;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message;
use tonic::{Request, Response, Status};
use tracing::info_span;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;

use crate::config::{OtlpConfig, OtlpProtocol};
use crate::filter::EventAndSpanFilter;
use crate::start::{TelemetryGuard, build};
use crate::test_support::config;

fn otlp(endpoint: String, protocol: OtlpProtocol) -> OtlpConfig {
    let headers = vec![("authorization".to_owned(), "Basic abc".to_owned())];
    OtlpConfig { endpoint, protocol, headers, sample_ratio: 1.0 }
}

/// Makes one span under a telemetry that exports, and gives what ends it.
fn one_span(otlp: OtlpConfig) -> TelemetryGuard {
    let settings = config(Some(otlp));
    let (layer, guard) = build(&settings).expect("telemetry");
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(EventAndSpanFilter::new(settings.level)));
    tracing::subscriber::with_default(subscriber, || drop(info_span!("chat", otel.name = "chat qwen-plus")));
    guard
}

fn assert_received(request: &ExportTraceServiceRequest) {
    let spans = &request.resource_spans[0];
    let resource = format!("{:?}", spans.resource);
    for part in ["service.name", "crewd", "service.version", "1.2.3", "deployment.environment.name", "test"] {
        assert!(resource.contains(part), "{part} in {resource}");
    }
    let span = &spans.scope_spans[0].spans[0];
    assert_eq!(span.name, "chat qwen-plus");
    assert_eq!(span.span_id, 3_u64.to_be_bytes());
}

/// Answers one POST and gives its head and body.
fn http_receiver() -> (String, mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut bytes = Vec::new();
        let mut chunk = [0; 4_096];
        loop {
            let count = stream.read(&mut chunk).expect("bytes");
            bytes.extend_from_slice(&chunk[..count]);
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
            let body = &bytes[end + 4..];
            if body.len() == length.parse::<usize>().expect("a number") {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").expect("an answer");
                return sender.send((head, body.to_vec())).expect("a receiver");
            }
        }
    });
    (format!("http://{address}"), receiver)
}

#[test]
fn http_protobuf_reaches_a_collector() {
    let (endpoint, received) = http_receiver();
    one_span(otlp(endpoint, OtlpProtocol::HttpProtobuf)).shutdown();
    let (head, body) = received.recv().expect("a request");
    assert!(head.starts_with("post /v1/traces "), "{head}");
    assert!(head.contains("authorization: basic abc") && head.contains("application/x-protobuf"), "{head}");
    assert_received(&ExportTraceServiceRequest::decode(body.as_slice()).expect("a message"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_works_inside_a_runtime_too() {
    let (endpoint, received) = http_receiver();
    let guard = one_span(otlp(endpoint, OtlpProtocol::HttpProtobuf));
    tokio::task::spawn_blocking(|| guard.shutdown()).await.expect("a shutdown");
    assert_received(&ExportTraceServiceRequest::decode(received.recv().expect("a request").1.as_slice()).expect("a message"));
}

struct Collector(Mutex<mpsc::Sender<(String, ExportTraceServiceRequest)>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let header = request.metadata().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let message = (header.to_owned(), request.get_ref().clone());
        self.0.lock().expect("a sender").send(message).expect("a receiver");
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpc_reaches_a_collector() {
    let (sender, received) = mpsc::channel();
    let incoming = tonic::transport::server::TcpIncoming::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = incoming.local_addr().expect("an address");
    let service = TraceServiceServer::new(Collector(Mutex::new(sender)));
    let server = tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    let guard = one_span(otlp(format!("http://{address}"), OtlpProtocol::Grpc));
    tokio::task::spawn_blocking(|| guard.shutdown()).await.expect("a shutdown");
    let (header, request) = received.recv().expect("a request");
    assert_eq!(header, "Basic abc");
    assert_received(&request);
    server.abort();
}

#[test]
fn an_endpoint_that_is_no_address_is_refused() {
    let settings = config(Some(otlp("http://[broken".to_owned(), OtlpProtocol::HttpProtobuf)));
    let error = build(&settings).map(|_| ()).expect_err("refused").to_string();
    assert!(error.starts_with("traces cannot be exported"), "{error}");
}

#[test]
fn a_collector_that_is_away_does_not_hold_up_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    one_span(otlp(format!("http://{address}"), OtlpProtocol::HttpProtobuf)).shutdown();
}

//! The two transports.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::server::TcpIncoming;

use super::spans::{Span, Trace, flatten};
use crate::runtime::{SOON, eventually, runtime};

#[derive(Clone, Debug, Default)]
struct Store {
    spans: Arc<Mutex<Vec<Span>>>,
    headers: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Store {
    fn add(&self, headers: HeaderMap, export: ExportTraceServiceRequest) {
        self.headers.lock().unwrap_or_else(PoisonError::into_inner).push(headers);
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).extend(flatten(export));
    }
}

/// A collector on a free port of the loopback address. Dropping it closes the port.
#[derive(Debug)]
pub struct OtlpReceiver {
    address: SocketAddr,
    store: Store,
    server: JoinHandle<()>,
}

impl OtlpReceiver {
    /// Takes `POST /v1/traces` with a protobuf body.
    pub async fn http() -> Self {
        let (listener, address) = listener().await;
        let store = Store::default();
        let router = Router::new().route("/v1/traces", post(export)).with_state(store.clone());
        let server = runtime().spawn(async move { axum::serve(listener, router).await.expect("the receiver serves") });
        Self { address, store, server }
    }

    /// Takes `opentelemetry.proto.collector.trace.v1.TraceService/Export`.
    pub async fn grpc() -> Self {
        let (listener, address) = listener().await;
        let store = Store::default();
        let service = TraceServiceServer::new(Grpc(store.clone()));
        let server = runtime().spawn(async move {
            let incoming = TcpIncoming::from(listener);
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
                .expect("the receiver serves");
        });
        Self { address, store, server }
    }

    /// `http://127.0.0.1:<port>`, as `APP_OTLP_ENDPOINT` takes it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Span> {
        self.store.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Headers (over gRPC: metadata) of each export.
    pub fn headers(&self) -> Vec<HeaderMap> {
        self.store.headers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the trace holds a span whose name starts with each of `names`.
    pub async fn wait_trace(&self, trace: &str, names: &[&str]) -> Trace {
        let look = async || {
            let trace = Trace { spans: self.spans().into_iter().filter(|span| span.trace == trace).collect() };
            names.iter().all(|name| !trace.named(name).is_empty()).then_some(trace)
        };
        eventually(&format!("trace {trace} has {names:?}"), SOON, look).await
    }
}

impl Drop for OtlpReceiver {
    fn drop(&mut self) {
        self.server.abort();
        if std::thread::panicking() {
            for span in self.spans() {
                println!("span {} {} {} <- {} {:?}", span.trace, span.id, span.name, span.parent, span.links);
            }
        }
    }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("the port is known");
    (listener, address)
}

async fn export(State(store): State<Store>, headers: HeaderMap, body: Bytes) -> Result<Vec<u8>, StatusCode> {
    let export = ExportTraceServiceRequest::decode(body).map_err(|_| StatusCode::BAD_REQUEST)?;
    store.add(headers, export);
    Ok(ExportTraceServiceResponse::default().encode_to_vec())
}

struct Grpc(Store);

#[tonic::async_trait]
impl TraceService for Grpc {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let (metadata, _, export) = request.into_parts();
        self.0.add(metadata.into_headers(), export);
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

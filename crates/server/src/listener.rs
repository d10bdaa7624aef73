//! The accept loop. `axum::serve` has no time-out for headers and no limit for them; this one has.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use crewd_application::ports::IdGenerator;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use crate::refusal::RefusingStream;

/// Time for a client to send its header block.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Bytes of a header block that are read at all; the surface refuses less, with a proper error.
const HEADER_BYTES: usize = 64 * 1024;
/// Connections at once.
const MAX_CONNECTIONS: usize = 16_384;
/// Connections that are still accepted at the end because they were there before it: as many as the system keeps waiting.
const LAST_CONNECTIONS: usize = 4_096;
/// Time for answers that are under way when the server stops.
const CLOSE_TIME: Duration = Duration::from_secs(5);

/// When to end what.
pub(crate) struct Tokens {
    /// From now on every answer tells its client to come back over another connection.
    pub(crate) stopping: CancellationToken,
    /// From now on no connection is accepted.
    pub(crate) closed: CancellationToken,
}

/// Serves until it is closed, then lets answers under way finish for a while.
pub(crate) async fn serve(listener: TcpListener, router: Router, ids: Arc<dyn IdGenerator>, tokens: Tokens) {
    let Tokens { stopping, closed: shutdown } = tokens;
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).max_buf_size(HEADER_BYTES);
    builder.http2().timer(TokioTimer::new()).max_header_list_size(64 * 1024).max_concurrent_streams(256);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
    let mut left = LAST_CONNECTIONS;
    while left > 0 {
        let Ok(place) = places.clone().acquire_owned().await else { break };
        let (stream, peer) = tokio::select! {
            biased;
            // Before the end: who is connected already must not find the door shut.
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file handles, most likely: wait for some to be given back.
                    tracing::warn!(error = %error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = shutdown.cancelled() => break,
        };
        left -= usize::from(shutdown.is_cancelled());
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection keeps Nagle's delay");
        }
        let router = surface(router.clone(), peer, stopping.clone());
        let connection = connection(&builder, RefusingStream::new(stream, ids.clone()), peer, router, &graceful);
        tokio::spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(CLOSE_TIME, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections were still open");
    }
}

/// The surface as one connection sees it.
fn surface(
    router: Router,
    peer: SocketAddr,
    stopping: CancellationToken,
) -> impl Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static {
    tower::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let (router, stopping) = (router.clone(), stopping.clone());
        // Later versions have no such header, and tell their clients in another way.
        let is_http1 = request.version() <= Version::HTTP_11;
        async move {
            let mut response = router.oneshot(request).await?;
            let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            if is_http1 && !is_upgrade && stopping.is_cancelled() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        }
    })
}

fn connection<S>(
    builder: &Builder<TokioExecutor>,
    stream: RefusingStream,
    peer: SocketAddr,
    service: S,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + 'static
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service)).into_owned();
    let watched = graceful.watch(connection);
    async move {
        // Clients that go away are no news.
        if let Err(error) = watched.await {
            tracing::debug!(error = %error, peer = %peer, "a connection ended with an error");
        }
    }
}

//! One request and its answer, bounded.

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use crewd_application::ports::{OutboundError, OutboundMethod, OutboundRequest, OutboundResponse};
use futures::future::{Either, select};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING};
use hyper::header::{TRAILER, UPGRADE, USER_AGENT};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use url::Url;

use super::connection::Stream;
use crate::http;

/// Bytes of the head of an answer at most.
const MOST_HEAD_BYTES: usize = 64 * 1024;
/// Headers that say how a message is sent, which is not the caller's to say.
const OWN_HEADERS: [HeaderName; 9] =
    [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, USER_AGENT, EXPECT, TE, TRAILER, UPGRADE];

/// The request as it is sent. It names its path alone; the connection knows the host.
pub(super) fn message(request: &OutboundRequest, url: &Url) -> Result<Request<Full<Bytes>>, OutboundError> {
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let target = Uri::try_from(target).map_err(|_| invalid("its path has characters that cannot be sent"))?;
    let host = url.host_str().unwrap_or_default();
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut message = Request::new(Full::new(request.body.clone()));
    *message.uri_mut() = target;
    *message.method_mut() = match request.method {
        OutboundMethod::Get => Method::GET,
        OutboundMethod::Head => Method::HEAD,
        OutboundMethod::Post => Method::POST,
        OutboundMethod::Put => Method::PUT,
        OutboundMethod::Patch => Method::PATCH,
        OutboundMethod::Delete => Method::DELETE,
    };
    let headers = message.headers_mut();
    headers.insert(HOST, HeaderValue::try_from(authority).map_err(|_| invalid("its host cannot be sent"))?);
    headers.insert(USER_AGENT, HeaderValue::from_static(http::USER_AGENT));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    for (name, value) in &request.headers {
        let known = HeaderName::try_from(name.as_str()).ok().filter(|name| !OWN_HEADERS.contains(name));
        let name = known.ok_or_else(|| invalid("the name of a header is none, or not the caller's to set"))?;
        let value = HeaderValue::from_str(value).map_err(|_| invalid("a header has line breaks or control characters"))?;
        headers.append(name, value);
    }
    Ok(message)
}

/// Sends the request and reads the whole answer, of at most `limit` bytes. Dropping it closes the connection.
pub(super) async fn exchange(
    stream: Box<dyn Stream>,
    message: Request<Full<Bytes>>,
    limit: usize,
) -> Result<OutboundResponse, OutboundError> {
    let handshake = Builder::new().max_buf_size(MOST_HEAD_BYTES).handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|error| broken(&error))?;
    let answer = pin!(answer(sender, message, limit));
    match select(answer, pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        // The connection is over before all of its answer was taken.
        Either::Right((_, answer)) => answer.await,
    }
}

async fn answer(
    mut sender: SendRequest<Full<Bytes>>,
    message: Request<Full<Bytes>>,
    limit: usize,
) -> Result<OutboundResponse, OutboundError> {
    let mut response = sender.send_request(message).await.map_err(|error| broken(&error))?;
    let status = response.status().as_u16();
    let headers = texts(response.headers());
    let body = body(&mut response, limit).await?;
    Ok(OutboundResponse { status, headers, body })
}

async fn body(response: &mut Response<Incoming>, limit: usize) -> Result<Bytes, OutboundError> {
    let too_large = OutboundError::TooLarge { status: response.status().as_u16(), limit };
    let body = response.body_mut();
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large);
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
        if whole.len().saturating_add(data.len()) > limit {
            return Err(too_large);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

fn broken(error: &hyper::Error) -> OutboundError {
    tracing::debug!(%error, "an outbound exchange broke");
    let reason = if error.is_parse() { "the answer is not HTTP/1.1" } else { "the connection was closed" };
    OutboundError::Broken(reason.to_owned())
}

fn invalid(reason: &str) -> OutboundError {
    OutboundError::InvalidRequest(reason.to_owned())
}

//! One call: write the request, read the head.

use std::fmt::Write;

use bytes::BytesMut;
use reqwest::header::HeaderMap;
use reqwest::{StatusCode, Url};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::body::{PlainBody, read_some};
use super::connect::Connector;
use super::head::take_head;
use super::pool::Pool;
use crate::http::failure::HttpFailure;
use crate::http::{HttpLimits, USER_AGENT};

/// Calls one address.
pub(in crate::http) struct PlainClient {
    connector: Connector,
    pool: Pool,
    /// The request up to its own headers.
    start: String,
}

impl PlainClient {
    pub(in crate::http) fn new(url: &Url, limits: HttpLimits) -> Self {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or(80);
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let path = url.path();
        let start = format!("POST {path} HTTP/1.1\r\nhost: {authority}\r\nuser-agent: {USER_AGENT}\r\n");
        let connector = Connector::new(host.trim_matches(['[', ']']).to_owned(), port, limits.connect);
        Self { connector, pool: Pool::default(), start }
    }

    /// Posts a body and reads the head of the answer.
    pub(in crate::http) async fn post(
        &self,
        headers: HeaderMap,
        body: String,
    ) -> Result<(StatusCode, HeaderMap, PlainBody), HttpFailure> {
        let request = self.request(&headers, &body);
        drop((headers, body));
        let stream = match self.pool.take() {
            Some(stream) => stream,
            None => self.connector.connect().await?,
        };
        let stream = send(stream, request).await;
        self.answer(stream).await
    }

    #[cfg(test)]
    pub(in crate::http) fn has_idle(&self) -> bool {
        self.pool.take().map(|stream| self.pool.put(stream)).is_some()
    }

    fn request(&self, headers: &HeaderMap, body: &str) -> Vec<u8> {
        let mut request = self.start.clone().into_bytes();
        request.reserve(body.len() + 512);
        for (name, value) in headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                request.extend_from_slice(part);
            }
        }
        let mut length = String::new();
        // Writing to a string cannot fail.
        let _ = write!(length, "content-length: {}\r\n\r\n", body.len());
        request.extend_from_slice(length.as_bytes());
        request.extend_from_slice(body.as_bytes());
        request
    }

    async fn answer(&self, stream: TcpStream) -> Result<(StatusCode, HeaderMap, PlainBody), HttpFailure> {
        let mut received = BytesMut::new();
        let head = loop {
            if let Some(head) = take_head(&mut received)? {
                break head;
            }
            match read_some(&stream, &mut received).await {
                Ok(0) => return Err(HttpFailure::Unreachable("the connection was closed".to_owned())),
                Ok(_) => {}
                Err(HttpFailure::Broken(reason)) => return Err(HttpFailure::Unreachable(reason)),
                Err(other) => return Err(other),
            }
        };
        let body = PlainBody::new(stream, received, head.framing, head.keeps_alive, self.pool.clone());
        Ok((head.status, head.headers, body))
    }
}

/// Writes the request, which is freed at once. A server may answer before it has read all, so whether writing failed
/// is told by the answer.
async fn send(mut stream: TcpStream, request: Vec<u8>) -> TcpStream {
    let _ = stream.write_all(&request).await;
    stream
}

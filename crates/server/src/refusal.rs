//! Requests that hyper refuses before any route sees them (no HTTP, header block too large): hyper answers them with
//! an empty body, and every answer that is not a success has the error body.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crewd_application::error::ErrorCode;
use crewd_application::ports::IdGenerator;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection that fills in the body of hyper's own refusals. Answers of routes carry a request id and pass untouched.
pub(crate) struct RefusingStream {
    stream: TcpStream,
    ids: Arc<dyn IdGenerator>,
    /// What is left to write of a refusal.
    refusal: Vec<u8>,
}

impl RefusingStream {
    pub(crate) const fn new(stream: TcpStream, ids: Arc<dyn IdGenerator>) -> Self {
        Self { stream, ids, refusal: Vec::new() }
    }

    fn poll_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.refusal.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, &self.refusal) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => drop(self.refusal.drain(..written)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The answer with a body, if these bytes are hyper's own refusal.
fn refusal(bytes: &[u8], ids: &dyn IdGenerator) -> Option<Vec<u8>> {
    if !bytes.starts_with(b"HTTP/1.1 4") {
        return None;
    }
    let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
    let lower = head.to_ascii_lowercase();
    if !lower.contains("\r\ncontent-length: 0") || lower.contains("\r\nx-request-id:") {
        return None;
    }
    let status_line = head.lines().next()?;
    let (code, message) = if status_line.contains(" 431 ") {
        (ErrorCode::RequestHeaderFieldsTooLarge, "the header block is too large")
    } else {
        (ErrorCode::BadRequest, "the request is not well-formed HTTP")
    };
    let request_id = ids.next_id();
    let body =
        json!({"code": code.as_str(), "message": message, "request_id": request_id, "details": {"reason": "malformed_request"}})
            .to_string();
    let answer = format!(
        "{status_line}\r\ncontent-type: application/json\r\nx-request-id: {request_id}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    Some(answer.into_bytes())
}

impl AsyncRead for RefusingStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for RefusingStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(answer) = refusal(bytes, &*self.ids) {
            self.refusal = answer;
            return Poll::Ready(Ok(bytes.len()));
        }
        match self.poll_refusal(context) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_write(context, bytes),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // Refusals are one slice; whatever comes in several is a route's answer.
        match slices {
            [only] => self.poll_write(context, only),
            several => Pin::new(&mut self.stream).poll_write_vectored(context, several),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.poll_refusal(context) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_flush(context),
            other => other,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.poll_refusal(context) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_shutdown(context),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use crewd_infrastructure::ids::UuidIds;

    use super::*;

    #[test]
    fn only_empty_refusals_get_a_body() {
        let hypers = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: x\r\n\r\n";
        let answer = String::from_utf8(refusal(hypers, &UuidIds).unwrap()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())));
        assert!(body.contains("\"code\":\"request_header_fields_too_large\""));
        for other in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 12\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\nx-request-id: 1\r\ncontent-length: 0\r\n\r\n",
            b"data: HTTP/1.1 4",
        ] {
            assert_eq!(refusal(other, &UuidIds), None);
        }
    }
}

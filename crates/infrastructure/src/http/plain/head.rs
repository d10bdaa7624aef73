//! Status and headers.

use bytes::{Buf, BytesMut};
use reqwest::StatusCode;
use reqwest::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};

use crate::http::failure::HttpFailure;

const MOST_HEADERS: usize = 100;
const MOST_BYTES: usize = 64 * 1024;

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// In chunks with their sizes.
    Chunked,
    /// By the end of the connection.
    Close,
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// Whether the connection can serve another call after the body.
    pub(super) keeps_alive: bool,
}

/// Takes a head off the front of what was received; `None` while it is not whole. Interim answers (1xx) are skipped.
pub(super) fn take_head(received: &mut BytesMut) -> Result<Option<Head>, HttpFailure> {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut fields);
        let length = match response.parse(received) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if received.len() <= MOST_BYTES => return Ok(None),
            Ok(httparse::Status::Partial) | Err(_) => return Err(HttpFailure::NotHttp),
        };
        let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(HttpFailure::NotHttp)?;
        if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
            received.advance(length);
            continue;
        }
        let headers = headers(response.headers)?;
        let is_current = response.version == Some(1);
        received.advance(length);
        let framing = framing(status, &headers)?;
        let keeps_alive = is_current && framing != Framing::Close && !says(&headers, &CONNECTION, "close");
        return Ok(Some(Head { status, headers, framing, keeps_alive }));
    }
}

fn headers(fields: &[httparse::Header<'_>]) -> Result<HeaderMap, HttpFailure> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| HttpFailure::NotHttp)?;
        let value = HeaderValue::from_bytes(field.value).map_err(|_| HttpFailure::NotHttp)?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn framing(status: StatusCode, headers: &HeaderMap) -> Result<Framing, HttpFailure> {
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok(Framing::Length(0));
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        // A length next to it is ignored, as the standard says.
        return if says(headers, &TRANSFER_ENCODING, "chunked") { Ok(Framing::Chunked) } else { Err(HttpFailure::NotHttp) };
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter().map(|value| {
        // No sign may stand before it.
        value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse::<u64>().ok()
    });
    match lengths.next() {
        None => Ok(Framing::Close),
        Some(Some(length)) if lengths.all(|other| other == Some(length)) => Ok(Framing::Length(length)),
        Some(_) => Err(HttpFailure::NotHttp),
    }
}

fn says(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<(u16, Framing, bool, String)>, HttpFailure> {
        let mut received = BytesMut::from(text);
        let head = take_head(&mut received)?;
        let rest = String::from_utf8_lossy(&received).into_owned();
        Ok(head.map(|head| (head.status.as_u16(), head.framing, head.keeps_alive, rest)))
    }

    #[test]
    fn heads_tell_how_the_body_ends() {
        let whole = |text: &str| head(text).expect("HTTP").expect("a whole head");
        assert_eq!(whole("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"), (200, Framing::Length(3), true, "abc".to_owned()));
        assert_eq!(whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"), (200, Framing::Chunked, true, String::new()));
        assert_eq!(whole("HTTP/1.1 500 No\r\n\r\n"), (500, Framing::Close, false, String::new()));
        assert_eq!(whole("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"), (200, Framing::Length(0), false, String::new()));
        let closing = "HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(whole(closing), (200, Framing::Length(0), false, String::new()));
        assert_eq!(whole("HTTP/1.1 204 No\r\n\r\n"), (204, Framing::Length(0), true, String::new()));
    }

    #[test]
    fn interim_answers_are_skipped_and_halves_waited_for() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(head(text).expect("HTTP").map(|head| head.0), Some(200));
        assert_eq!(head("HTTP/1.1 100 Continue\r\n\r\n"), Ok(None));
        assert_eq!(head("HTTP/1.1 200 OK\r\nx: y\r\n"), Ok(None));
        assert_eq!(head(""), Ok(None));
    }

    #[test]
    fn what_is_not_http_or_says_two_things_is_refused() {
        for text in [
            "SSH-2.0-x\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        ] {
            assert_eq!(head(text), Err(HttpFailure::NotHttp), "{text}");
        }
        let long = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(MOST_BYTES));
        assert_eq!(head(&long), Err(HttpFailure::NotHttp));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(MOST_HEADERS + 1));
        assert_eq!(head(&many), Err(HttpFailure::NotHttp));
    }
}

//! Requests as they go out, answers as they come, and their bounds.

use std::time::Duration;

use bytes::Bytes;
use crewd_application::ports::{Outbound, OutboundError, OutboundMethod, OutboundRequest};
use tokio::net::TcpListener;

use super::support::{Canary, LOOPBACK, NO_CONTENT, open, request, send};

#[tokio::test]
async fn the_request_goes_out_as_it_is_and_the_answer_comes_back() {
    let answer = "HTTP/1.1 200 OK\r\nX-One: 1\r\ncontent-length: 5\r\n\r\nhello";
    let mut canary = Canary::new(answer).await;
    let url = format!("http://127.0.0.1:{}/a%20b/c?d=e&f=%C3%A4#g", canary.port);
    let answer = send(&open(), &url).await.expect("an answer");
    assert_eq!((answer.status, answer.header("x-one"), &answer.body[..]), (200, Some("1"), b"hello".as_slice()));
    let sent = canary.requests.recv().await.expect("a request");
    assert!(sent.starts_with("POST /a%20b/c?d=e&f=%C3%A4 HTTP/1.1\r\n"), "{sent}");
    let lines: Vec<String> = sent.lines().map(str::to_ascii_lowercase).collect();
    for line in [format!("host: 127.0.0.1:{}", canary.port), "webhook-id: msg_1".into(), "content-length: 2".into()] {
        assert!(lines.contains(&line), "{line} in {sent}");
    }
    assert!(sent.ends_with("\r\n\r\n{}"), "{sent}");

    let reading = OutboundRequest { method: OutboundMethod::Get, body: Bytes::new(), headers: Vec::new(), ..request(&url) };
    assert!(open().send(reading).await.is_ok());
    assert!(canary.requests.recv().await.is_some_and(|sent| sent.starts_with("GET /a%20b/c?")));
}

#[tokio::test]
async fn redirects_are_answers() {
    let target = Canary::new(NO_CONTENT).await;
    for status in [301, 302, 303, 307, 308] {
        let head = format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", target.url());
        let canary = Canary::new(&head).await;
        let answer = send(&open(), &canary.url()).await.expect("an answer");
        assert_eq!((answer.status, answer.header("location")), (status, Some(target.url().as_str())));
        assert_eq!(canary.connections(), 1);
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn bodies_are_bounded() {
    let too_large = Err(OutboundError::TooLarge { status: 200, limit: 1024 });
    let announced = Canary::hanging("HTTP/1.1 200 OK\r\ncontent-length: 1025\r\n\r\n").await;
    assert_eq!(send(&open(), &announced.url()).await, too_large);
    let chunked = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n401\r\n{}", "x".repeat(1025));
    assert_eq!(send(&open(), &Canary::hanging(&chunked).await.url()).await, too_large);
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(100_000));
    assert_eq!(send(&open(), &Canary::hanging(&endless).await.url()).await, too_large);
    let just = format!("HTTP/1.1 200 OK\r\ncontent-length: 1024\r\n\r\n{}", "x".repeat(1024));
    assert_eq!(send(&open(), &Canary::new(&just).await.url()).await.map(|answer| answer.body.len()), Ok(1024));

    // No caller gets more than the guard's own limit.
    let limit = OutboundRequest::MAX_RESPONSE_BYTES;
    let large = Canary::hanging(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", limit + 1)).await;
    let greedy = OutboundRequest { max_response_bytes: usize::MAX, ..request(&large.url()) };
    assert_eq!(open().send(greedy).await, Err(OutboundError::TooLarge { status: 200, limit }));
}

#[tokio::test]
async fn the_time_is_for_all_of_it() {
    for head in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", "HTTP/1.1 100 Continue\r\n\r\n"] {
        let canary = Canary::hanging(head).await;
        let short = OutboundRequest { time_limit: Duration::from_millis(100), ..request(&canary.url()) };
        assert_eq!(open().send(short).await, Err(OutboundError::Timeout), "{head:?}");
    }
}

#[tokio::test]
async fn answers_that_are_none_break() {
    for answer in [
        "",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
    ] {
        let canary = Canary::new(answer).await;
        let failure = send(&open(), &canary.url()).await;
        assert!(matches!(failure, Err(OutboundError::Broken(_))), "{answer:?}: {failure:?}");
    }
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(400_000));
    let failure = send(&open(), &Canary::new(&long).await.url()).await;
    assert!(matches!(failure, Err(OutboundError::Broken(_))), "a head without end was taken");
}

#[tokio::test]
async fn a_closed_port_is_told_as_such() {
    let listener = TcpListener::bind((LOOPBACK, 0)).await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let failure = send(&open(), &format!("http://127.0.0.1:{port}/")).await;
    assert_eq!(failure, Err(OutboundError::Connect("connection refused".to_owned())));
}

#[tokio::test]
async fn callers_cannot_change_how_a_request_is_sent() {
    let canary = Canary::new(NO_CONTENT).await;
    for (name, value) in [
        ("Host", "example.org"),
        ("content-length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("user-agent", "other"),
        ("x y", "z"),
        ("", "z"),
        ("x:", "z"),
        ("x", "a\r\ny: z"),
        ("x", "a\nb"),
        ("x", "\0"),
    ] {
        let wrong = OutboundRequest { headers: vec![(name.to_owned(), value.to_owned())], ..request(&canary.url()) };
        let failure = open().send(wrong).await;
        assert!(matches!(failure, Err(OutboundError::InvalidRequest(_))), "{name}: {failure:?}");
    }
    assert_eq!(canary.connections(), 0);
}

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

fn address(url: &str) -> OperatorUrl {
    OperatorUrl::from_settings(url.parse().expect("an address"))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// Both ways to the same server.
fn both(url: &str) -> [HttpClient; 2] {
    let limits = HttpLimits::default();
    let clients = [HttpClient::new(address(url), limits), HttpClient::general(address(url), limits)];
    assert!(matches!(clients[0].inner.transport, Transport::Plain(_)));
    clients
}

/// A server that answers each request of a connection with these bytes; `close` ends the connection then.
async fn server(answers: &'static [&'static str], close: bool) -> (String, tokio::sync::watch::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let connections = tokio::sync::watch::Sender::new(0);
    let seen = connections.subscribe();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            connections.send_modify(|count| *count += 1);
            tokio::spawn(answer_all(socket, answers, close));
        }
    });
    (url, seen)
}

async fn answer_all(mut socket: TcpStream, answers: &[&str], close: bool) {
    let mut request = Vec::new();
    // Bodies in these tests are the letter x.
    while socket.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
        if request.ends_with(b"\r\n\r\nx") {
            request.clear();
            for answer in answers {
                socket.write_all(answer.as_bytes()).await.expect("a client that reads");
                socket.flush().await.expect("a client that reads");
                tokio::task::yield_now().await;
            }
            if close {
                return;
            }
        }
    }
}

async fn post(client: &HttpClient) -> Result<(u16, String), HttpFailure> {
    let mut response = client.post(HeaderMap::new(), "x".to_owned(), soon(), None).await?;
    let body = response.rest().await?;
    let status = response.status().as_u16();
    response.recycle();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

#[tokio::test]
async fn bodies_end_as_their_heads_say() {
    let cases: [(&[&str], bool, &str); 6] = [
        (&["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"], false, "hello"),
        (&["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", "he", "llo"], false, "hello"),
        (&["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"], false, ""),
        (&["HTTP/1.1 200 OK\r\n\r\n", "hel", "lo"], true, "hello"),
        (&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"], false, "hello"),
        (
            &[
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r",
                "\n2\r",
                "\nhe\r",
                "\n",
                "3\r\nll",
                "o\r\n0\r\na: b\r",
                "\n\r\n",
            ],
            false,
            "hello",
        ),
    ];
    for (answers, close, body) in cases {
        let (url, _) = server(answers, close).await;
        for client in both(&url) {
            assert_eq!(post(&client).await, Ok((200, body.to_owned())), "{answers:?}");
        }
    }
}

#[tokio::test]
async fn bodies_that_break_off_are_broken() {
    let cases: [&[&str]; 4] = [
        &["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel"],
        &["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel"],
        &["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"],
        &["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n"],
    ];
    for answers in cases {
        let (url, _) = server(answers, true).await;
        for client in both(&url) {
            let failure = post(&client).await;
            assert!(matches!(failure, Err(HttpFailure::Broken(_))), "{answers:?}: {failure:?}");
        }
    }
}

#[tokio::test]
async fn connections_are_used_again_unless_the_server_ends_them() {
    let (url, connections) = server(&["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"], false).await;
    let client = HttpClient::new(address(&url), HttpLimits::default());
    for _ in 0..5 {
        assert_eq!(post(&client).await, Ok((200, "hi".to_owned())));
    }
    assert_eq!(*connections.borrow(), 1);
    let (url, connections) = server(&["HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi"], true).await;
    let client = HttpClient::new(address(&url), HttpLimits::default());
    for _ in 0..5 {
        assert_eq!(post(&client).await, Ok((200, "hi".to_owned())));
    }
    assert_eq!(*connections.borrow(), 5);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_not_used() {
    let (url, connections) = server(&["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"], true).await;
    let client = HttpClient::new(address(&url), HttpLimits::default());
    assert!(post(&client).await.is_ok());
    // The server has closed it, though its answer did not say so; the news takes a moment.
    let pooled = || if let Transport::Plain(client) = &client.inner.transport { client.has_idle() } else { false };
    while pooled() {
        tokio::task::yield_now().await;
    }
    assert!(post(&client).await.is_ok());
    assert_eq!(*connections.borrow(), 2);
}

#[tokio::test]
async fn nobody_there_is_told_in_the_same_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    drop(listener);
    for url in [url.clone(), url.replace("127.0.0.1", "localhost")] {
        for client in both(&url) {
            assert_eq!(post(&client).await, Err(HttpFailure::Unreachable("connection refused".to_owned())), "{url}");
        }
    }
}

#[tokio::test]
async fn a_general_client_is_built_on_its_first_use() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("https://{}/", listener.local_addr().expect("an address"));
    drop(listener);
    let client = GeneralClient::new(address(&url).into_url(), HttpLimits::default());
    assert!(!client.is_built());
    assert!(client.post(HeaderMap::new(), String::new()).await.is_err());
    assert!(client.is_built());
}

#[test]
fn the_own_machine_is_reached_directly_and_tls_is_not_plain() {
    let direct = |url: &str| is_direct(&address(url).into_url());
    assert!(direct("http://localhost:1/") && direct("http://127.0.0.1/") && direct("http://[::1]:1/"));
    assert!(!direct("https://localhost/") && !direct("https://example.org/"));
}

//! Requests that are wrong before their body counts.

use std::time::Duration;

use crewd_tests::errors::expect_error;
use crewd_tests::runtime::{run, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stage::stage;

#[test]
fn oversized_headers_are_refused() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let one =
            format!("GET /api/v1/crews HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-large: {}\r\n\r\n", "a".repeat(600 * 1024));
        let many: String = (0..2000).map(|number| format!("x-h{number}: a\r\n")).collect();
        let many = format!("GET /api/v1/crews HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{many}\r\n");
        for request in [one, many] {
            let answer = client.raw(request.as_bytes()).await.expect("an answer");
            expect_error(&answer, 431, "request_header_fields_too_large");
        }
        let fits =
            format!("GET /api/v1/crews HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-large: {}\r\n\r\n", "a".repeat(4 * 1024));
        assert_eq!(client.raw(fits.as_bytes()).await.expect("an answer").status, 200);
    });
}

#[test]
fn an_overlong_path_or_query_is_refused() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        for path in [format!("/api/v1/tasks/{}", "a".repeat(60_000)), format!("/api/v1/tasks?cursor={}", "a".repeat(60_000))] {
            let answer = client
                .raw(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes())
                .await
                .expect("an answer");
            assert!((400..500).contains(&answer.status), "{}", answer.status);
        }
    });
}

#[test]
fn what_is_no_http_never_harms() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let broken: [&[u8]; 6] = [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"GET\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\nconnection: close\r\n\r\n",
            b"POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\n",
            b"GET /api/v1/tasks HTTP/1.1\r\nhost: x\r\nbad header\r\nconnection: close\r\n\r\n",
        ];
        for bytes in broken {
            if let Some(answer) = client.raw(bytes).await {
                assert!((400..600).contains(&answer.status) && answer.status != 500, "{}: {}", answer.path, answer.status);
            }
        }
        client.get("/health/live").await.expect(200);
    });
}

#[test]
fn a_client_that_sends_its_headers_slowly_is_cut_off() {
    run(async {
        let (app, _) = stage().await;
        let address = app.url().trim_start_matches("http://").to_owned();
        let mut socket = TcpStream::connect(address).await.expect("the port is open");
        socket.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n").await.expect("half a request is sent");
        let mut rest = Vec::new();
        within("a connection without headers is closed", Duration::from_secs(25), socket.read_to_end(&mut rest)).await.ok();
    });
}

#[test]
fn credentials_do_not_belong_into_the_query() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        for query in ["api_key=x", "access_token=x", "token=x"] {
            let answer = client.get(&format!("/api/v1/tasks?{query}")).await;
            assert!([401, 422].contains(&answer.status), "{query}: {}", answer.text);
        }
    });
}

#[test]
fn paths_are_read_once() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        for path in [
            "/api/v1/crews/%252e%252e",
            "/api/v1/../v1/nowhere",
            "//api/v1/nowhere",
            "/api/v1/crews/%ff",
            "/api/v1/crews/..;/single",
        ] {
            let answer = client
                .raw(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes())
                .await
                .expect("an answer");
            assert!([400, 404, 422].contains(&answer.status), "{path}: {} {}", answer.status, answer.text);
            crewd_tests::errors::check_shape(&answer);
        }
    });
}

//! Bytes on a socket, for requests that no proper client would send.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::answer::Answer;
use super::http::Client;
use crate::runtime::{SOON, within};

impl Client {
    /// Sends exactly these bytes and reads one answer until the server closes; `Connection: close` must be among them
    /// unless the server closes by itself. None when the server closes without a word.
    pub async fn raw(&self, request: &[u8]) -> Option<Answer> {
        let address = self.base().trim_start_matches("http://");
        let mut socket = TcpStream::connect(address).await.expect("the port is open");
        // The server may close while we still write: its answer is what counts.
        socket.write_all(request).await.ok();
        let mut bytes = Vec::new();
        within("the server answers and closes", SOON, socket.read_to_end(&mut bytes)).await.ok();
        let first = String::from_utf8_lossy(request).lines().next().unwrap_or_default().chars().take(80).collect();
        parse(first, &String::from_utf8_lossy(&bytes))
    }
}

fn parse(request: String, text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?);
    }
    Some(Answer { method: String::new(), path: request, status, headers, text: body.to_owned() })
}

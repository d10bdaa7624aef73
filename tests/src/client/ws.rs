//! The event stream over WebSocket.

use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::runtime::SOON;

/// A WebSocket that is being read.
#[derive(Debug)]
pub struct WsReader {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl WsReader {
    /// Connects; panics with the server's answer when the upgrade is refused.
    pub(crate) async fn connect(url: &str, key: Option<&str>) -> Self {
        match Self::try_connect(url, key).await {
            Ok(reader) => reader,
            Err((status, body)) => panic!("no WebSocket at {url}: {status} {body}"),
        }
    }

    /// Connects, or gives status and body of the refusal (status 0: no HTTP answer at all).
    pub async fn try_connect(url: &str, key: Option<&str>) -> Result<Self, (u16, String)> {
        let mut request = url.into_client_request().expect("an address");
        if let Some(key) = key {
            request.headers_mut().insert("x-api-key", key.parse().expect("a header value"));
        }
        match tokio::time::timeout(SOON, connect_async(request)).await.expect("the upgrade is answered in time") {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(Error::Http(response)) => {
                let body = response.body().as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
                Err((response.status().as_u16(), body.unwrap_or_default()))
            }
            Err(other) => Err((0, other.to_string())),
        }
    }

    /// Sends one JSON message.
    pub async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    /// Sends any text.
    pub async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("the message is sent");
    }

    /// The next JSON message; none when the server has closed. Panics when nothing comes for long.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            let message = tokio::time::timeout(SOON, self.socket.next()).await.expect("the socket says something in time")?;
            match message {
                Ok(Message::Text(text)) => {
                    return Some(serde_json::from_str(text.as_str()).unwrap_or_else(|error| panic!("{text}: {error}")));
                }
                Ok(Message::Close(_)) => return None,
                Ok(_) => {}
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => return None,
                Err(error) => panic!("the socket broke: {error:?}"),
            }
        }
    }

    /// Messages up to and including the one that `last` accepts, or to the close.
    pub async fn until(&mut self, mut last: impl FnMut(&Value) -> bool) -> Vec<Value> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await {
            let done = last(&message);
            messages.push(message);
            if done {
                break;
            }
        }
        messages
    }
}

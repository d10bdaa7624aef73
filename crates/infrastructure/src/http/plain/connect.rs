//! Names and connections.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::http::failure::{HttpFailure, io_reason, seconds};

/// How long a name's addresses are good for. Each look-up holds a thread, and many calls begin at once.
const ADDRESS_AGE: Duration = Duration::from_secs(5);

/// Connects to one host.
pub(super) struct Connector {
    host: String,
    port: u16,
    limit: Duration,
    addresses: Mutex<Option<(Instant, Vec<SocketAddr>)>>,
}

impl Connector {
    /// `host` is a name or an address without brackets.
    pub(super) fn new(host: String, port: u16, limit: Duration) -> Self {
        Self { host, port, limit, addresses: Mutex::new(None) }
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<TcpStream, HttpFailure> {
        let connecting = timeout(self.limit, self.connect_any());
        connecting
            .await
            .unwrap_or_else(|_| Err(HttpFailure::Unreachable(format!("no connection within {}", seconds(self.limit)))))
    }

    async fn connect_any(&self) -> Result<TcpStream, HttpFailure> {
        let mut reason = "its name has no address";
        for address in self.resolve().await? {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // A socket that cannot be told is slower, not wrong.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => reason = io_reason(error.kind()).unwrap_or("the connection failed"),
            }
        }
        Err(HttpFailure::Unreachable(reason.to_owned()))
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, HttpFailure> {
        let mut known = self.addresses.lock().await;
        if let Some((since, addresses)) = &*known
            && since.elapsed() < ADDRESS_AGE
        {
            return Ok(addresses.clone());
        }
        let found = lookup_host((self.host.as_str(), self.port)).await;
        let found = found.map_err(|_| HttpFailure::Unreachable("its name cannot be resolved".to_owned()))?;
        let addresses: Vec<SocketAddr> = found.collect();
        *known = Some((Instant::now(), addresses.clone()));
        Ok(addresses)
    }
}

//! A connection to one of the allowed addresses.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crewd_application::ports::OutboundError;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::policy::{Destination, EgressPolicy, Target};
use super::resolver::NameResolver;
use super::trust::Trust;
use crate::http::io_reason;

/// How long one of several addresses is tried.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How many addresses of a name are tried.
const MOST_ADDRESSES: usize = 4;

/// Bytes both ways, in clear or through TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Looks the name up once and keeps the addresses that are allowed.
pub(super) async fn addresses(
    policy: &EgressPolicy,
    resolver: &dyn NameResolver,
    destination: &Destination,
) -> Result<Vec<IpAddr>, OutboundError> {
    let found = match &destination.target {
        Target::Address(address) => vec![*address],
        Target::Name(name) => resolver.resolve(name).await.map_err(|_| unknown_name())?,
    };
    if found.is_empty() {
        return Err(unknown_name());
    }
    let permitted: Vec<IpAddr> = found.into_iter().filter(|address| policy.permits(destination, *address)).collect();
    if permitted.is_empty() { Err(OutboundError::Denied) } else { Ok(permitted) }
}

/// Connects to the first of these addresses that answers, and through TLS where the destination says so.
pub(super) async fn connect(
    destination: &Destination,
    addresses: &[IpAddr],
    trust: &Trust,
) -> Result<Box<dyn Stream>, OutboundError> {
    let mut reason = "no address answers";
    for address in addresses.iter().take(MOST_ADDRESSES) {
        let address = SocketAddr::new(*address, destination.port);
        match timeout(CONNECT_TIME, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // What the system connected to must be what was judged.
                if !stream.peer_addr().is_ok_and(|peer| peer.ip() == address.ip()) {
                    tracing::warn!(%address, "an outbound connection has another peer than asked for");
                    return Err(OutboundError::Denied);
                }
                // A socket that cannot be told is slower, not wrong.
                let _ = stream.set_nodelay(true);
                return if destination.is_tls() { secure(destination, stream, trust).await } else { Ok(Box::new(stream)) };
            }
            Ok(Err(error)) => reason = io_reason(error.kind()).unwrap_or("no connection"),
            Err(_) => reason = "the connection timed out",
        }
    }
    Err(OutboundError::Connect(reason.to_owned()))
}

async fn secure(destination: &Destination, stream: TcpStream, trust: &Trust) -> Result<Box<dyn Stream>, OutboundError> {
    let config = trust.config().map_err(|error| {
        tracing::error!(%error, "TLS cannot be set up");
        OutboundError::Connect("TLS cannot be set up".to_owned())
    })?;
    let name = match &destination.target {
        Target::Name(name) => ServerName::try_from(name.strip_suffix('.').unwrap_or(name).to_owned()),
        Target::Address(address) => Ok(ServerName::from(*address)),
    };
    let name = name.map_err(|_| unknown_name())?;
    let stream = TlsConnector::from(config).connect(name, stream).await.map_err(|error| {
        tracing::debug!(%error, "an outbound connection failed in TLS");
        let is_certificate = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        let is_certificate = matches!(is_certificate, Some(rustls::Error::InvalidCertificate(_)));
        let reason = if is_certificate { "the certificate is not trusted" } else { "TLS failed" };
        OutboundError::Connect(reason.to_owned())
    })?;
    Ok(Box::new(stream))
}

fn unknown_name() -> OutboundError {
    OutboundError::Connect("the name of the host cannot be resolved".to_owned())
}

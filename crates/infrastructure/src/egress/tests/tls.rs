//! TLS: the name in the address is the name in the certificate, whatever address was connected to.

use std::sync::Arc;
use std::time::Duration;

use crewd_application::ports::{Outbound, OutboundError, OutboundRequest};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::support::{Canary, LOOPBACK, NO_CONTENT, guard, open, request, send};
use crate::egress::{AllowedDestination, AllowedHost, GuardedClient};

// A server's certificate for `hooks.example`, its key, and the authority behind it. Made for these tests alone.
const AUTHORITY: &[u8] = include_bytes!("authority.der");
const CERTIFICATE: &[u8] = include_bytes!("server.der");
const KEY: &[u8] = include_bytes!("server-key.der");

async fn tls_server() -> u16 {
    let listener = TcpListener::bind((LOOPBACK, 0)).await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let key = PrivateKeyDer::try_from(KEY.to_vec()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = versions.with_no_client_auth().with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("a configuration")));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(socket).await else { continue };
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n{}") && stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {}
            let _ = stream.write_all(NO_CONTENT.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

fn trusting(guard: GuardedClient) -> GuardedClient {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(AUTHORITY)).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    guard.trusting(versions.with_root_certificates(roots).with_no_client_auth())
}

fn inner() -> GuardedClient {
    guard(vec![AllowedDestination { host: AllowedHost::Below("example".to_owned()), port: None }])
}

#[tokio::test]
async fn a_trusted_certificate_with_the_name_is_accepted() {
    let port = tls_server().await;
    for host in ["hooks.example", "HOOKS.example", "hooks.example."] {
        let answer = send(&trusting(inner()), &format!("https://{host}:{port}/")).await;
        assert_eq!(answer.map(|answer| answer.status), Ok(204), "{host}");
    }
}

#[tokio::test]
async fn other_names_and_authorities_are_not() {
    let port = tls_server().await;
    let untrusted = Err(OutboundError::Connect("the certificate is not trusted".to_owned()));
    assert_eq!(send(&trusting(inner()), &format!("https://other.example:{port}/")).await, untrusted);
    assert_eq!(send(&trusting(open()), &format!("https://127.0.0.1:{port}/")).await, untrusted);
    assert_eq!(send(&inner(), &format!("https://hooks.example:{port}/")).await, untrusted);
}

#[tokio::test]
async fn nothing_goes_out_in_clear_where_tls_was_asked_for() {
    let mut canary = Canary::new("HTTP/1.1 200 OK\r\n\r\n").await;
    let url = format!("https://hooks.example:{}/", canary.port);
    let short = OutboundRequest { time_limit: Duration::from_millis(200), ..request(&url) };
    assert!(trusting(inner()).send(short).await.is_err());
    assert!(canary.requests.try_recv().is_err());
    assert_eq!(canary.connections(), 1);
}

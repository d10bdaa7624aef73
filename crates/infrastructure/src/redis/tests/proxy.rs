//! A way to a server that can be cut.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Everything passes.
    Open,
    /// Connections stand and nothing passes, as behind a cut cable.
    Silent,
    /// Connections are closed, and new ones at once.
    Closed,
}

/// Forwards connections to a server.
pub(crate) struct Proxy {
    address: SocketAddr,
    way: watch::Sender<Way>,
}

impl Proxy {
    /// An open way to the server at `url`.
    pub(crate) async fn to(url: &str) -> Self {
        let target = url.rsplit(['/', '@']).find(|part| part.contains(':')).unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (way, state) = watch::channel(Way::Open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, target.clone(), state.clone()));
            }
        });
        Self { address, way }
    }

    /// Host and port of its beginning.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of Redis over this way.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn forward(mut client: TcpStream, target: String, mut way: watch::Receiver<Way>) {
    if *way.borrow() == Way::Closed {
        return;
    }
    let Ok(mut server) = TcpStream::connect(&target).await else { return };
    loop {
        let now = *way.borrow_and_update();
        match now {
            Way::Open => tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => return,
                _ = way.changed() => {}
            },
            Way::Silent => {
                if way.changed().await.is_err() {
                    return;
                }
            }
            Way::Closed => return,
        }
    }
}

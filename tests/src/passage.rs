//! A way to a server that tests may cut off.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Everything passes.
    Open,
    /// Connections stand and nothing passes, as behind a cut cable.
    Silent,
    /// Connections are closed, and new ones at once, as while the server is stopped.
    Closed,
}

/// A way to one server. It ends with the test.
#[derive(Debug)]
pub struct Passage {
    address: SocketAddr,
    way: watch::Sender<Way>,
}

impl Passage {
    /// A way to `host:port`, as it is first.
    pub async fn to(target: &str, first: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let (way, state) = watch::channel(first);
        let target = target.to_owned();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, target.clone(), state.clone()));
            }
        });
        Self { address, way }
    }

    /// Where it begins.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what happens on it.
    pub fn set(&self, way: Way) {
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

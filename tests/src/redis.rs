//! A Redis that tests may cut off and empty: behind a way of a test's own.

use std::net::SocketAddr;

use crewd_test_services::Service;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens on the way to Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Everything passes.
    Open,
    /// Connections stand and nothing passes, as behind a cut cable.
    Silent,
    /// Connections are closed, and new ones at once, as while Redis is stopped.
    Closed,
}

/// A way to Redis with a prefix of its own. It ends with the test.
#[derive(Debug)]
pub struct TestRedis {
    address: SocketAddr,
    target: String,
    prefix: String,
    way: watch::Sender<Way>,
}

impl TestRedis {
    /// An open way; `None` where there is no Redis. `name` tells tests apart.
    pub async fn open(name: &str) -> Option<Self> {
        let url = Service::Redis.url()?;
        let target = url.rsplit(['/', '@']).find(|part| part.contains(':')).expect("an address with a port").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let (way, state) = watch::channel(Way::Open);
        let to = target.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, to.clone(), state.clone()));
            }
        });
        let redis = Self { address, target, prefix: format!("crewd-e2e-{name}-{}", std::process::id()), way };
        redis.empty().await;
        Some(redis)
    }

    /// `APP_REDIS_URL`.
    pub fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    /// The address with a password that Redis does not accept.
    pub fn url_with_password(&self, password: &str) -> String {
        format!("redis://:{password}@{}/0", self.address)
    }

    /// `APP_REDIS_PREFIX`.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Changes what happens on the way.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// Removes all that the installation has in Redis, as a flush does, and leaves other tests alone.
    pub async fn empty(&self) {
        let script = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end return 'OK'";
        let answer = self.ask(&["EVAL", script, "0", &format!("{}:*", self.prefix)]).await;
        assert_eq!(answer, "$2", "Redis was emptied");
    }

    /// The first line of the answer to a command.
    async fn ask(&self, command: &[&str]) -> String {
        let mut connection = TcpStream::connect(&self.target).await.expect("Redis listens");
        let mut text = format!("*{}\r\n", command.len());
        for part in command {
            text.push_str(&format!("${}\r\n{part}\r\n", part.len()));
        }
        connection.write_all(text.as_bytes()).await.expect("Redis listens");
        let mut line = String::new();
        BufReader::new(connection).read_line(&mut line).await.expect("Redis answers");
        line.trim_end().to_owned()
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

//! A Redis that tests may cut off and empty: behind a way of a test's own.

use crewd_test_services::Service;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::passage::{Passage, Way};

/// A way to Redis with a prefix of its own. It ends with the test.
#[derive(Debug)]
pub struct TestRedis {
    passage: Passage,
    target: String,
    prefix: String,
}

impl TestRedis {
    /// An open way; `None` where there is no Redis. `name` tells tests apart.
    pub async fn open(name: &str) -> Option<Self> {
        let url = Service::Redis.url()?;
        let target = url.rsplit(['/', '@']).find(|part| part.contains(':')).expect("an address with a port").to_owned();
        let passage = Passage::to(&target, Way::Open).await;
        let redis = Self { passage, target, prefix: format!("crewd-e2e-{name}-{}", std::process::id()) };
        redis.empty().await;
        Some(redis)
    }

    /// `APP_REDIS_URL`.
    pub fn url(&self) -> String {
        format!("redis://{}/0", self.passage.address())
    }

    /// The address with a password that Redis does not accept.
    pub fn url_with_password(&self, password: &str) -> String {
        format!("redis://:{password}@{}/0", self.passage.address())
    }

    /// `APP_REDIS_PREFIX`.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Changes what happens on the way.
    pub fn set(&self, way: Way) {
        self.passage.set(way);
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

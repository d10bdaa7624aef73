//! Hints over Redis: a channel for logs and orders, a stream with a consumer group for work.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::streams::StreamReadReply;
use redis::{Cmd, RedisError, Script};
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::RedisLink;
use super::failure::Away;
use crate::queue::hints::{Carried, HintBatch, HintReceiver, HintTransport, TransportError, wire};

/// The group that all workers read as: each entry goes to one of them.
const GROUP: &str = "workers";
/// Entries are taken out as soon as they are read, so it does not matter under whose name.
const CONSUMER: &str = "crewd";
/// How long one read waits. Short, because a connection may be half open.
const BLOCK: Duration = Duration::from_secs(4);
/// Logs in one message at most, and as many runs.
const MOST_IN_MESSAGE: usize = 512;
/// Entries of the stream, about.
const MOST_ENTRIES: u64 = 100_000;
/// Entries that one comparison adds at most.
const MOST_ADDED: u64 = 10_000;
/// How often the channel is asked whether it is alive.
const PING: Duration = Duration::from_secs(2);
/// How often the stream is compared with the queue.
const COMPARED: Duration = Duration::from_secs(10);
/// An entry that was read and not taken out for so long was read by a process that died.
const LEFT: Duration = Duration::from_secs(30);

/// Makes the length of the stream what it should be.
const CORRECT: &str = r"
redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
local left = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], '0-0', 'COUNT', 1000, 'JUSTID')[2]
for _, id in ipairs(left) do
  redis.call('XACK', KEYS[1], ARGV[1], id)
  redis.call('XDEL', KEYS[1], id)
end
local wanted = tonumber(ARGV[4])
local length = redis.call('XLEN', KEYS[1])
if length > wanted then
  redis.call('XTRIM', KEYS[1], 'MAXLEN', wanted)
end
for _ = 1, math.min(wanted - length, tonumber(ARGV[5])) do
  redis.call('XADD', KEYS[1], '*', 'run', '')
end
return wanted - length
";

/// Carries hints over Redis.
pub struct RedisHints {
    link: RedisLink,
    queue: String,
    channel: String,
    correct: Script,
    /// Reads of work block, so they have a connection of their own.
    reader: Mutex<Option<MultiplexedConnection>>,
}

impl RedisHints {
    /// Hints over this link.
    #[must_use]
    pub fn new(link: RedisLink) -> Self {
        let (queue, channel) = (link.key("queue"), link.key("hints"));
        Self { link, queue, channel, correct: Script::new(CORRECT), reader: Mutex::new(None) }
    }

    fn add(&self) -> Cmd {
        let mut command = redis::cmd("XADD");
        command.arg(&self.queue).arg("MAXLEN").arg("~").arg(MOST_ENTRIES).arg("*").arg("run").arg("");
        command
    }

    async fn subscribe(&self) -> Result<(PubSubSink, PubSubStream), Away> {
        let connecting = async {
            let (mut sink, stream) = self.link.client().get_async_pubsub().await?.split();
            sink.subscribe(&self.channel).await?;
            Ok::<_, RedisError>((sink, stream))
        };
        let connected = timeout(self.link.connect_timeout() + self.link.timeout(), connecting).await;
        connected.map_err(|_| Away::no_answer())?.map_err(|error| Away::from(&error))
    }

    async fn hear(&self, receiver: &HintReceiver) -> Result<(), Away> {
        self.link.connected().await;
        let (mut sink, mut messages) = self.subscribe().await?;
        let mut pings = interval(PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) => {
                        if let Some(batch) = wire::heard(self.link.origin(), message.get_payload_bytes()) {
                            receiver.receive(&batch);
                        }
                    }
                    None => return Err(Away::new("the connection was closed")),
                },
                _ = pings.tick() => {
                    let pinged = timeout(self.link.timeout(), sink.ping::<redis::Value>()).await;
                    pinged.map_err(|_| Away::no_answer())?.map_err(|error| Away::from(&error))?;
                }
            }
        }
    }

    /// Reads under the group, which is made again if it is gone: somebody may have emptied Redis.
    async fn read(&self, reader: &mut MultiplexedConnection, most: usize) -> Result<StreamReadReply, RedisError> {
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(CONSUMER).arg("COUNT").arg(most);
        command.arg("BLOCK").arg(BLOCK.as_millis()).arg("STREAMS").arg(&self.queue).arg(">");
        match command.query_async(reader).await {
            Err(error) if matches!(error.code(), Some("NOGROUP" | "UNBLOCKED")) => {
                let mut create = redis::cmd("XGROUP");
                create.arg("CREATE").arg(&self.queue).arg(GROUP).arg("0").arg("MKSTREAM");
                match create.query_async::<()>(reader).await {
                    Err(error) if error.code() != Some("BUSYGROUP") => return Err(error),
                    // Made, by this process or another.
                    _ => {}
                }
                command.query_async(reader).await
            }
            answer => answer,
        }
    }

    async fn take(&self, reader: &mut MultiplexedConnection, most: usize) -> Result<usize, RedisError> {
        let answer = self.read(reader, most).await?;
        let ids: Vec<&String> = answer.keys.iter().flat_map(|stream| &stream.ids).map(|entry| &entry.id).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let mut done = redis::pipe();
        done.cmd("XACK").arg(&self.queue).arg(GROUP).arg(&ids).ignore();
        done.cmd("XDEL").arg(&self.queue).arg(&ids).ignore();
        done.query_async::<()>(reader).await?;
        Ok(ids.len())
    }
}

#[async_trait]
impl HintTransport for RedisHints {
    async fn send(&self, hints: &HintBatch) -> Result<Carried, TransportError> {
        let mut pipeline = redis::pipe();
        // Orders first: somebody waits for a run to stop.
        for message in wire::messages(self.link.origin(), 0, hints, MOST_IN_MESSAGE) {
            pipeline.cmd("PUBLISH").arg(&self.channel).arg(message).ignore();
        }
        for _ in 0..hints.work {
            pipeline.add_command(self.add()).ignore();
        }
        self.link.pipeline::<()>(&pipeline).await?;
        Ok(Carried::Told)
    }

    async fn listen(&self, receiver: &HintReceiver) -> TransportError {
        match self.hear(receiver).await {
            Ok(()) => TransportError("it ended".to_owned()),
            Err(away) => away.into(),
        }
    }

    async fn next_work(&self, most: usize) -> Result<usize, TransportError> {
        self.link.connected().await;
        let mut reader = self.reader.lock().await;
        let mut connection = match reader.take() {
            Some(connection) => connection,
            None => self.link.own_connection(BLOCK + self.link.timeout()).await?,
        };
        let runs = self.take(&mut connection, most).await.map_err(|error| Away::from(&error))?;
        *reader = Some(connection);
        Ok(runs)
    }

    async fn hand_on(&self, runs: usize) -> Result<(), TransportError> {
        let batch = HintBatch { work: runs, ..HintBatch::default() };
        self.send(&batch).await.map(drop)
    }

    async fn is_time_to_compare(&self) -> Result<bool, TransportError> {
        let mut command = redis::cmd("SET");
        command.arg(self.link.key("queue:compared")).arg(self.link.origin().to_string());
        command.arg("NX").arg("PX").arg(COMPARED.as_millis());
        let set: Option<String> = self.link.query(&command).await?;
        Ok(set.is_some())
    }

    async fn correct(&self, queued: u64) -> Result<(), TransportError> {
        let mut script = self.correct.prepare_invoke();
        script.key(&self.queue).arg(GROUP).arg(CONSUMER).arg(LEFT.as_millis());
        script.arg(queued.min(MOST_ENTRIES)).arg(MOST_ADDED);
        let missing: i64 = self.link.script(&script).await?;
        if missing != 0 {
            tracing::debug!(missing, queued, "the stream of queued runs was corrected");
        }
        Ok(())
    }
}

//! How hints are written on a channel.

use std::num::NonZeroUsize;

use crewd_domain::shared::{RunId, TaskId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::HintBatch;

/// One message. Short names: there are many of them.
#[derive(Debug, Deserialize, Serialize)]
struct Message {
    /// Who says it.
    #[serde(rename = "o")]
    origin: Uuid,
    /// How many runs were queued.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    work: Option<NonZeroUsize>,
    /// Logs that have grown.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    events: Vec<(TaskId, u64)>,
    /// Runs that an order may wait for.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    orders: Vec<RunId>,
}

/// The messages that tell of so much work and of the logs and orders of a batch, each of at most `most` logs and as many
/// runs.
pub(crate) fn messages(origin: Uuid, work: usize, batch: &HintBatch, most: usize) -> Vec<String> {
    let (mut events, mut orders) = (batch.events.chunks(most), batch.orders.chunks(most));
    let mut work = work;
    let mut messages = Vec::new();
    loop {
        let message = Message {
            origin,
            work: NonZeroUsize::new(std::mem::take(&mut work)),
            events: events.next().unwrap_or_default().to_vec(),
            orders: orders.next().unwrap_or_default().to_vec(),
        };
        if message.work.is_none() && message.events.is_empty() && message.orders.is_empty() {
            return messages;
        }
        messages.extend(serde_json::to_string(&message));
    }
}

/// What another process says; `None` for one's own words and for what is no message.
pub(crate) fn heard(origin: Uuid, payload: &[u8]) -> Option<HintBatch> {
    let message: Message = serde_json::from_slice(payload).ok()?;
    let work = message.work.map_or(0, NonZeroUsize::get);
    (message.origin != origin).then_some(HintBatch { work, events: message.events, orders: message.orders })
}

#[cfg(test)]
mod tests {
    use crewd_application::testing::ids::SequenceIds;

    use super::*;

    #[test]
    fn what_is_said_is_heard_by_others_alone() {
        let [me, other] = [1, 2].map(SequenceIds::id);
        let events: Vec<_> = (0..1_200).map(|number| (TaskId::new(SequenceIds::id(number + 10)), number)).collect();
        let batch = HintBatch { work: 3, events, orders: vec![RunId::new(SequenceIds::id(5))] };
        let messages = messages(me, 2, &batch, 512);
        assert_eq!(messages.len(), 3);
        assert!(messages.iter().all(|message| heard(me, message.as_bytes()).is_none()));
        let heard: Vec<_> = messages.iter().filter_map(|message| heard(other, message.as_bytes())).collect();
        assert_eq!(heard.iter().flat_map(|heard| heard.events.clone()).collect::<Vec<_>>(), batch.events);
        assert_eq!(heard.iter().flat_map(|heard| heard.orders.clone()).collect::<Vec<_>>(), batch.orders);
        assert_eq!(heard.iter().map(|heard| heard.work).sum::<usize>(), 2);
    }

    #[test]
    fn nothing_to_say_is_no_message_and_noise_is_none() {
        let me = SequenceIds::id(1);
        assert!(messages(me, 0, &HintBatch { work: 2, ..HintBatch::default() }, 1).is_empty());
        for noise in ["", "{}", "[1]", "{\"o\":\"x\"}", "{\"o\":\"00000000-0000-0000-0000-000000000009\",\"e\":[[1]]}"] {
            assert_eq!(heard(me, noise.as_bytes()), None, "{noise}");
        }
    }
}

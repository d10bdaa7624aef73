//! How hints are written on the channel.

use crewd_domain::shared::{RunId, TaskId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::queue::hints::HintBatch;

/// Logs in one message at most.
const MOST_EVENTS: usize = 512;

/// One message. Short names: there are many of them.
#[derive(Debug, Deserialize, Serialize)]
struct Message {
    /// Who says it.
    #[serde(rename = "o")]
    origin: Uuid,
    /// Logs that have grown.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    events: Vec<(TaskId, u64)>,
    /// Runs that an order may wait for.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    orders: Vec<RunId>,
}

/// The messages of a batch. Work is told in another way.
pub(super) fn messages(origin: Uuid, batch: &HintBatch) -> Vec<String> {
    let mut chunks = batch.events.chunks(MOST_EVENTS);
    let first = Message { origin, events: chunks.next().unwrap_or_default().to_vec(), orders: batch.orders.clone() };
    let others = chunks.map(|events| Message { origin, events: events.to_vec(), orders: Vec::new() });
    std::iter::once(first)
        .filter(|message| !message.events.is_empty() || !message.orders.is_empty())
        .chain(others)
        .filter_map(|message| serde_json::to_string(&message).ok())
        .collect()
}

/// What another process says; `None` for one's own words and for what is no message.
pub(super) fn heard(origin: Uuid, payload: &[u8]) -> Option<HintBatch> {
    let message: Message = serde_json::from_slice(payload).ok()?;
    (message.origin != origin).then_some(HintBatch { work: 0, events: message.events, orders: message.orders })
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
        let messages = messages(me, &batch);
        assert_eq!(messages.len(), 3);
        assert!(messages.iter().all(|message| heard(me, message.as_bytes()).is_none()));
        let heard: Vec<_> = messages.iter().filter_map(|message| heard(other, message.as_bytes())).collect();
        assert_eq!(heard.iter().flat_map(|heard| heard.events.clone()).collect::<Vec<_>>(), batch.events);
        assert_eq!(heard.iter().flat_map(|heard| heard.orders.clone()).collect::<Vec<_>>(), batch.orders);
        assert_eq!(heard.iter().map(|heard| heard.work).sum::<usize>(), 0);
    }

    #[test]
    fn nothing_to_say_is_no_message_and_noise_is_none() {
        let me = SequenceIds::id(1);
        assert!(messages(me, &HintBatch { work: 2, ..HintBatch::default() }).is_empty());
        for noise in ["", "{}", "[1]", "{\"o\":\"x\"}", "{\"o\":\"00000000-0000-0000-0000-000000000009\",\"e\":[[1]]}"] {
            assert_eq!(heard(me, noise.as_bytes()), None, "{noise}");
        }
    }
}

//! Events that other processes wrote.

use std::sync::Arc;

use crewd_application::ports::{EventTail, StoreError};

use super::LocalEventStream;

/// Notices events of tasks that are watched here and written elsewhere, by asking the database how long their logs
/// are. It has no timer: whoever owns it calls [`ForeignEvents::tick`], four times a second for example.
pub struct ForeignEvents {
    stream: LocalEventStream,
    tail: Arc<dyn EventTail>,
}

/// How many tasks one question names: databases bound the number of parameters of a statement.
const TASKS_PER_QUESTION: usize = 500;

impl ForeignEvents {
    /// Watches for the subscribers of this stream.
    #[must_use]
    pub fn new(stream: LocalEventStream, tail: Arc<dyn EventTail>) -> Self {
        Self { stream, tail }
    }

    /// Looks once, and lets subscribers read again whose task has events they were not told of. Asks nothing while
    /// nobody is subscribed.
    ///
    /// # Errors
    /// Those of the store. The next tick makes good for it.
    pub async fn tick(&self) -> Result<(), StoreError> {
        let tasks: Vec<_> = self.stream.subscribed_tasks().into_iter().map(|(task, _)| task).collect();
        for some in tasks.chunks(TASKS_PER_QUESTION) {
            for (task, seq) in self.tail.last_seqs(some).await? {
                self.stream.hint_read_again(task, seq);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use async_trait::async_trait;
    use crewd_application::ports::{EventStream, IdGenerator, StreamHint};
    use crewd_application::testing::event_stream::numbered_event;
    use crewd_application::testing::ids::SequenceIds;
    use crewd_domain::shared::TaskId;
    use futures::FutureExt;

    use super::*;

    #[derive(Default)]
    struct FakeTail {
        logs: Mutex<HashMap<TaskId, u64>>,
        questions: Mutex<Vec<usize>>,
    }

    #[async_trait]
    impl EventTail for FakeTail {
        async fn last_seqs(&self, tasks: &[TaskId]) -> Result<Vec<(TaskId, u64)>, StoreError> {
            self.questions.lock().unwrap().push(tasks.len());
            let logs = self.logs.lock().unwrap();
            Ok(tasks.iter().filter_map(|task| Some((*task, *logs.get(task)?))).collect())
        }
    }

    fn set_up() -> (LocalEventStream, Arc<FakeTail>, ForeignEvents) {
        let (stream, tail) = (LocalEventStream::default(), Arc::new(FakeTail::default()));
        let foreign = ForeignEvents::new(stream.clone(), tail.clone());
        (stream, tail, foreign)
    }

    #[tokio::test]
    async fn foreign_events_are_told_once_and_own_ones_are_not() {
        let (stream, tail, foreign) = set_up();
        let task = TaskId::new(SequenceIds::id(1));
        let mut reader = stream.subscribe(task);
        stream.publish(&[numbered_event(task, 1)]);
        assert!(matches!(reader.next().await, StreamHint::Event(_)));
        tail.logs.lock().unwrap().insert(task, 1);
        foreign.tick().await.unwrap();
        assert!(reader.next().now_or_never().is_none(), "it knows the event");
        tail.logs.lock().unwrap().insert(task, 4);
        foreign.tick().await.unwrap();
        foreign.tick().await.unwrap();
        assert!(matches!(reader.next().await, StreamHint::ReadAgain));
        assert!(reader.next().now_or_never().is_none(), "told once");
    }

    #[tokio::test]
    async fn nothing_is_asked_while_nobody_listens_and_many_are_asked_for_in_parts() {
        let (stream, tail, foreign) = set_up();
        drop(stream.subscribe(TaskId::new(SequenceIds::id(1))));
        foreign.tick().await.unwrap();
        assert!(tail.questions.lock().unwrap().is_empty());
        let ids = SequenceIds::default();
        let readers: Vec<_> = (0..1_200).map(|_| stream.subscribe(TaskId::new(ids.next_id()))).collect();
        foreign.tick().await.unwrap();
        assert_eq!(*tail.questions.lock().unwrap(), [500, 500, 200]);
        drop(readers);
    }
}

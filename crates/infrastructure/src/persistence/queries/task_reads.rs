//! Reads of single tasks, gathered.
//!
//! Many clients ask for their task again and again. On a server each question is a trip, so that those which come while
//! others are under way are asked together. Who is alone waits for nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crewd_application::ports::{StoreError, TaskView};
use crewd_domain::shared::{TaskId, TenantId};
use tokio::sync::oneshot;

use super::run_queries::SeaRunQueries;
use crate::persistence::error::{again, closed};

/// Questions that are under way at once.
const AT_ONCE: usize = 1;
/// The next questions gather for no longer.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// Tasks of one question.
const TOGETHER: usize = 64;

type Answer = Result<Option<TaskView>, StoreError>;

/// Who asks for tasks now.
#[derive(Clone, Default)]
pub(super) struct TaskReads {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    waiting: Vec<Request>,
    under_way: usize,
}

struct Request {
    tenant: TenantId,
    id: TaskId,
    answer: oneshot::Sender<Answer>,
}

/// One of the questions under way; gives its place back however it ends.
struct Place {
    reads: TaskReads,
    is_held: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_held {
            self.reads.state().under_way -= 1;
        }
    }
}

impl Place {
    /// The next questions, by tenant: no statement ever speaks of two. With none left the place is given back in the same
    /// moment, so that whoever comes then asks for itself.
    fn take(&mut self) -> BTreeMap<TenantId, Vec<Request>> {
        let mut state = self.reads.state();
        let count = state.waiting.len().min(TOGETHER);
        if count == 0 {
            state.under_way -= 1;
            self.is_held = false;
        }
        let mut taken: BTreeMap<TenantId, Vec<Request>> = BTreeMap::new();
        for request in state.waiting.drain(..count) {
            taken.entry(request.tenant.clone()).or_default().push(request);
        }
        taken
    }
}

impl TaskReads {
    /// Reads a task, together with those that others want at this moment.
    pub(super) async fn read(&self, queries: &SeaRunQueries, tenant: &TenantId, id: TaskId) -> Answer {
        let (answer, answered) = oneshot::channel();
        let place = {
            let mut state = self.state();
            state.waiting.push(Request { tenant: tenant.clone(), id, answer });
            (state.under_way < AT_ONCE).then(|| {
                state.under_way += 1;
                Place { reads: self.clone(), is_held: true }
            })
        };
        if let Some(place) = place {
            // A task of its own: others wait for the answers even if this caller goes away.
            tokio::spawn(ask_all(place, queries.clone()));
        }
        answered.await.map_err(|_| closed())?
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask_all(mut place: Place, queries: SeaRunQueries) {
    loop {
        let taken = place.take();
        if taken.is_empty() {
            return;
        }
        let started = Instant::now();
        let count: usize = taken.values().map(Vec::len).sum();
        for (tenant, requests) in taken {
            let ids: Vec<TaskId> = requests.iter().map(|request| request.id).collect();
            let result = queries.read_tasks(&tenant, &ids).await;
            for request in requests {
                let answer = match &result {
                    Ok(views) => Ok(views.iter().find(|view| view.task.id == request.id).cloned()),
                    Err(error) => Err(again(error)),
                };
                // Who no longer listens is left alone.
                let _ = request.answer.send(answer);
            }
        }
        if count > 1 {
            // As long as that took the next questions gather: who asks without end takes half of the time at most.
            tokio::time::sleep(started.elapsed().min(LONGEST_PAUSE)).await;
        }
    }
}

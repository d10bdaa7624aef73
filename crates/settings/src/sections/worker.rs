//! How many runs at once, and how far one run may go.

use std::time::Duration;

use crate::reader::Reader;
use crate::variable::Variable;

pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("worker.slots", "APP_WORKER_SLOTS"),
    Variable::new("worker.crew_execution_timeout", "APP_CREW_EXECUTION_TIMEOUT"),
    Variable::new("worker.max_iterations_per_task", "APP_MAX_ITERATIONS_PER_TASK"),
    Variable::new("worker.max_tokens_per_task", "APP_MAX_TOKENS_PER_TASK"),
    Variable::new("worker.drain_timeout", "APP_DRAIN_TIMEOUT"),
];

const ONE_WEEK_IN_SECONDS: f64 = 604_800.0;

/// The `worker` section.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Runs at once in this process; they mostly wait for models.
    pub slots: usize,
    /// The longest one run may take unless its task says otherwise.
    pub crew_execution_timeout: Duration,
    /// Model calls one crew task may make before it is stopped as a loop.
    pub max_iterations_per_task: u32,
    /// Tokens one task may use before it is stopped.
    pub max_tokens_per_task: u64,
    /// How long running work may go on after a request to stop.
    pub drain_timeout: Duration,
}

impl WorkerSettings {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        Self {
            slots: reader.number("worker.slots", 1..=100_000),
            crew_execution_timeout: reader.seconds("worker.crew_execution_timeout", ONE_WEEK_IN_SECONDS),
            max_iterations_per_task: reader.number("worker.max_iterations_per_task", 1..=100_000),
            max_tokens_per_task: reader.number("worker.max_tokens_per_task", 1..=1_000_000_000_000),
            drain_timeout: reader.seconds("worker.drain_timeout", 3_600.0),
        }
    }
}

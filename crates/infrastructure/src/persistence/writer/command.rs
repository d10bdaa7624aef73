//! What the writer can be asked.

use std::time::Duration;

use crewd_application::ports::{ClaimedRun, Fairness, StoreError, UnitOfWork};
use crewd_domain::shared::WorkerId;
use tokio::sync::{mpsc, oneshot};

use super::script::Script;
use crate::persistence::error::closed;

/// Commands that may wait before senders have to.
pub(super) const QUEUE: usize = 1_024;

/// Where an answer goes.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// A worker that wants runs.
#[derive(Clone, Copy, Debug)]
pub(in crate::persistence) struct ClaimRequest {
    pub(in crate::persistence) worker: WorkerId,
    pub(in crate::persistence) limit: u32,
    pub(in crate::persistence) lease: Duration,
    pub(in crate::persistence) fairness: Fairness,
}

/// One thing to do, and where to say how it went.
pub(in crate::persistence) enum Command {
    Commit(UnitOfWork, Answer<()>),
    Claim(ClaimRequest, Answer<Vec<ClaimedRun>>),
    Execute(Script, Answer<Vec<u64>>),
    /// Finish what is queued and end.
    Close,
}

impl Command {
    pub(super) const fn is_close(&self) -> bool {
        matches!(self, Self::Close)
    }
}

/// The way to the writer.
#[derive(Clone, Debug)]
pub(in crate::persistence) struct WriterHandle {
    commands: mpsc::Sender<Command>,
}

impl WriterHandle {
    pub(super) const fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands }
    }

    pub(in crate::persistence) async fn commit(&self, unit: UnitOfWork) -> Result<(), StoreError> {
        self.ask(|answer| Command::Commit(unit, answer)).await
    }

    pub(in crate::persistence) async fn claim(&self, request: ClaimRequest) -> Result<Vec<ClaimedRun>, StoreError> {
        self.ask(|answer| Command::Claim(request, answer)).await
    }

    /// Executes a script in a transaction that survives a loss of power; how many rows each of its statements changed.
    pub(in crate::persistence) async fn execute(&self, script: Script) -> Result<Vec<u64>, StoreError> {
        self.ask(|answer| Command::Execute(script, answer)).await
    }

    /// Asks the writer to end after what is queued. Does not wait for it.
    pub(in crate::persistence) async fn close(&self) {
        // A writer that is gone is closed already.
        let _ = self.commands.send(Command::Close).await;
    }

    /// Whether there is a writer at the other end.
    pub(in crate::persistence) fn is_alive(&self) -> bool {
        !self.commands.is_closed()
    }

    async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command + Send) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        self.commands.send(command(sender)).await.map_err(|_| closed())?;
        receiver.await.map_err(|_| closed())?
    }
}

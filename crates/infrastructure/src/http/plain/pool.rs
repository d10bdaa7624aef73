//! Connections that wait for their next call.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::http::{IDLE_CONNECTION_TIME, IDLE_CONNECTIONS};

/// Idle connections, the one used last first: the others grow old and are closed.
#[derive(Clone, Default)]
pub(super) struct Pool {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Oldest first.
    idle: Vec<(Instant, TcpStream)>,
    /// Whether a task is there that closes old connections.
    swept: bool,
}

impl Pool {
    /// A connection that its server has not closed.
    pub(super) fn take(&self) -> Option<TcpStream> {
        loop {
            let (_, stream) = self.lock().idle.pop()?;
            // Whatever can be read from an idle connection, its end above all, makes it useless.
            let mut byte = [0];
            if matches!(stream.try_read(&mut byte), Err(error) if error.kind() == ErrorKind::WouldBlock) {
                return Some(stream);
            }
        }
    }

    /// Keeps a connection for the next call.
    pub(super) fn put(&self, stream: TcpStream) {
        let mut state = self.lock();
        if state.idle.len() >= IDLE_CONNECTIONS {
            return;
        }
        state.idle.push((Instant::now(), stream));
        if !state.swept {
            state.swept = true;
            tokio::spawn(self.clone().sweep());
        }
    }

    /// Closes old connections until there are none.
    async fn sweep(self) {
        loop {
            sleep(IDLE_CONNECTION_TIME).await;
            let mut state = self.lock();
            state.idle.retain(|(since, _)| since.elapsed() < IDLE_CONNECTION_TIME);
            if state.idle.is_empty() {
                state.idle.shrink_to_fit();
                state.swept = false;
                return;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Each change of the list is one step, so a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

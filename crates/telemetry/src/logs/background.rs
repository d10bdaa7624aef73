//! A thread that writes lines, in batches: waking a thread for each line would cost more than the line.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Bytes that may wait; lines beyond are dropped and counted, so that a full disk or a stopped terminal stops no run.
const LIMIT: usize = 16 * 1024 * 1024;
/// How long the first line of a batch waits for others.
const GATHER: Duration = Duration::from_millis(5);

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    dropped: AtomicUsize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way to the thread; cheap to clone.
#[derive(Clone)]
pub(crate) struct Lines(Arc<Shared>);

impl Lines {
    /// Takes a whole line. Never waits for the writer.
    pub(crate) fn push(&self, line: &[u8]) {
        let mut state = self.0.state();
        if state.waiting.len() + line.len() > LIMIT {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let was_empty = state.waiting.is_empty();
        state.waiting.extend_from_slice(line);
        drop(state);
        if was_empty {
            self.0.wake.notify_one();
        }
    }
}

/// Keeps the thread alive. Dropping it writes what waits and ends the thread.
pub(crate) struct LogThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl LogThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system has no thread to give.
    pub(crate) fn start(writer: impl Write + Send + 'static) -> std::io::Result<(Lines, Self)> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("crewd-log".to_owned()).spawn(move || write_all(&of_thread, writer))?;
        Ok((Lines(Arc::clone(&shared)), Self { shared, thread: Some(thread) }))
    }

    /// Lines that found no room.
    pub(crate) fn dropped(&self) -> usize {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for LogThread {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has said so; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

fn write_all(shared: &Shared, mut writer: impl Write) {
    let mut batch = Vec::new();
    loop {
        let closed = {
            let state = shared.wake.wait_while(shared.state(), |state| state.waiting.is_empty() && !state.closed);
            let state = state.unwrap_or_else(PoisonError::into_inner);
            let closed = state.closed;
            drop(state);
            if !closed {
                thread::sleep(GATHER);
            }
            std::mem::swap(&mut shared.state().waiting, &mut batch);
            closed
        };
        // Lines that cannot be written have nowhere else to go.
        let _ = writer.write_all(&batch).and_then(|()| writer.flush());
        if batch.capacity() > LIMIT / 16 {
            batch = Vec::new();
        }
        batch.clear();
        if closed && shared.state().waiting.is_empty() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Shelf(Arc<Mutex<Vec<u8>>>);

    impl Write for Shelf {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_before_the_thread_ends() {
        let shelf = Shelf::default();
        let (lines, thread) = LogThread::start(shelf.clone()).unwrap();
        for number in 0..1_000 {
            lines.push(format!("{number}\n").as_bytes());
        }
        assert_eq!(thread.dropped(), 0);
        drop(thread);
        let text = String::from_utf8(shelf.0.lock().unwrap().clone()).unwrap();
        let expected: String = (0..1_000).map(|number| format!("{number}\n")).collect();
        assert_eq!(text, expected);
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        struct Stuck(Arc<Mutex<()>>);
        impl Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                let _free = self.0.lock().unwrap();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let gate = Arc::new(Mutex::new(()));
        let held = gate.lock().unwrap();
        let (lines, thread) = LogThread::start(Stuck(gate.clone())).unwrap();
        let large = vec![b'x'; LIMIT / 2];
        for _ in 0..6 {
            lines.push(&large);
        }
        assert!(thread.dropped() >= 2, "two batches at most are on their way");
        drop(held);
    }
}

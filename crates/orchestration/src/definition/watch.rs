//! Reloads the catalogue when its files change.

use std::{
    sync::{
        Arc, Weak,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};

use super::catalog::FileCrewCatalog;

/// Editors write in several steps; a change counts once nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(100);
/// A folder that never comes to rest is read after this many waits.
const MOST_WAITS: u32 = 20;

/// The folder cannot be watched; the catalogue works, but changes need a restart.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The crews were given, not read from a folder.
    #[error("these crews do not come from a folder")]
    NoFolder,
    /// The system refuses to watch the folder, for example because it is missing.
    #[error("the folder of crews cannot be watched: {0}")]
    Refused(#[from] notify::Error),
    /// No thread could be started.
    #[error("no thread for watching crews: {0}")]
    NoThread(#[from] std::io::Error),
}

/// Keeps a catalogue up to date until it is dropped.
pub struct CatalogWatcher {
    watcher: Option<RecommendedWatcher>,
    thread: Option<JoinHandle<()>>,
}

impl CatalogWatcher {
    /// Watches the catalogue's folder; `after_reload` is called after each reload, on the watcher's thread.
    ///
    /// # Errors
    /// If the catalogue has no folder or the system cannot watch it.
    pub fn start(catalog: &Arc<FileCrewCatalog>, after_reload: impl Fn() + Send + 'static) -> Result<Self, WatchError> {
        let folder = catalog.folder().ok_or(WatchError::NoFolder)?.to_owned();
        let (changed, changes) = channel();
        let mut watcher = notify::recommended_watcher(move |event| announce(event, &changed))?;
        watcher.watch(&folder, RecursiveMode::Recursive)?;
        let weak = Arc::downgrade(catalog);
        let body = move || follow(&changes, &weak, &after_reload);
        let thread = thread::Builder::new().name("crew-watcher".into()).spawn(body)?;
        // What changed between the first reading and the watch would go unseen.
        catalog.reload();
        Ok(Self { watcher: Some(watcher), thread: Some(thread) })
    }
}

impl Drop for CatalogWatcher {
    fn drop(&mut self) {
        // The thread ends once nobody can send changes any more.
        drop(self.watcher.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn announce(event: notify::Result<Event>, changed: &Sender<()>) {
    match event {
        Ok(event) if is_change(event.kind) => {
            let _ = changed.send(());
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(%error, "watching crews");
            let _ = changed.send(());
        }
    }
}

/// Reading the files must not count, or each reload would cause the next.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

fn follow(changes: &Receiver<()>, catalog: &Weak<FileCrewCatalog>, after_reload: &impl Fn()) {
    while changes.recv().is_ok() {
        for _ in 0..MOST_WAITS {
            match changes.recv_timeout(QUIET) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        let Some(catalog) = catalog.upgrade() else { return };
        catalog.reload();
        after_reload();
    }
}

//! Living workers of this machine, by file locks.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crewd_application::ports::WorkerPresence;
use crewd_domain::shared::WorkerId;

/// Holds a locked file `<folder>/<worker id>.lock` for each worker of this process. The operating system frees the lock
/// when the process ends, however it ends; so a file that can be locked belongs to a dead worker.
///
/// Works between processes that share the folder on one machine. A file system that has no locks finds nobody dead,
/// and leases expire as usual.
#[derive(Debug)]
pub struct FilePresence {
    folder: PathBuf,
    held: Mutex<HashMap<WorkerId, File>>,
}

impl FilePresence {
    /// Keeps the files in this folder, which is made with the first announcement.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), held: Mutex::default() }
    }

    fn path(&self, worker: WorkerId) -> PathBuf {
        self.folder.join(format!("{worker}.lock"))
    }

    /// The file of a worker, locked, if nobody holds it.
    fn left_behind(&self, worker: WorkerId) -> Option<File> {
        let file = File::open(self.path(worker)).ok()?;
        file.try_lock().is_ok().then_some(file)
    }

    /// Workers with a file in the folder, whoever holds it.
    fn marked(&self) -> Vec<WorkerId> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter_map(|name| name.strip_suffix(".lock")?.parse().ok().map(WorkerId::new)).collect()
    }
}

impl WorkerPresence for FilePresence {
    fn announce(&self, worker: WorkerId) -> io::Result<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.contains_key(&worker) {
            return Ok(());
        }
        fs::create_dir_all(&self.folder)?;
        // Locked under another name first: a file that others can see is locked as long as its worker lives.
        let unlocked = self.folder.join(format!("{worker}.new"));
        let file = File::create(&unlocked)?;
        file.try_lock()?;
        fs::rename(&unlocked, self.path(worker))?;
        held.insert(worker, file);
        Ok(())
    }

    fn dead(&self) -> Vec<WorkerId> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let others = self.marked().into_iter().filter(|worker| !held.contains_key(worker));
        others.filter(|worker| self.left_behind(*worker).is_some()).collect()
    }

    fn forget(&self, workers: &[WorkerId]) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for worker in workers.iter().filter(|worker| !held.contains_key(worker)) {
            let Some(file) = self.left_behind(*worker) else { continue };
            if let Err(error) = fs::remove_file(self.path(*worker)) {
                tracing::debug!(worker.id = %worker, %error, "the mark of a dead worker could not be removed");
            }
            drop(file);
        }
    }
}

impl Drop for FilePresence {
    /// An orderly end leaves no files.
    fn drop(&mut self) {
        let held = self.held.get_mut().unwrap_or_else(PoisonError::into_inner);
        for worker in std::mem::take(held).into_keys() {
            if let Err(error) = fs::remove_file(self.path(worker)) {
                tracing::debug!(worker.id = %worker, %error, "the mark of this worker could not be removed");
            }
        }
    }
}

#[cfg(test)]
#[path = "presence_tests.rs"]
mod tests;

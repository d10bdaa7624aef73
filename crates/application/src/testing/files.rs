//! Run folders in memory, and what every store of run files must keep to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use crewd_domain::crews::output_file_problem;
use crewd_domain::shared::{RunId, TenantId};

use super::ids::SequenceIds;
use crate::ports::{FileError, RunFiles};

/// Keeps the files of runs in memory.
#[derive(Debug, Default)]
pub struct InMemoryRunFiles {
    files: Mutex<BTreeMap<(TenantId, RunId, String), Bytes>>,
    disk_is_full: AtomicBool,
}

impl InMemoryRunFiles {
    /// What is in a file; `None` without it.
    #[must_use]
    pub fn content(&self, tenant: &TenantId, run: RunId, path: &str) -> Option<Bytes> {
        let key = (tenant.clone(), run, path.to_owned());
        self.files.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    /// Lets writing fail from now on, or work again.
    pub fn set_disk_full(&self, full: bool) {
        self.disk_is_full.store(full, Ordering::SeqCst);
    }
}

#[async_trait]
impl RunFiles for InMemoryRunFiles {
    async fn write(
        &self,
        tenant: &TenantId,
        run: RunId,
        path: &str,
        content: Bytes,
        create_folder: bool,
    ) -> Result<(), FileError> {
        if let Some(problem) = output_file_problem(path) {
            return Err(FileError::NotAllowed(format!("it {problem}")));
        }
        if self.disk_is_full.load(Ordering::SeqCst) {
            return Err(FileError::Io(std::io::ErrorKind::StorageFull.into()));
        }
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((folder, _)) = path.rsplit_once('/') {
            let inside = format!("{folder}/");
            let exists = files.keys().any(|(owner, of, name)| owner == tenant && *of == run && name.starts_with(&inside));
            if !exists && !create_folder {
                return Err(FileError::NotFound(folder.to_owned()));
            }
        }
        files.insert((tenant.clone(), run, path.to_owned()), content);
        Ok(())
    }

    async fn inherit(&self, tenant: &TenantId, from: RunId, to: RunId) -> Result<(), FileError> {
        if self.disk_is_full.load(Ordering::SeqCst) {
            return Err(FileError::Io(std::io::ErrorKind::StorageFull.into()));
        }
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |run: RunId| move |((owner, of, _), _): &(&(TenantId, RunId, String), &Bytes)| owner == tenant && *of == run;
        let inherited: Vec<_> =
            files.iter().filter(of(from)).map(|((_, _, path), content)| (path.clone(), content.clone())).collect();
        for (path, content) in inherited {
            files.entry((tenant.clone(), to, path)).or_insert(content);
        }
        Ok(())
    }
}

/// Checks the promises of [`RunFiles`]; `read` looks into the folder of a run from outside. The store must be empty.
///
/// # Panics
/// Where one is broken.
pub async fn check_run_files(files: &dyn RunFiles, read: impl Fn(&TenantId, RunId, &str) -> Option<Vec<u8>>) {
    let tenant = TenantId::default_tenant();
    let (run, other) = (RunId::new(SequenceIds::id(1)), RunId::new(SequenceIds::id(2)));
    let text = |content: &'static str| Bytes::from_static(content.as_bytes());

    for content in ["one", "one", "two", ""] {
        assert!(files.write(&tenant, run, "answer.md", text(content), false).await.is_ok(), "a file at the top needs no folder");
        assert_eq!(read(&tenant, run, "answer.md").as_deref(), Some(content.as_bytes()), "the last content is the content");
    }
    assert_eq!(read(&tenant, other, "answer.md"), None, "a run has its own folder");

    let without_folder = files.write(&tenant, run, "a/b/c.txt", text("c"), false).await;
    assert!(matches!(without_folder, Err(FileError::NotFound(_))), "{without_folder:?}");
    assert!(files.write(&tenant, run, "a/b/c.txt", text("c"), true).await.is_ok());
    assert_eq!(read(&tenant, run, "a/b/c.txt").as_deref(), Some(b"c".as_slice()));
    assert!(files.write(&tenant, run, "a/b/d.txt", text("d"), false).await.is_ok(), "the folder is there now");

    let heir = RunId::new(SequenceIds::id(3));
    assert!(files.write(&tenant, heir, "answer.md", text("own"), false).await.is_ok());
    for _ in 0..2 {
        assert!(files.inherit(&tenant, run, heir).await.is_ok());
    }
    assert_eq!(read(&tenant, heir, "a/b/c.txt").as_deref(), Some(b"c".as_slice()), "files are inherited");
    assert_eq!(read(&tenant, heir, "answer.md").as_deref(), Some(b"own".as_slice()), "what is there stays");
    assert!(files.inherit(&tenant, other, heir).await.is_ok(), "nothing to inherit is no error");

    let long = "n".repeat(300);
    for path in
        ["", " ", "..", "../x", "a/../../x", "a/..", "/etc/passwd", "a/", "x\0y", "a\\b", "C:\\x", "C:x", "~/x", "$HOME/x", &long]
    {
        let answer = files.write(&tenant, run, path, text("x"), true).await;
        assert!(matches!(answer, Err(FileError::NotAllowed(_))), "{path:?}: {answer:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_fake_keeps_the_promises_of_the_port() {
        let files = InMemoryRunFiles::default();
        check_run_files(&files, |tenant, run, path| files.content(tenant, run, path).map(|content| content.to_vec())).await;
        files.set_disk_full(true);
        let answer = files.write(&TenantId::default_tenant(), RunId::new(SequenceIds::id(1)), "x", Bytes::new(), true).await;
        assert!(matches!(answer, Err(FileError::Io(_))));
    }
}

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use crewd_application::testing::files::check_run_files;
use crewd_application::testing::ids::SequenceIds;
use tempfile::TempDir;

use super::*;

struct Place {
    _folder: TempDir,
    root: PathBuf,
    files: JailedRunFiles,
    tenant: TenantId,
    run: RunId,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("files");
    let files = JailedRunFiles::new(&root);
    Place { _folder: folder, root, files, tenant: TenantId::default_tenant(), run: RunId::new(SequenceIds::id(1)) }
}

impl Place {
    fn of_run(&self) -> PathBuf {
        self.root.join(self.tenant.as_str()).join(self.run.to_string())
    }

    fn scratch(&self) -> PathBuf {
        self.root.join(self.tenant.as_str()).join(SCRATCH)
    }

    async fn write(&self, path: &str, content: &'static str) -> Result<(), FileError> {
        self.files.write(&self.tenant, self.run, path, Bytes::from_static(content.as_bytes()), true).await
    }

    fn write_new(&self, path: &str, content: &str) -> Result<(), JailError> {
        let path = JailPath::file(path)?;
        let how = (WriteMode::CreateOnly, true);
        self.files.write_now((&self.tenant, self.run), &path, content.as_bytes(), how, &Stop::default())
    }
}

#[tokio::test]
async fn run_files_keep_the_promises_of_the_port() {
    let place = place();
    let read = |tenant: &TenantId, run: RunId, path: &str| {
        fs::read(place.root.join(tenant.as_str()).join(run.to_string()).join(path)).ok()
    };
    check_run_files(&place.files, read).await;
    assert_eq!(fs::read_dir(place.scratch()).unwrap().count(), 0, "nothing half-written is left");
}

#[tokio::test]
async fn nothing_is_made_before_the_first_file() {
    let place = place();
    assert!(place.files.existing(&place.tenant, place.run).unwrap().is_none());
    assert!(!place.root.exists());
    place.write("a.txt", "a").await.unwrap();
    assert!(place.files.existing(&place.tenant, place.run).unwrap().is_some());
}

#[tokio::test]
async fn a_folder_is_no_file_and_a_file_no_folder() {
    let place = place();
    place.write("a/b.txt", "b").await.unwrap();
    for path in ["a", "a/b.txt/c.txt", "a/b.txt/c/d.txt"] {
        let answer = place.write(path, "x").await;
        assert!(matches!(answer, Err(FileError::NotAllowed(_))), "{path}: {answer:?}");
    }
}

#[test]
fn a_new_file_never_replaces_another_but_may_be_written_twice() {
    let place = place();
    place.write_new("a/new.txt", "one").unwrap();
    place.write_new("a/new.txt", "one").unwrap();
    for other in ["two", "longer", ""] {
        assert!(matches!(place.write_new("a/new.txt", other), Err(JailError::Exists)), "{other}");
    }
    assert_eq!(fs::read_to_string(place.of_run().join("a/new.txt")).unwrap(), "one");
    assert_eq!(fs::read_dir(place.scratch()).unwrap().count(), 0, "nothing half-written is left");
}

#[test]
fn of_many_who_make_a_file_at_once_one_wins() {
    let place = place();
    let made: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let place = &place;
                scope.spawn(move || usize::from(place.write_new("new.txt", &format!("by {writer}")).is_ok()))
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert_eq!(made, 1);
}

#[test]
fn a_reader_sees_one_content_or_the_other() {
    let place = place();
    let contents = ["a".repeat(100_000), "b".repeat(70_000)];
    let path = JailPath::file("big.txt").unwrap();
    let write = |content: &str| {
        let how = (WriteMode::Replace, true);
        place.files.write_now((&place.tenant, place.run), &path, content.as_bytes(), how, &Stop::default()).unwrap();
    };
    write(&contents[0]);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..100 {
                write(&contents[round % 2]);
            }
            is_over.store(true, Ordering::SeqCst);
        });
        while !is_over.load(Ordering::SeqCst) {
            let seen = fs::read_to_string(place.of_run().join("big.txt")).unwrap();
            assert!(contents.contains(&seen), "half a file of {} bytes", seen.len());
        }
    });
}

#[test]
fn stopped_work_changes_nothing() {
    let place = place();
    let stopped = Stop::default();
    let path = JailPath::file("a.txt").unwrap();
    stopped.set();
    let answer = place.files.write_now((&place.tenant, place.run), &path, b"a", (WriteMode::Replace, true), &stopped);
    assert!(matches!(answer, Err(JailError::Stopped)));
    assert_eq!(fs::read_dir(place.of_run()).unwrap().count(), 0);
}

#[test]
fn what_a_killed_process_left_is_in_nobodys_way() {
    let place = place();
    place.write_new("first.txt", "1").unwrap();
    let next = fs::read_dir(place.scratch()).unwrap().count();
    assert_eq!(next, 0);
    for number in 0..2_000 {
        fs::write(place.scratch().join(format!("{}-{number}", std::process::id())), "half").unwrap();
    }
    place.write_new("second.txt", "2").unwrap();
    assert_eq!(fs::read_to_string(place.of_run().join("second.txt")).unwrap(), "2");
}

#[cfg(unix)]
mod links {
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn a_link_that_leads_out_is_refused_and_one_that_stays_inside_is_not() {
        let place = place();
        let outside = tempfile::tempdir().unwrap();
        place.write("inside/a.txt", "a").await.unwrap();
        symlink(outside.path(), place.of_run().join("absolute")).unwrap();
        symlink("../../../..", place.of_run().join("relative")).unwrap();
        symlink("inside", place.of_run().join("stays")).unwrap();
        symlink("loop", place.of_run().join("loop")).unwrap();
        for path in ["absolute/x.txt", "absolute/new/x.txt", "relative/x.txt", "absolute", "relative", "loop"] {
            let answer = place.write(path, "x").await;
            assert!(matches!(answer, Err(FileError::NotAllowed(_))), "{path}: {answer:?}");
        }
        assert!(place.write("loop/x.txt", "x").await.is_err());
        place.write("stays/b.txt", "b").await.unwrap();
        assert_eq!(fs::read_to_string(place.of_run().join("inside/b.txt")).unwrap(), "b");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_file_is_not_written_through_a_link() {
        let place = place();
        place.write("target.txt", "before").await.unwrap();
        symlink("target.txt", place.of_run().join("link.txt")).unwrap();
        assert!(matches!(place.write("link.txt", "x").await, Err(FileError::NotAllowed(_))));
        assert_eq!(fs::read_to_string(place.of_run().join("target.txt")).unwrap(), "before");
    }

    #[tokio::test]
    async fn neither_tenant_nor_run_may_be_a_link_to_another() {
        let place = place();
        place.write("a.txt", "a").await.unwrap();
        let other_run = RunId::new(SequenceIds::id(2));
        symlink(place.run.to_string(), place.root.join("default").join(other_run.to_string())).unwrap();
        symlink("default", place.root.join("other")).unwrap();
        let other_tenant = TenantId::try_from("other".to_owned()).unwrap();
        for (tenant, run) in [(&place.tenant, other_run), (&other_tenant, place.run)] {
            assert!(place.files.existing(tenant, run).is_err());
            assert!(place.files.write(tenant, run, "b.txt", Bytes::new(), true).await.is_err());
        }
        assert_eq!(fs::read_dir(place.of_run()).unwrap().count(), 1);
    }
}

//! Somebody swaps a folder for a link that leads out, again and again, while files below it are read and written.

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crewd_application::testing::ids::SequenceIds;
use crewd_domain::shared::{RunId, TenantId};

use super::*;

const SWAPS: usize = 5_000;

/// Puts a link to `outside` where the folder is and back, and says at the end that it is over.
fn swap(folder: &Path, outside: &Path, is_over: &AtomicBool) {
    let aside = folder.with_file_name("aside");
    // While the folder is away, a writer may make a new one; it has to go again.
    let clear = || fs::remove_dir_all(folder).ok();
    for _ in 0..SWAPS {
        fs::rename(folder, &aside).unwrap();
        while symlink(outside, folder).is_err() {
            clear();
        }
        fs::remove_file(folder).unwrap();
        while fs::rename(&aside, folder).is_err() {
            clear();
        }
    }
    is_over.store(true, Ordering::SeqCst);
}

#[test]
fn reading_never_leaves_the_folder() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = inside.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("file.txt"), "inside").unwrap();
    fs::write(outside.path().join("file.txt"), "outside").unwrap();
    let jail = Jail::open_ambient(inside.path(), &["private".into()]).unwrap();
    let path = JailPath::file("folder/file.txt").unwrap();
    let is_over = AtomicBool::new(false);
    let mut read = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| swap(&folder, outside.path(), &is_over));
        while !is_over.load(Ordering::SeqCst) {
            if let Ok((mut file, _)) = jail.open_file(&path) {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                assert_eq!(text, "inside");
                read += 1;
            }
            if let Ok((entries, _)) = jail.open_folder(&path.parent()) {
                let inodes = |folder: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(folder).unwrap());
                let opened = cap_std::fs::MetadataExt::ino(&entries.dir_metadata().unwrap());
                assert_ne!(opened, inodes(outside.path()));
            }
        }
    });
    assert!(read > 0, "the test has read at all");
}

#[test]
fn writing_never_leaves_the_folder() {
    let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let files = JailedRunFiles::new(root.path());
    let (tenant, run) = (TenantId::default_tenant(), RunId::new(SequenceIds::id(1)));
    let path = JailPath::file("folder/new/file.txt").unwrap();
    let write = || files.write_now((&tenant, run), &path, b"x", (WriteMode::Replace, true), &Stop::default());
    write().unwrap();
    let folder = root.path().join(tenant.as_str()).join(run.to_string()).join("folder");
    let is_over = AtomicBool::new(false);
    let mut written = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| swap(&folder, outside.path(), &is_over));
        while !is_over.load(Ordering::SeqCst) {
            written += usize::from(write().is_ok());
        }
    });
    assert!(written > 0, "the test has written at all");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

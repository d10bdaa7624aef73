//! A full disk: a small file system in memory that is filled up under a working process.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::audit::{Entry, Figures, Known, audit, audit_rows};
use crate::fleet::{Fleet, Role};
use crate::marker::marker;
use crate::model::QUICK;
use crate::report::Invariant;
use crate::stage::{Context, ONE_CALL, Stage};
use crate::waiting::Waiting;

/// Submits that are tried while the disk is full.
const TRIED: usize = 40;

/// Runs the part, where a file system may be mounted.
pub(crate) async fn measure(context: &Context) {
    if let Some(server) = &context.server {
        let why = format!("the disk that fills up is that of SQLite's file; {} has its own", server.product());
        context.report.skip("disk", &why);
        return;
    }
    if !may_mount() {
        context.report.skip("disk", "this machine lets nobody mount a file system of his own (unshare -Urm)");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wrapper = wrapper(folder.path(), &context.binary);
    let mut stage = Stage::new(context, "disk", &wrapper).await;
    let mut fleet = Fleet::new(&stage);
    let process = fleet.add(Role::All).await;
    // The process sees its own mount there; from outside, its root is the way in.
    let data = PathBuf::from(format!("/proc/{}/root{}", fleet.pid(process), stage.home().data().display()));
    let first = submit(&stage, 0).await.expect("the first submit is accepted");
    let mut entries = vec![first];
    let report = &context.report;
    let filler = data.join("filler");
    fill(&filler);
    let mut refused = Vec::new();
    for number in 1..=TRIED {
        match submit(&stage, number).await {
            Ok(entry) => entries.push(entry),
            Err((marker, status, text)) => {
                let code = serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default()["code"].is_string();
                report
                    .check(Invariant::Health, (status == 503 || status == 507) && code, || format!("disk full: {status} {text}"));
                refused.push(marker);
            }
        }
        fill(&filler);
    }
    report.check(Invariant::Health, !refused.is_empty(), || "no submit was refused on a full disk".to_owned());
    let live = stage.api.once("GET", "/health/live", &[], None).await;
    report.check(Invariant::Health, live.is_some_and(|live| live.status == 200), || "not alive on a full disk".to_owned());
    std::fs::remove_file(&filler).expect("the filler can be removed");
    let freed = Instant::now();
    let tried = refused.len();
    for marker in refused {
        let id = stage.api.submit(ONE_CALL, &marker).await;
        entries.push(Entry { crew: ONE_CALL, marker, id });
    }
    let again = freed.elapsed();
    let mut waiting = Waiting::default();
    let left = waiting.all(&stage, &entries, Duration::from_secs(60)).await;
    report.check(Invariant::NoLoss, left == 0, || format!("disk: {left} tasks did not end"));
    report.check(Invariant::Recovery, again < Duration::from_secs(30), || format!("disk: submits took {again:?} to come back"));
    let mut figures = Figures::default();
    for entry in &entries {
        audit(&stage, entry, Known { seen: &[], history: &fleet.history, waiting: &waiting }, &mut figures).await;
    }
    // SQLite follows links to their end and would leave the process's view of its files: it reads a copy.
    let copy = folder.path().join("copy");
    copy_folder(&data, &copy);
    stage.look_into(&copy);
    audit_rows(&stage, entries.len()).await;
    report.figure("disk", "submits on a full disk, refused", format!("{TRIED}, {tried}"));
    report.figure("disk", "accepted again after", format!("{:.1} s, ends {:?}", again.as_secs_f64(), figures.ends));
}

/// One attempt; what the server said if it refused.
async fn submit(stage: &Stage, number: usize) -> Result<Entry, (String, u16, String)> {
    let word = marker(QUICK, number);
    // Large inputs fill what little room the log of the database still has.
    let body = json!({ "crew": ONE_CALL, "inputs": { "topic": word }, "metadata": { "note": "x".repeat(400) } });
    let key = format!("key-{word}");
    match stage.api.once("POST", "/api/v1/tasks", &[("idempotency-key", &key)], Some(&body)).await {
        Some(answer) if answer.status == 202 => {
            let id = answer.json()["id"].as_str().unwrap_or_default().to_owned();
            Ok(Entry { crew: ONE_CALL, marker: word, id })
        }
        Some(answer) => Err((word, answer.status, answer.text)),
        None => Err((word, 0, "no answer".to_owned())),
    }
}

fn may_mount() -> bool {
    let mount = "mount -t tmpfs -o size=1m tmpfs /mnt";
    let tried = Command::new("unshare").args(["-Urm", "sh", "-c", mount]).output();
    tried.is_ok_and(|tried| tried.status.success())
}

/// A program that runs the binary on a data folder of a few megabytes. Each step replaces the one before it, so the
/// process keeps its id.
fn wrapper(folder: &Path, binary: &Path) -> PathBuf {
    let path = folder.join("crewd-on-a-small-disk");
    let inner = "mount -t tmpfs -o size=6m tmpfs \"$APP_DATA_DIR\" && exec \"$0\" \"$@\"";
    let text = format!("#!/bin/sh\nexec unshare -Urm sh -c '{inner}' '{}' \"$@\"\n", binary.display());
    std::fs::write(&path, text).expect("the program can be written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it can be made executable");
    path
}

/// Writes until nothing more fits.
fn fill(filler: &Path) {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(filler).expect("the filler can be opened");
    for size in [65_536, 4_096, 512, 1] {
        while file.write_all(&vec![7; size]).is_ok() {}
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("the data folder can be read").flatten().filter(|entry| entry.path().is_file()) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a file can be copied");
    }
}

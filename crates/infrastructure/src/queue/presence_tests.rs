use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crewd_application::testing::ids::SequenceIds;
use crewd_application::testing::presence::check_worker_presence;

use super::*;

fn worker(place: u64) -> WorkerId {
    WorkerId::new(SequenceIds::id(place))
}

/// Ends a presence as a killed process does: the system closes its files, and nobody tidies up.
fn kill(presence: FilePresence) {
    presence.held.lock().unwrap().drain().for_each(drop);
    drop(presence);
}

#[test]
fn file_presence_keeps_the_promises_of_the_port() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = [(); 2].map(|()| FilePresence::new(&folder.path().join("workers")));
    check_worker_presence(one, &other, kill);
}

#[test]
fn an_orderly_end_leaves_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let presence = FilePresence::new(folder.path());
    presence.announce(worker(1)).unwrap();
    presence.announce(worker(1)).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    drop(presence);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_death_is_reported_until_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let dead = FilePresence::new(folder.path());
    dead.announce(worker(1)).unwrap();
    kill(dead);
    let presence = FilePresence::new(folder.path());
    assert_eq!(presence.dead(), [worker(1)]);
    // Who saw it first may die before anything is done about it.
    drop(presence);
    let presence = FilePresence::new(folder.path());
    assert_eq!(presence.dead(), [worker(1)]);
    presence.forget(&[worker(1)]);
    assert!(presence.dead().is_empty());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn without_a_folder_nobody_is_dead_and_an_impossible_one_stops_the_worker() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let presence = FilePresence::new(&file);
    assert!(presence.dead().is_empty());
    assert!(presence.announce(worker(1)).is_err());
    presence.forget(&[worker(1)]);
    assert!(FilePresence::new(&folder.path().join("missing")).dead().is_empty());
}

#[test]
fn other_files_of_the_folder_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["notes.lock", "README", ".lock"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let presence = FilePresence::new(folder.path());
    assert!(presence.dead().is_empty());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn a_killed_process_is_found_dead_and_a_living_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "queue::presence::tests::a_worker_in_another_process"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    writeln!(input, "{}", folder.path().display()).unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(output.any(|line| line.unwrap().contains("announced")), "the other process came up");

    let presence = FilePresence::new(folder.path());
    assert!(presence.dead().is_empty(), "it lives");
    presence.forget(&[worker(7)]);
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(presence.dead(), [worker(7)]);
}

#[test]
#[ignore = "the other process of the test above; reads its folder from standard input"]
fn a_worker_in_another_process() {
    let mut lines = std::io::stdin().lines();
    if let Some(Ok(folder)) = lines.next() {
        let presence = FilePresence::new(Path::new(&folder));
        presence.announce(worker(7)).unwrap();
        println!("announced");
        lines.next();
    }
}

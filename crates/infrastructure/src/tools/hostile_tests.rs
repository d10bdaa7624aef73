//! Paths that want out. No tool may follow one, whether it comes from a model, a document or a folder.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use crewd_application::ports::ToolError;

use super::testing::Bench;

/// The content of a file that no tool may ever show.
const CANARY: &str = "canary-7f3a";

/// Refused by their text, whatever is on the disk.
const PATHS: &[&str] = &[
    // Up and out.
    "..",
    "../",
    "../..",
    "../outside/secret.txt",
    "../../../../../../../../etc/passwd",
    "a/..",
    "a/../..",
    "a/../../outside/secret.txt",
    "./..",
    "./../outside",
    "a/./../../outside",
    "a/b/c/../../../../outside",
    ".../...",
    "...",
    "....//....//etc/passwd",
    "..;/etc/passwd/..",
    "folder/..",
    "folder/../folder/../..",
    " ..",
    ".. ",
    ".. /outside",
    "..\t/outside",
    "a/ ../outside",
    // Absolute, of several systems and schemes.
    "/",
    "//",
    "/etc/passwd",
    "//etc/passwd",
    "///etc/passwd",
    "/./etc/passwd",
    "/proc/self/environ",
    "/dev/zero",
    "/dev/fd/0",
    "file:///etc/passwd",
    "file:/etc/passwd",
    "http://127.0.0.1/x",
    "~",
    "~/.ssh/id_rsa",
    "~root/.profile",
    "$HOME/.ssh/id_rsa",
    "${HOME}",
    // Backslashes, drives, shares, streams.
    "\\",
    "..\\outside\\secret.txt",
    "a\\..\\..\\outside",
    "\\etc\\passwd",
    "\\\\server\\share\\x",
    "\\\\?\\C:\\x",
    "\\\\.\\PhysicalDrive0",
    "C:",
    "C:x",
    "C:/Windows/win.ini",
    "c:\\windows\\win.ini",
    "a/C:/x",
    "notes.txt:stream",
    "notes.txt::$DATA",
    "folder:$I30:$INDEX_ALLOCATION",
    // Encoded, once and twice, and in forms that no decoder should take.
    "%2e%2e/outside",
    "%2e%2e%2foutside",
    "..%2foutside",
    "..%5coutside",
    "%252e%252e%252foutside",
    "a/%2e%2e/%2e%2e/outside",
    "%c0%ae%c0%ae/x",
    "%2Fetc%2Fpasswd",
    "notes.txt%00.png",
    "%u002e/x%2e",
    // Characters that look like dots and slashes, or cannot be seen.
    "\u{FF0E}\u{FF0E}/outside",
    "..\u{FF0F}outside",
    "..\u{2215}outside",
    "..\u{2044}outside",
    "..\u{FF3C}outside",
    "..\u{29F8}outside",
    "\u{2024}\u{2024}/outside",
    "\u{2025}/outside",
    "\u{2026}/outside",
    "a\u{FF1A}b",
    "\u{202E}txt.exe",
    "a\u{200B}b",
    "\u{FEFF}notes.txt",
    "a\u{2066}b",
    "..\u{200B}/outside",
    "a\u{E0041}b",
    "a\u{AD}b",
    "a\u{2028}b",
    // Control characters.
    "\0",
    "notes.txt\0",
    "notes\0.txt",
    "../\0",
    "a\nb",
    "a\rb",
    "a\tb",
    "\u{1b}[2J",
    "a\u{7f}",
    "a\u{85}b",
    // Names of devices.
    "CON",
    "con",
    "nul",
    "NUL.txt",
    "aux.c",
    "PRN",
    "COM1",
    "com9.log",
    "LPT1",
    "COM\u{b9}",
    "lpt\u{b2}.txt",
    "folder/nul",
    "nul/x",
    "CONIN$",
    "con .txt",
    "aux.tar.gz",
    // Nothing, dots, spaces, empty parts.
    "",
    " ",
    "\u{3000}",
    "a//b",
    "a//",
    "notes.txt.",
    "notes.txt ",
    " notes.txt",
    "folder./x",
    "folder /x",
    "x...",
];

/// Long ones.
fn long_paths() -> Vec<String> {
    vec![
        "n".repeat(256),
        format!("{}/x", "n".repeat(300)),
        "d/".repeat(600),
        "a".repeat(100_000),
        "../".repeat(5_000),
        ["d"; 33].join("/"),
        "é".repeat(128),
    ]
}

/// Below the folder `links`, in which every name is a link: refused by the handle of the folder.
const LINKS: &[(&str, &str)] = &[
    ("up", "../.."),
    ("far_up", "../../../../../../../.."),
    ("root", "/"),
    ("etc", "/etc"),
    ("passwd", "/etc/passwd"),
    ("environ", "/proc/self/environ"),
    ("own_root", "/proc/self/root"),
    ("descriptor", "/dev/fd"),
    ("roundabout", "inner/../../.."),
    ("chain", "up"),
    ("long_chain", "chain"),
];

#[tokio::test]
async fn no_tool_follows_a_hostile_path() {
    let bench = Bench::with_shared();
    for root in [bench.own(), bench.shared()] {
        Bench::put(&root.join("folder/notes.txt"), "notes");
        Bench::put(&root.join("notes.txt"), "notes");
    }
    Bench::put(&bench.outside().join("secret.txt"), CANARY);
    let before = everything_below(&bench);
    let long = long_paths();
    let paths: BTreeSet<&str> = PATHS.iter().copied().chain(long.iter().map(String::as_str)).collect();
    assert!(paths.len() >= 120, "{}", paths.len());
    for path in paths {
        for answer in [bench.read(path).await, bench.write(path, "planted").await, bench.list(path).await] {
            assert!(matches!(&answer, Err(ToolError::Denied(text)) if !text.contains(CANARY)), "{path:?}: {answer:?}");
        }
    }
    assert_eq!(everything_below(&bench), before, "nothing was made anywhere");
}

#[tokio::test]
async fn no_tool_follows_a_planted_link_out() {
    for in_shared_folder in [false, true] {
        let bench = Bench::with_shared();
        let root = if in_shared_folder { bench.shared() } else { bench.own() };
        Bench::put(&root.join("links/inner/x.txt"), "x");
        Bench::put(&bench.outside().join("secret.txt"), CANARY);
        symlink(bench.outside(), root.join("links/outside")).unwrap();
        symlink(bench.outside().join("secret.txt"), root.join("links/secret")).unwrap();
        for (name, target) in LINKS {
            symlink(target, root.join("links").join(name)).unwrap();
        }
        symlink("loop", root.join("links/loop")).unwrap();
        let before = everything_below(&bench);
        let names = LINKS.iter().map(|(name, _)| *name).chain(["outside", "secret"]);
        for name in names {
            for path in [format!("links/{name}"), format!("links/{name}/secret.txt"), format!("links/{name}/etc/passwd")] {
                for answer in [bench.read(&path).await, bench.list(&path).await, bench.write(&path, "planted").await] {
                    // A shared folder is not written to: there the path is an ordinary one of the run's own folder.
                    let is_own_new_file = in_shared_folder && answer.as_ref().is_ok_and(|text| text.starts_with("Wrote"));
                    assert!(answer.is_err() || is_own_new_file, "{path}: {answer:?}");
                }
            }
        }
        for path in ["links/loop", "links/loop/x"] {
            assert!(bench.read(path).await.is_err() && bench.list(path).await.is_err());
        }
        let run_files = bench.root().join("data/files").display().to_string();
        let made = everything_below(&bench);
        let made: Vec<_> = made.difference(&before).filter(|made| !made.starts_with(&run_files)).collect();
        assert!(made.is_empty(), "{made:?}");
        assert_eq!(fs::read_to_string(bench.outside().join("secret.txt")).unwrap(), CANARY);
    }
}

#[tokio::test]
async fn a_link_that_stays_inside_is_read_through_and_not_written_through() {
    let bench = Bench::new();
    Bench::put(&bench.own().join("real/notes.txt"), "notes");
    symlink("real", bench.own().join("folder")).unwrap();
    symlink("real/notes.txt", bench.own().join("notes.txt")).unwrap();
    assert_eq!(bench.read("folder/notes.txt").await.unwrap(), "notes");
    assert_eq!(bench.read("notes.txt").await.unwrap(), "notes");
    assert!(matches!(bench.write("notes.txt", "planted").await, Err(ToolError::Denied(_))));
    assert_eq!(fs::read_to_string(bench.own().join("real/notes.txt")).unwrap(), "notes");
}

/// All paths below the root of the bench; links are not followed.
fn everything_below(bench: &Bench) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![bench.root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            found.insert(entry.path().display().to_string());
            if entry.file_type().unwrap().is_dir() && entry.file_name() != ".writing" {
                folders.push(entry.path());
            }
        }
    }
    found
}

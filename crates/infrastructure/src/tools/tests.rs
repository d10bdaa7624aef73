use std::fs;

use crewd_application::ports::{ToolError, ToolSet};
use crewd_application::testing::tool::check_tool_set;
use crewd_domain::tools::{EffectClass, RiskLevel};
use serde_json::json;

use super::testing::Bench;

fn failed(text: &str) -> Result<String, ToolError> {
    Err(ToolError::Failed(text.to_owned()))
}

#[test]
fn the_tools_describe_themselves_well() {
    let bench = Bench::new();
    check_tool_set(bench.tools());
    let told: Vec<_> = bench.tools().descriptors().into_iter().map(|tool| (tool.name, tool.risk, tool.effect)).collect();
    let expected = [
        ("ask_human", RiskLevel::Low, EffectClass::ReadOnly),
        ("directory_read", RiskLevel::Low, EffectClass::ReadOnly),
        ("file_read", RiskLevel::Low, EffectClass::ReadOnly),
        ("file_write", RiskLevel::Medium, EffectClass::Idempotent),
    ];
    assert_eq!(told, expected.map(|(name, risk, effect)| (name.to_owned(), risk, effect)));
    for tool in bench.tools().descriptors() {
        assert!(jsonschema::draft202012::meta::is_valid(&tool.parameters), "{}", tool.name);
        assert!(jsonschema::validator_for(&tool.parameters).is_ok(), "{}", tool.name);
    }
}

#[tokio::test]
async fn what_was_written_is_read_and_listed() {
    let bench = Bench::new();
    assert_eq!(bench.list(".").await.unwrap(), "The folder `.` is empty.");
    assert_eq!(bench.write("./drafts/plan.md", "# Plan\n计划").await.unwrap(), "Wrote 13 bytes to `drafts/plan.md`.");
    assert_eq!(bench.read("drafts/plan.md").await.unwrap(), "# Plan\n计划");
    assert_eq!(bench.list(".").await.unwrap(), "The folder `.`:\ndrafts/\ndrafts/plan.md (13 bytes)");
    assert_eq!(fs::read_to_string(bench.own().join("drafts/plan.md")).unwrap(), "# Plan\n计划");
}

#[tokio::test]
async fn the_same_write_twice_is_one_and_create_replaces_nothing() {
    let bench = Bench::new();
    let write = |content: &str, mode: &str| bench.call("file_write", json!({"path": "a.txt", "content": content, "mode": mode}));
    for _ in 0..2 {
        assert_eq!(write("one", "create").await.unwrap(), "Wrote 3 bytes to `a.txt`.");
    }
    assert!(matches!(write("two", "create").await, Err(ToolError::Failed(text)) if text.contains("mode `overwrite`")));
    assert_eq!(bench.read("a.txt").await.unwrap(), "one");
    for _ in 0..2 {
        assert_eq!(write("two", "overwrite").await.unwrap(), "Wrote 3 bytes to `a.txt`.");
    }
    assert_eq!(bench.read("a.txt").await.unwrap(), "two");
}

#[tokio::test]
async fn a_long_file_comes_in_parts_that_say_how_to_go_on() {
    let bench = Bench::new();
    let lines: String = (0..20_000).map(|line| format!("line {line}\n")).collect();
    Bench::put(&bench.own().join("long.txt"), &lines);
    let (mut all, mut offset, mut parts) = (String::new(), 0, 0);
    loop {
        let answer = bench.call("file_read", json!({"path": "long.txt", "offset": offset})).await.unwrap();
        parts += 1;
        let Some((text, notice)) = answer.rsplit_once("\n[Bytes ") else {
            all.push_str(&answer);
            break;
        };
        assert!(answer.len() <= 20_000, "it is not trimmed by the engine");
        all.push_str(text);
        assert!(notice.contains(&format!("of {}.", lines.len())), "{notice}");
        offset = notice.rsplit_once(' ').unwrap().1.trim_end_matches(".]").parse().unwrap();
    }
    assert_eq!(all, lines);
    assert!(parts <= lines.len() / 17_000, "the parts are of good size: {parts}");
    let beyond = bench.call("file_read", json!({"path": "long.txt", "offset": lines.len()})).await;
    assert!(matches!(beyond, Err(ToolError::InvalidArguments(text)) if text.contains("behind the end")));
}

#[tokio::test]
async fn what_is_no_text_is_refused_or_marked() {
    let bench = Bench::new();
    Bench::put(&bench.own().join("picture.png"), b"\x89PNG\r\n\x1a\n\0\0");
    Bench::put(&bench.own().join("latin.txt"), b"caf\xE9");
    Bench::put(&bench.own().join("empty.txt"), b"");
    let binary = "`picture.png` is not a text file (10 bytes); this tool reads text in UTF-8 only";
    assert_eq!(bench.read("picture.png").await, failed(binary));
    assert_eq!(bench.read("latin.txt").await.unwrap(), "caf�\n[1 places are not UTF-8 and are shown as �.]");
    assert_eq!(bench.read("empty.txt").await.unwrap(), "[`empty.txt` is empty.]");
}

#[tokio::test]
async fn what_is_missing_or_of_another_kind_is_said() {
    let bench = Bench::new();
    bench.write("folder/file.txt", "x").await.unwrap();
    let missing = "`nothing.txt`: there is nothing of this name; directory_read shows what there is";
    assert_eq!(bench.read("nothing.txt").await, failed(missing));
    assert!(bench.list("nothing").await.is_err());
    assert_eq!(bench.read("folder").await, failed("`folder` is not a file; directory_read shows what is in a folder"));
    let no_folder = failed("`folder/file.txt` is not a folder, or a part of it is a file");
    assert_eq!(bench.list("folder/file.txt").await, no_folder);
    assert!(matches!(bench.write("folder", "x").await, Err(ToolError::Failed(_))));
    assert!(matches!(bench.write("folder/file.txt/new.txt", "x").await, Err(ToolError::Failed(_))));
}

#[tokio::test]
async fn arguments_that_no_schema_catches_are_refused() {
    let bench = Bench::new();
    bench.write("a.txt", "abc").await.unwrap();
    assert!(bench.call("file_read", json!({"path": "a.txt", "limit": 300.0, "offset": 1})).await.is_ok_and(|text| text == "bc"));
    for wrong in [json!({}), json!({"path": 7}), json!({"path": "a.txt", "offset": 1.5}), json!({"path": "a.txt", "lines": 3})] {
        let answer = bench.call("file_read", wrong.clone()).await;
        assert!(matches!(answer, Err(ToolError::InvalidArguments(_))), "{wrong}: {answer:?}");
    }
    let large = bench.write("large.txt", &"ä".repeat(600_000)).await;
    assert!(matches!(large, Err(ToolError::InvalidArguments(text)) if text.contains("1200000 bytes")));
}

#[tokio::test]
async fn the_own_folder_comes_before_the_shared_one() {
    let bench = Bench::with_shared();
    Bench::put(&bench.shared().join("both.txt"), "shared");
    Bench::put(&bench.shared().join("src/main.py"), "print()");
    let listed = bench.list(".").await.unwrap();
    let own = "The folder `.` in this run's own folder is empty.";
    assert_eq!(listed, format!("{own}\n\nThe folder `.` in the shared folder:\nboth.txt (6 bytes)\nsrc/\nsrc/main.py (7 bytes)"));
    assert_eq!(bench.read("both.txt").await.unwrap(), "shared");
    bench.write("both.txt", "own").await.unwrap();
    assert_eq!(bench.read("both.txt").await.unwrap(), "own");
    assert_eq!(fs::read_to_string(bench.shared().join("both.txt")).unwrap(), "shared", "the shared folder is never changed");
    let below = bench.list("src").await.unwrap();
    assert_eq!(below, "The folder `src` in the shared folder:\nmain.py (7 bytes)");
}

#[tokio::test]
async fn the_files_of_other_runs_stay_closed_when_everything_is_shared() {
    let bench = Bench::with_everything_shared();
    Bench::put(&bench.root().join("data/crewd.db"), "secret");
    Bench::put(&bench.root().join("data/files/default/other/report.md"), "secret");
    Bench::put(&bench.root().join("readme.md"), "public");
    assert_eq!(bench.read("readme.md").await.unwrap(), "public");
    for closed in ["data/crewd.db", "data/files/default/other/report.md", "./data/./crewd.db", "DATA/crewd.db"] {
        assert!(bench.read(closed).await.is_err(), "{closed}");
    }
    for closed in ["data", "data/", "data/files", "data/files/default"] {
        assert!(matches!(bench.list(closed).await, Err(ToolError::Denied(_))), "{closed}");
    }
    assert!(bench.list(".").await.unwrap().contains("\ndata/ (closed to tools)\n"));
    bench.write("mine.md", "mine").await.unwrap();
    assert_eq!(bench.read("mine.md").await.unwrap(), "mine", "a run's own folder is open to it");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("data", bench.root().join("alias")).unwrap();
        assert!(matches!(bench.read("alias/crewd.db").await, Err(ToolError::Denied(_))));
        assert!(matches!(bench.list("alias").await, Err(ToolError::Denied(_))));
    }
}

#[tokio::test]
async fn a_listing_says_what_it_leaves_out() {
    let bench = Bench::new();
    Bench::put(&bench.own().join("a/b/c/deep.txt"), "x");
    fs::create_dir(bench.own().join("z")).unwrap();
    let shallow = bench.call("directory_read", json!({"depth": 1})).await.unwrap();
    assert_eq!(shallow, "The folder `.`:\na/ (not opened)\nz/ (not opened)");
    assert_eq!(bench.list(".").await.unwrap(), "The folder `.`:\na/\na/b/ (not opened)\nz/ (empty)");
    let deep = bench.call("directory_read", json!({"depth": 4, "path": "a/"})).await.unwrap();
    assert_eq!(deep, "The folder `a`:\nb/\nb/c/\nb/c/deep.txt (1 byte)");
}

#[tokio::test]
async fn a_folder_that_is_too_long_is_listed_in_parts() {
    let bench = Bench::new();
    let names: Vec<String> = (0..1_200).map(|number| format!("file-{number:04}.txt")).collect();
    for name in &names {
        Bench::put(&bench.own().join("many").join(name), "");
    }
    Bench::put(&bench.own().join("top.txt"), "");
    let top = bench.list(".").await.unwrap();
    assert!(top.contains("\ntop.txt (0 bytes)"), "what is near the top comes first");
    assert!(
        top.contains(" more entries of `many` are not shown. To see them, call directory_read with path `many` and after `file-")
    );
    assert!((14_000..20_000).contains(&top.len()), "{}", top.len());
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let part = bench.call("directory_read", json!({"path": "many", "after": after})).await.unwrap();
        seen.extend(part.lines().filter_map(|line| line.strip_suffix(" (0 bytes)")).map(str::to_owned));
        let Some((_, rest)) = part.split_once("and after `") else { break };
        after = rest.trim_end_matches("`.]").to_owned();
    }
    assert_eq!(seen, names);
}

#[cfg(unix)]
#[tokio::test]
async fn strange_entries_are_shown_for_what_they_are() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let bench = Bench::new();
    Bench::put(&bench.own().join(".hidden"), "x");
    Bench::put(&bench.own().join("two\nlines"), "xy");
    Bench::put(&bench.own().join("gpj.\u{202E}txt"), "xy");
    Bench::put(&bench.own().join(OsStr::from_bytes(b"\xFFbytes")), "xy");
    std::os::unix::fs::symlink("/", bench.own().join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(bench.own().join("socket")).unwrap();
    let expected = [
        "The folder `.`:",
        ".hidden (1 byte)",
        "gpj.\\u{202e}txt (2 bytes)",
        "link (link, not followed)",
        "socket (neither file nor folder)",
        "two\\u{a}lines (2 bytes)",
        "�bytes (2 bytes)",
    ];
    assert_eq!(bench.list(".").await.unwrap().lines().collect::<Vec<_>>(), expected);
    assert_eq!(bench.read("socket").await, failed("`socket` is not a file; directory_read shows what is in a folder"));
}

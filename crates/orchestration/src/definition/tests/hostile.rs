//! Input meant to hurt: the reader answers, quickly, and never panics.

use crewd_application::ports::{CrewSource, SourceFile};

use super::{AGENTS, TASKS, briefs, pair, read, tools};
use crate::definition::{read_crew, render_json, render_text};

/// A small generator with a fixed seed, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides.max(1)).unwrap()).unwrap()
    }
}

fn digest(files: Vec<Vec<u8>>) {
    let paths = ["c/agents.yaml", "c/tasks.yaml", "c/crew.yaml"];
    let files = files.into_iter().zip(paths).map(|(content, path)| SourceFile { path: path.into(), content }).collect();
    let source = CrewSource { name: "c".into(), files };
    let (crew, report) = read_crew(&source, &tools());
    assert_eq!(crew.is_some(), !report.has_errors(false));
    let _ = render_text(&report, std::slice::from_ref(&source));
    let _ = render_json(&report, true);
    if let Some(crew) = crew {
        let _ = crew.input_schema();
        let _ = crew.render(&serde_json::Map::new());
        assert_eq!(serde_json::from_str::<crewd_domain::crews::CrewDefinition>(&crew.canonical_json()).unwrap(), crew);
    }
}

#[test]
fn arbitrary_bytes_never_panic() {
    let mut dice = Dice(0x5eed);
    for _ in 0..1_500 {
        let files = (0..3).map(|_| (0..dice.roll(200)).map(|_| u8::try_from(dice.roll(256)).unwrap()).collect()).collect();
        digest(files);
    }
}

#[test]
fn arbitrary_yaml_signs_never_panic() {
    const PIECES: &[&str] = &[
        "a",
        "role",
        "agents",
        "tasks",
        ": ",
        ":",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\"",
        "'",
        "|\n",
        ">\n",
        "&x ",
        "*x",
        "<<: ",
        "? ",
        "!!str ",
        "!x ",
        "#",
        "no",
        "1:30",
        "null",
        "\t",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "{topic}",
        "中",
        "\u{85}",
        "\u{feff}",
        "\0",
        "context: ",
        "tools: ",
        "llm: ",
        "output_json: ",
    ];
    let mut dice = Dice(0xfeed);
    for _ in 0..3_000 {
        let text = |dice: &mut Dice| (0..dice.roll(60)).map(|_| PIECES[dice.roll(PIECES.len())]).collect::<String>().into_bytes();
        let files = vec![text(&mut dice), text(&mut dice), text(&mut dice)];
        digest(files);
    }
}

#[test]
fn damaged_crews_never_panic() {
    let crew = "process: sequential\ntasks: [find, write]\nagents: {writer: {tools: [file_read]}}\ninputs: {topic: x}\nschemas: {s: {type: object}}\n";
    let mut dice = Dice(0xbad);
    for _ in 0..2_000 {
        let mut files = [AGENTS.as_bytes().to_vec(), TASKS.as_bytes().to_vec(), crew.as_bytes().to_vec()];
        for _ in 0..=dice.roll(4) {
            let file = &mut files[dice.roll(3)];
            let at = dice.roll(file.len());
            match dice.roll(3) {
                0 => drop(file.drain(at..(at + dice.roll(20)).min(file.len()))),
                1 => file.insert(at, b":-[]{}&*!|>'\"%@`\n \t#,?~\xff"[dice.roll(24)]),
                _ => file.truncate(at.max(1)),
            }
            if file.is_empty() {
                file.push(b'a');
            }
        }
        digest(files.to_vec());
    }
}

#[test]
fn an_alias_bomb_is_refused_with_its_rule() {
    let mut bomb = String::from("a: &a [x,x,x,x,x,x,x,x,x]\n");
    for (last, next) in ('a'..'i').zip('b'..='i') {
        bomb.push_str(&format!("{next}: &{next} [{}]\n", vec![format!("*{last}"); 9].join(",")));
    }
    let (crew, report) = pair(&bomb, TASKS);
    assert!(crew.is_none());
    assert_eq!(report.diagnostics.len(), 1);
    assert_eq!(report.diagnostics[0].rule, "yaml_limits");
}

#[test]
fn limits_and_encoding_have_their_rules() {
    let (_, report) = pair(&"# filler\n".repeat(40_000), TASKS);
    assert_eq!(briefs(&report), ["agents.yaml:1:1 error yaml_limits"]);
    let (_, report) = pair(&"a: [".repeat(500), TASKS);
    assert_eq!(report.diagnostics[0].rule, "yaml_limits");
    let content = b"a:\n  role: \xc3\x28\n".to_vec();
    let source = CrewSource { name: "c".into(), files: vec![SourceFile { path: "agents.yaml".into(), content }] };
    assert_eq!(briefs(&read_crew(&source, &tools()).1), ["agents.yaml:2:9 error yaml_encoding"]);
}

#[test]
fn names_cannot_be_paths_or_control_signs() {
    for name in ["../x", "a/b", "\"a\\u001b[31m\"", "a..b"] {
        let agents = format!("{name}: {{role: R, goal: G, backstory: B}}\n");
        let (_, report) = pair(&agents, &format!("t: {{description: D, expected_output: E, agent: {name}}}\n"));
        assert_eq!(briefs(&report), ["agents.yaml:1:1 error invalid_name"], "{name}");
        assert!(!report.diagnostics[0].message.contains('\u{1b}'));
    }
    let long = "x".repeat(300);
    let (_, report) = read(&[("agents.yaml", &format!("{long}: {{role: R, goal: G, backstory: B}}\n")), ("tasks.yaml", "")]);
    assert!(report.diagnostics.iter().any(|found| found.rule == "invalid_name"));
    assert!(report.diagnostics.iter().all(|found| found.message.len() < 200));
}

#[test]
fn many_problems_stay_quick_and_the_report_short() {
    let agents: String = (0..200).map(|agent| format!("a{agent}: {{rol: x, goal: 3, tools: [nope{agent}]}}\n")).collect();
    let tasks: String =
        (0..1_000).map(|task| format!("t{task}: {{description: x, agent: b{task}, context: [u{task}]}}\n")).collect();
    let start = std::time::Instant::now();
    let (_, report) = pair(&agents, &tasks);
    assert_eq!(report.diagnostics.len(), 501);
    assert_eq!(report.diagnostics.last().unwrap().rule, "more_problems");
    assert!(start.elapsed().as_secs() < 10);
}

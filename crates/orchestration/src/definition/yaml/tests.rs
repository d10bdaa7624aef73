//! The tree, its places, and its limits.

use std::time::Instant;

use super::*;

fn root(text: &str) -> std::rc::Rc<Node> {
    let parsed = parse(0, text.as_bytes());
    assert!(parsed.issues.is_empty(), "{:?}", parsed.issues);
    parsed.root.unwrap()
}

fn show(node: &Node) -> String {
    match &node.content {
        Content::Scalar(scalar) if scalar.plain => scalar.text.clone(),
        Content::Scalar(scalar) => format!("{:?}", scalar.text),
        Content::Sequence(items) => format!("[{}]", items.iter().map(|item| show(item)).collect::<Vec<_>>().join(" ")),
        Content::Mapping(entries) => {
            let parts: Vec<_> = entries.iter().map(|entry| format!("{}={}", entry.key, show(&entry.value))).collect();
            format!("{{{}}}", parts.join(" "))
        }
    }
}

fn rules(text: &str) -> Vec<(&'static str, u32, u32)> {
    parse(0, text.as_bytes()).issues.iter().map(|issue| (issue.rule, issue.at.line, issue.at.column)).collect()
}

#[test]
fn values_know_their_place() {
    let node = root("a: 1\n标题:  \"x\"\nc:\n  - y\n  - >\n    folded\n    text\n");
    assert_eq!(show(&node), "{a=1 标题=\"x\" c=[y \"folded text\\n\"]}");
    let entries = node.entries().unwrap();
    let at = |position: Position| (position.line, position.column);
    assert_eq!(at(entries[1].key_at), (2, 1));
    assert_eq!(at(entries[1].value.at), (2, 6));
    let Content::Sequence(items) = &entries[2].value.content else { panic!() };
    assert_eq!(at(items[0].at), (4, 5));
    assert_eq!(items[1].at.line, 6);
}

#[test]
fn block_scalars_keep_their_ends() {
    assert_eq!(show(&root("a: >\n  # text, not a comment\n  b # same\n")), "{a=\"# text, not a comment b # same\\n\"}");
    assert_eq!(show(&root("a: >\n  end")), "{a=\"end\"}");
    assert_eq!(show(&root("a: >\nb: |\n  x\n   y\n")), "{a=\"\" b=\"x\\n y\\n\"}");
    assert_eq!(show(&root("a: >-\n  x\n\n  y\n\n")), "{a=\"x\\ny\"}");
}

#[test]
fn an_absent_value_is_found_at_its_key() {
    let node = root("x: 1\nrole:\ngoal: g\n");
    assert_eq!(node.entries().unwrap()[1].value.at.line, 2);
    assert!(node.entries().unwrap()[1].value.is_null());
}

#[test]
fn aliases_and_merge_keys_expand() {
    assert_eq!(show(&root("a: &x {r: 1, g: 2}\nb: {<<: *x, g: 3}")), "{a={r=1 g=2} b={r=1 g=3}}");
    assert_eq!(show(&root("a: &x {r: 1}\nb: &y {r: 2, s: 3}\nc: {<<: [*x, *y]}")), "{a={r=1} b={r=2 s=3} c={r=1 s=3}}");
    assert_eq!(rules("a: {<<: 3}"), [("yaml_syntax", 1, 9)]);
    assert_eq!(rules("a: *nobody\n"), [("yaml_syntax", 1, 4)]);
}

#[test]
fn duplicate_keys_name_both_places() {
    let parsed = parse(0, b"a: 1\nb: {c: 1, c: 2}\na: 3\n");
    let found: Vec<_> =
        parsed.duplicates.iter().map(|found| (&*found.key, found.first.line, found.second.line, found.level)).collect();
    assert_eq!(found, [("c", 2, 2, 1), ("a", 1, 3, 0)]);
    assert_eq!(show(&parsed.root.unwrap()), "{a=1 b={c=1}}");
}

#[test]
fn syntax_errors_have_a_place() {
    assert_eq!(rules("a:\n  b: foo: bar\n"), [("yaml_syntax", 2, 9)]);
    assert_eq!(rules("a: [1, 2\n")[0].0, "yaml_syntax");
    assert_eq!(rules("a: \"open\n")[0].0, "yaml_syntax");
    assert_eq!(rules("a:\n\tb: 1\n")[0].0, "yaml_syntax");
    assert_eq!(rules("a: 1\n---\nb: 2\n")[0].0, "yaml_syntax");
    assert_eq!(rules("? [a]\n: b\n"), [("wrong_type", 1, 3)]);
    assert_eq!(rules("a: !!python/object:os.system x\n")[0].0, "yaml_tag");
    assert_eq!(rules("a: !!str 3\nb: ! 3\n"), []);
}

#[test]
fn bytes_that_are_no_text_are_reported() {
    let parsed = parse(0, b"a: x\nb: \xff\n");
    assert_eq!((parsed.issues[0].rule, parsed.issues[0].at.line, parsed.issues[0].at.column), ("yaml_encoding", 2, 4));
    assert!(parse(0, "\u{feff}a: 1".as_bytes()).root.is_some());
    assert!(parse(0, b"").root.is_none());
}

fn refused_quickly(text: &str, rule: &str) {
    let start = Instant::now();
    let parsed = parse(0, text.as_bytes());
    assert_eq!(parsed.issues.first().map(|issue| issue.rule), Some(rule), "{:?}", parsed.issues);
    assert!(parsed.broken && parsed.root.is_none());
    // Far above the time it takes, far below the time an expansion would.
    assert!(start.elapsed().as_millis() < 1_000);
}

#[test]
fn bombs_are_refused() {
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for level in 1..9 {
        let items = vec![format!("*a{}", level - 1); 9].join(",");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    refused_quickly(&bomb, YAML_LIMITS);
    let text = format!("a: &a '{}'\nb: [{}]", "x".repeat(100_000), vec!["*a"; 10_000].join(","));
    refused_quickly(&text, YAML_LIMITS);
    refused_quickly("a: &a [*a]\n", YAML_LIMITS);
    refused_quickly("a: &a {<<: *a}\n", YAML_LIMITS);
    refused_quickly(&"[".repeat(100_000), YAML_LIMITS);
    refused_quickly(&(0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>(), YAML_LIMITS);
    refused_quickly(&"- a\n".repeat(60_000), YAML_LIMITS);
    refused_quickly(&"a".repeat(300_000), YAML_LIMITS);
    let mut nested = String::from("a0: &a0 [x]\n");
    (1..100).for_each(|level| nested.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1)));
    refused_quickly(&nested, YAML_LIMITS);
}

#[test]
fn merge_bombs_are_refused() {
    let keys: String = (0..3_000).map(|key| format!("k{key}: 1, ")).collect();
    let mut text = format!("a: &a {{{keys}}}\n");
    (0..100).for_each(|entry| text.push_str(&format!("m{entry}: {{<<: *a}}\n")));
    refused_quickly(&text, YAML_LIMITS);
}

#[test]
fn plain_scalars_mean_what_yaml_11_says() {
    use Resolved::{Bool, Date, Float, Int, Null, Text};
    for (text, resolved, old) in [
        ("", Null, false),
        ("~", Null, false),
        ("NULL", Null, false),
        ("true", Bool(true), false),
        ("yes", Bool(true), true),
        ("Off", Bool(false), true),
        ("y", Text, false),
        ("nO", Text, false),
        ("3", Int(3), false),
        ("-7", Int(-7), false),
        ("+1_000", Int(1000), true),
        ("010", Int(8), true),
        ("08", Text, false),
        ("0", Int(0), false),
        ("0x1F", Int(31), false),
        ("0b101", Int(5), true),
        ("12:30:00", Int(45000), true),
        ("1:30", Int(90), true),
        ("01:30", Text, false),
        ("1:60", Text, false),
        ("1.5", Float(1.5), false),
        ("1.", Float(1.0), false),
        (".5", Float(0.5), false),
        ("1e3", Text, false),
        ("1.0e+3", Float(1000.0), false),
        ("1.0e3", Text, false),
        ("1_0.5", Float(10.5), true),
        ("1:30.5", Float(90.5), true),
        ("-.inf", Float(f64::NEG_INFINITY), false),
        ("2024-01-01", Date, true),
        ("2024-1-1 10:00:00", Date, true),
        ("2024-01-01T10:00:00Z", Date, true),
        ("2024-1-1", Text, false),
        ("1.2.3", Text, false),
        ("-", Text, false),
        ("+", Text, false),
        (".", Text, false),
        ("--1", Text, false),
        ("0b", Text, false),
        ("_1", Text, false),
        ("3 days", Text, false),
        ("1-2", Text, false),
        ("٣", Text, false),
    ] {
        assert_eq!(resolve(text), (resolved, old), "{text:?}");
    }
    assert!(matches!(resolve(".nan").0, Float(value) if value.is_nan()));
    assert!(matches!(resolve(&"9".repeat(60)).0, Float(value) if value > 1e59));
}

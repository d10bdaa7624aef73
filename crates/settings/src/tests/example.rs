//! `.env.example`, the catalogue and `config/default.toml` agree.

use std::collections::BTreeMap;

use super::{Installation, environment};
use crate::variables;

const EXAMPLE: &str = include_str!("../../../../.env.example");

/// The variables of the example in order, with section and default.
fn example() -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut entries = Vec::new();
    for line in EXAMPLE.lines() {
        if let Some(name) = line.strip_prefix("# --- ").and_then(|rest| rest.strip_suffix(" ---")) {
            section = name.to_owned();
        } else if let Some((name, value)) = line.strip_prefix("# APP_").and_then(|rest| rest.split_once('='))
            && !name.contains(' ')
        {
            entries.push((section.clone(), format!("APP_{name}"), value.to_owned()));
        }
    }
    entries
}

#[test]
fn every_variable_stands_in_the_example_under_its_section() {
    let listed: Vec<(String, String)> = example().into_iter().map(|(section, name, _)| (section, name)).collect();
    let known: Vec<(String, String)> =
        variables().map(|variable| (variable.section().to_owned(), variable.name.to_owned())).collect();
    assert_eq!(listed, known);
}

#[test]
fn every_variable_has_one_sentence() {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    for pair in lines.windows(2) {
        if pair[1].strip_prefix("# APP_").is_some_and(|rest| rest.contains('=') && !rest.contains(' ')) {
            assert!(pair[0].starts_with("# ") && pair[0].ends_with('.'), "no sentence above {}", pair[1]);
        }
    }
}

#[test]
fn the_defaults_are_the_same() {
    let settings = Installation::new().settings();
    let built_in: BTreeMap<&str, &str> =
        settings.origins().iter().map(|row| (row.variable.as_str(), row.value.as_str())).collect();
    // Values that follow from others are shown in effect, but stand empty in the example.
    let derived = ["APP_DATABASE_URL", "APP_FILE_ROOT", "APP_DATA_OUTPUT_DIR", "APP_LLM_MODEL"];
    for (_, name, value) in example() {
        let expected = if derived.contains(&name.as_str()) { "" } else { built_in[name.as_str()] };
        assert_eq!(value, expected, "{name}");
    }
}

#[test]
fn the_example_can_be_used_as_it_is() {
    let uncommented = EXAMPLE.replace("# APP_", "APP_").replace("APP_DATABASE__URL (section and field)", "# ");
    let settings = Installation::new().file("config/x", "").file(".env", &uncommented).settings();
    assert_eq!(settings.server.port, 8072);
    environment(&[]).file(".env", EXAMPLE).settings();
}

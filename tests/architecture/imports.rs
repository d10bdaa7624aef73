//! Who may import whom.

use std::collections::BTreeSet;

use crate::source::{judge, members, root, rust_files};

/// Crate, workspace crates it may import, outside crates it must never import.
const RULES: &[(&str, &[&str], &[&str])] = &[
    (
        "domain",
        &[],
        &[
            "async-trait",
            "tokio",
            "tokio-util",
            "tracing",
            "futures",
            "sea-orm",
            "axum",
            "reqwest",
            "figment",
            "notify",
            "cap-std",
            "serde-saphyr",
            "anyhow",
        ],
    ),
    ("application", &["domain"], &["sea-orm", "sqlx", "axum", "reqwest", "figment", "prometheus", "serde-saphyr", "hyper"]),
    ("orchestration", &["domain", "application", "telemetry"], &["sea-orm", "sqlx", "axum", "reqwest", "figment", "hyper"]),
    (
        "infrastructure",
        &["domain", "application", "telemetry", "migrations", "test-services"],
        &["axum", "figment", "utoipa", "clap"],
    ),
    ("api", &["domain", "application", "telemetry"], &["sea-orm", "sqlx", "reqwest", "figment", "clap"]),
    ("settings", &[], &["sea-orm", "axum", "reqwest", "tokio"]),
    ("telemetry", &[], &["sea-orm", "axum", "figment"]),
    ("migrations", &[], &["axum", "reqwest", "figment"]),
    (
        "server",
        &["domain", "application", "orchestration", "infrastructure", "api", "settings", "telemetry", "migrations"],
        &["sea-orm", "sqlx", "reqwest", "figment"],
    ),
    ("tests", &["server", "settings", "test-services"], &["sea-orm", "sqlx"]),
    ("test-services", &[], &["sea-orm", "axum", "reqwest", "figment"]),
];

const SENTENCE: &str = "Import rules: domain imports nothing of the workspace; application imports domain; orchestration, infrastructure and api \
    import domain, application and telemetry and never each other; settings, telemetry and migrations import nothing of the workspace; \
    server wires all; tests see the server from outside; test-services knows nothing of the product, and tests alone use it. sea-orm stays in infrastructure and migrations, axum in api, server and tests, \
    reqwest in infrastructure and tests.";

fn rule(name: &str) -> (&'static [&'static str], &'static [&'static str]) {
    let found = RULES.iter().find(|(of, _, _)| *of == name);
    let (_, allowed, forbidden) =
        found.unwrap_or_else(|| panic!("crate {name} has no import rule: add one with a reason in docs/adr/"));
    (allowed, forbidden)
}

fn manifest(folder: &str) -> toml::Table {
    let path = root().join(folder).join("Cargo.toml");
    std::fs::read_to_string(&path).unwrap_or_default().parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn dependency_lists_keep_the_import_rules() {
    let mut offences = Vec::new();
    for (folder, name) in members() {
        let (allowed, forbidden) = rule(&name);
        let manifest = manifest(&folder);
        for list in ["dependencies", "build-dependencies", "dev-dependencies"] {
            let dependencies: Vec<&String> =
                manifest.get(list).and_then(toml::Value::as_table).map(|table| table.keys().collect()).unwrap_or_default();
            for dependency in dependencies {
                let own = dependency.strip_prefix("crewd-");
                let is_itself = own == Some(name.as_str()) && list == "dev-dependencies";
                if own.is_some_and(|own| !allowed.contains(&own)) && !is_itself {
                    offences.push(format!("{folder}/Cargo.toml [{list}]: {dependency}"));
                }
                if forbidden.contains(&dependency.as_str()) {
                    offences.push(format!("{folder}/Cargo.toml [{list}]: {dependency}"));
                }
            }
        }
    }
    judge(SENTENCE, &offences);
}

#[test]
fn source_text_keeps_the_import_rules() {
    let all: BTreeSet<&str> = RULES.iter().map(|(name, _, _)| *name).collect();
    let mut offences = Vec::new();
    for (folder, name) in members() {
        let (allowed, forbidden) = rule(&name);
        let foreign = all.iter().filter(|other| **other != name && !allowed.contains(*other));
        let foreign = foreign.map(|other| format!("crewd_{}", other.replace('-', "_")));
        let outside = forbidden.iter().map(|name| name.replace('-', "_"));
        let banned: Vec<String> = foreign.chain(outside).collect();
        // A crate may lie inside of another one's folder.
        let inner: Vec<String> = members().into_iter().map(|(other, _)| format!("{other}/")).collect();
        let inner = |path: &str| {
            inner.iter().any(|other| {
                other.starts_with(&format!("{folder}/")) && *other != format!("{folder}/") && path.starts_with(other)
            })
        };
        for file in rust_files(&folder).into_iter().filter(|file| !inner(&file.path)) {
            for (number, line) in file.code.0.lines().enumerate() {
                offences.extend(
                    banned
                        .iter()
                        .filter(|banned| names(line, banned))
                        .map(|banned| format!("{}:{}: {banned}", file.path, number + 1)),
                );
            }
        }
    }
    judge(SENTENCE, &offences);
}

/// Whether the line imports the crate or names a path into it.
fn names(line: &str, import: &str) -> bool {
    line.match_indices(import).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + import.len()..];
        let starts_word = !before.is_some_and(|character| character.is_alphanumeric() || character == '_' || character == ':');
        let is_use = line[..at].trim_end().ends_with("use") && (after.starts_with(';') || after.starts_with(" as "));
        starts_word && (after.starts_with("::") || is_use)
    })
}

#[test]
fn names_are_found_as_paths_only() {
    assert!(names("use axum::Router;", "axum"));
    assert!(names("let x = axum::serve(a);", "axum"));
    assert!(names("use axum;", "axum"));
    assert!(!names("use my_axum::Router;", "axum"));
    assert!(!names("let axum = 1;", "axum"));
    assert!(!names("use crate::axum::x;", "axum"));
}

#[test]
fn every_dependency_is_written_once_in_the_workspace() {
    let mut offences = Vec::new();
    for (folder, _) in members() {
        let manifest = manifest(&folder);
        for list in ["dependencies", "build-dependencies", "dev-dependencies"] {
            for (name, value) in manifest.get(list).and_then(toml::Value::as_table).into_iter().flatten() {
                if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                    offences.push(format!("{folder}/Cargo.toml [{list}]: {name}"));
                }
            }
        }
    }
    judge("Every version is written once, in the root Cargo.toml; members say `workspace = true`.", &offences);
}

//! The product's routes, the table of endpoints, and the tests that call them.

use std::collections::BTreeSet;

use crewd_tests::app::{App, command_line};
use serde_json::Value;

use crate::source::{judge, rust_files};

const METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options"];

struct Row {
    endpoint: String,
    test: String,
}

fn table() -> Vec<Row> {
    let table: toml::Table = include_str!("../endpoints.toml").parse().expect("endpoints.toml is TOML");
    let rows = table["endpoint"].as_array().expect("[[endpoint]] rows");
    let text = |row: &toml::Value, name: &str| {
        row.get(name).and_then(toml::Value::as_str).unwrap_or_else(|| panic!("`{name}` is missing: {row}")).to_owned()
    };
    rows.iter()
        .map(|row| Row { endpoint: format!("{} {}", text(row, "method"), text(row, "path")), test: text(row, "test") })
        .collect()
}

/// `METHOD /path` of every operation in the product's document.
fn documented() -> BTreeSet<String> {
    let plan = App::builder(env!("CARGO_BIN_EXE_crewd-under-test")).arguments(["openapi"]);
    let output = command_line(&plan, "").expect_code(0);
    let document: Value = serde_json::from_str(&output.stdout).expect("the document is JSON");
    let mut endpoints = BTreeSet::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let methods = item.as_object().into_iter().flatten().map(|(method, _)| method);
        endpoints.extend(
            methods.filter(|method| METHODS.contains(&method.as_str())).map(|method| format!("{} {path}", method.to_uppercase())),
        );
    }
    endpoints
}

#[test]
fn every_route_stands_in_the_table_and_the_other_way_round() {
    let documented = documented();
    let listed: BTreeSet<String> = table().into_iter().map(|row| row.endpoint).collect();
    let unlisted = documented.difference(&listed).map(|endpoint| format!("not in tests/endpoints.toml: {endpoint}"));
    let unknown = listed.difference(&documented).map(|endpoint| format!("not in OpenAPI: {endpoint}"));
    let offences: Vec<String> = unlisted.chain(unknown).collect();
    judge("Every route is in OpenAPI and in tests/endpoints.toml.", &offences);
}

#[test]
fn every_row_is_there_once_and_names_a_test_that_exists() {
    let tests: BTreeSet<String> = rust_files("tests/e2e").iter().flat_map(|file| tests_in(&file.code.0)).collect();
    let mut seen = BTreeSet::new();
    let mut offences = Vec::new();
    for row in table() {
        if !tests.contains(&row.test) {
            offences.push(format!("{}: no test `{}` in tests/e2e", row.endpoint, row.test));
        }
        if !seen.insert(row.endpoint.clone()) {
            offences.push(format!("{} stands there twice", row.endpoint));
        }
    }
    judge("Every endpoint of the table is called by the end-to-end test it names.", &offences);
}

/// Names of the functions that follow `#[test]`.
fn tests_in(code: &str) -> Vec<String> {
    let after = code.split("#[test]").skip(1);
    after
        .filter_map(|rest| rest.split("fn ").nth(1))
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

#[test]
fn every_path_of_the_table_is_called_in_the_tests_source() {
    let source: String = rust_files("tests/e2e").iter().chain(&rust_files("tests/src")).map(|file| file.text.clone()).collect();
    let mut offences = Vec::new();
    for row in table() {
        let path = row.endpoint.split(' ').nth(1).unwrap_or_default().to_owned();
        let pieces: Vec<&str> =
            path.split(['{', '}']).enumerate().filter(|(index, _)| index % 2 == 0).map(|(_, piece)| piece).collect();
        if !pieces.iter().all(|piece| source.contains(piece)) {
            offences.push(row.endpoint);
        }
    }
    judge("Every path of the table stands in the source of the tests.", &offences);
}

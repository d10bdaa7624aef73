//! Things that may stand in one place only.

use crate::source::{judge, rust_files};

const PRODUCT: &[&str] = &[
    "crates/domain",
    "crates/application",
    "crates/orchestration",
    "crates/infrastructure",
    "crates/api",
    "crates/settings",
    "crates/telemetry",
    "crates/server",
    "migrations",
];

/// Panics when one of `words` stands in product code outside of the files that `allowed` accepts.
fn only_in(rule: &str, words: &[&str], allowed: impl Fn(&str) -> bool) {
    let mut offences = Vec::new();
    for folder in PRODUCT {
        for file in rust_files(folder).iter().filter(|file| !allowed(&file.path)) {
            for (number, line) in file.code.0.lines().enumerate() {
                offences.extend(
                    words.iter().filter(|word| line.contains(**word)).map(|word| format!("{}:{}: {word}", file.path, number + 1)),
                );
            }
        }
    }
    judge(rule, &offences);
}

#[test]
fn the_environment_is_read_by_settings_alone() {
    only_in("The environment is read in crates/settings alone.", &["env::var", "env::vars"], |path| {
        path.starts_with("crates/settings/")
    });
}

#[test]
fn the_wall_clock_is_read_by_its_adapter_alone() {
    only_in(
        "The wall clock comes through the Clock port; its adapter in infrastructure alone reads it.",
        &["Utc::now", "Local::now", "SystemTime::now"],
        |path| path.starts_with("crates/infrastructure/") && path.contains("clock"),
    );
}

#[test]
fn random_ids_come_from_their_adapter_alone() {
    only_in(
        "Random ids come through the id port; its adapter in infrastructure alone makes them.",
        &["Uuid::now_v7", "Uuid::new_v4", "Uuid::new_v7"],
        |path| path.starts_with("crates/infrastructure/") && path.contains("id"),
    );
}

#[test]
fn http_clients_are_built_in_one_file() {
    only_in(
        "HTTP clients are built in crates/infrastructure/src/http.rs and its submodules alone.",
        &["reqwest::Client::new", "reqwest::Client::builder", "ClientBuilder::new", "Client::builder"],
        |path| path == "crates/infrastructure/src/http.rs" || path.starts_with("crates/infrastructure/src/http/"),
    );
}

#[test]
fn nobody_ends_the_process() {
    // Debug builds alone: where the proof of recovery makes a process die.
    let armed = |path: &str| path == "crates/application/src/fault_armed.rs";
    only_in("The process ends by returning from main.", &["process::exit", "process::abort"], armed);
}

#[test]
fn unsafe_code_is_absent() {
    only_in("There is no unsafe code.", &["unsafe {", "unsafe fn", "unsafe impl"], |_| false);
}

//! Words that must not be there.

use crate::source::{all_rust_files, files, judge};

#[test]
fn lints_are_expected_with_a_reason_never_allowed() {
    let mut offences = Vec::new();
    for file in all_rust_files() {
        for (number, line) in file.code.0.lines().enumerate() {
            if line.contains("#[allow(") || line.contains("#![allow(") {
                offences.push(format!("{}:{}", file.path, number + 1));
            }
        }
        for piece in file.code.0.split("#[expect(").skip(1).chain(file.code.0.split("#![expect(").skip(1)) {
            let attribute = piece.split(")]").next().unwrap_or_default();
            if !attribute.contains("reason") {
                offences.push(format!("{}: expect({attribute}) without a reason", file.path));
            }
        }
    }
    judge("A lint is never allowed; where it must be, it is expected, with a reason.", &offences);
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not name what it looks for.
    let words: Vec<String> = [("TO", "DO"), ("FIX", "ME"), ("XX", "X:"), ("to", "do!("), ("unimpl", "emented!(")]
        .iter()
        .map(|(a, b)| format!("{a}{b}"))
        .collect();
    let mut offences = Vec::new();
    for folder in ["crates", "migrations", "tests", "config", "docs"] {
        for (path, text) in files(folder, &["rs", "toml", "yaml", "yml", "md", "sql"]) {
            for (number, line) in text.lines().enumerate() {
                offences.extend(
                    words.iter().filter(|word| line.contains(word.as_str())).map(|word| format!("{path}:{}: {word}", number + 1)),
                );
            }
        }
    }
    judge("Nothing is left for later: what is not built is not mentioned in code.", &offences);
}

#[test]
fn the_product_does_not_print_for_debugging() {
    let mut offences = Vec::new();
    for file in all_rust_files() {
        for (number, line) in file.code.0.lines().enumerate() {
            if line.contains("dbg!(") {
                offences.push(format!("{}:{}", file.path, number + 1));
            }
        }
    }
    judge("No `dbg!` stays behind.", &offences);
}

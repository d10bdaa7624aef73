//! Sizes of files and functions, and what the opening files hold.

use crate::source::{SourceFile, all_rust_files, judge, members, root};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 80;

#[test]
fn files_stay_short() {
    let sizes = all_rust_files().into_iter().map(|file| (file.text.lines().count(), file.path));
    let offences: Vec<String> =
        sizes.filter(|(lines, _)| *lines > FILE_LINES).map(|(lines, path)| format!("{path}: {lines} lines")).collect();
    judge("A file has at most 500 lines, tests included: split it by responsibility.", &offences);
}

#[test]
fn functions_stay_short() {
    let mut offences = Vec::new();
    for file in all_rust_files() {
        offences.extend(
            functions(&file)
                .into_iter()
                .filter(|(_, _, lines)| *lines > FUNCTION_LINES)
                .map(|(name, line, lines)| format!("{}:{line}: {name} has {lines} lines", file.path)),
        );
    }
    judge("A function has at most 80 lines: split it by responsibility.", &offences);
}

/// Name, first line and number of lines of every function with a body.
fn functions(file: &SourceFile) -> Vec<(String, usize, usize)> {
    let code = &file.code.0;
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        if code[..at].chars().next_back().is_some_and(|before| before.is_alphanumeric() || before == '_') {
            continue;
        }
        let name: String =
            code[at + 3..].chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect();
        if name.is_empty() {
            continue;
        }
        let Some(length) = body_end(&code[at..]) else { continue };
        let first = code[..at].matches('\n').count() + 1;
        found.push((name, first, code[at..at + length].matches('\n').count() + 1));
    }
    found
}

/// Bytes from the start of a function to the end of its body; none for a declaration.
fn body_end(code: &str) -> Option<usize> {
    let mut brackets = 0_i32;
    let mut braces = 0_i32;
    for (at, character) in code.char_indices() {
        match character {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if brackets == 0 && braces == 0 => return None,
            '{' if brackets == 0 || braces > 0 => braces += 1,
            '}' if braces > 0 => {
                braces -= 1;
                if braces == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[test]
fn opening_files_hold_docs_modules_and_exports_only() {
    let mut offences = Vec::new();
    for file in all_rust_files() {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        if name != "lib.rs" && name != "mod.rs" {
            continue;
        }
        for statement in statements(&file.code.0) {
            let first = without_visibility(&statement).split_whitespace().next().unwrap_or_default();
            if !(first == "use" || first == "mod" && !statement.contains('{')) {
                offences.push(format!("{}: {}", file.path, statement.chars().take(80).collect::<String>()));
            }
        }
    }
    judge("lib.rs and mod.rs hold docs, `mod` lines and re-exports only.", &offences);
}

/// The statement without `pub`, `pub(crate)` or `pub(in …)`.
fn without_visibility(statement: &str) -> &str {
    let Some(rest) = statement.strip_prefix("pub") else { return statement };
    let rest = rest.trim_start();
    if rest.starts_with('(') { rest.split_once(')').map_or(rest, |(_, after)| after) } else { rest }
}

/// Top-level statements of scrubbed code, without attributes.
fn statements(code: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    let mut depth = 0_i32;
    for character in code.chars() {
        current.push(character);
        match character {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth -= 1,
            _ => {}
        }
        let text = current.trim();
        let attribute_ends = character == ']' && depth == 0 && text.starts_with('#');
        if attribute_ends {
            current.clear();
        } else if depth == 0 && (character == ';' || character == '}' && !text.contains("use ")) {
            statements.push(text.to_owned());
            current.clear();
        }
    }
    if !current.trim().is_empty() {
        statements.push(current.trim().to_owned());
    }
    statements
}

#[test]
fn statements_are_told_apart() {
    let code = "#![cfg(x)]\npub mod a;\n#[cfg(test)]\nmod tests;\npub use a::{B, C};\nfn f() { g(); }\nuse x;";
    assert_eq!(statements(code), ["pub mod a;", "mod tests;", "pub use a::{B, C};", "fn f() { g(); }", "use x;"]);
}

#[test]
fn every_crate_opens_with_its_rule() {
    let missing = members().into_iter().filter(|(folder, _)| {
        let text = std::fs::read_to_string(root().join(folder).join("src/lib.rs")).unwrap_or_default();
        !text.starts_with("//!") || text.lines().take_while(|line| line.starts_with("//!")).count() < 3
    });
    let offences: Vec<String> = missing.map(|(folder, _)| format!("{folder}/src/lib.rs")).collect();
    judge("Each crate's lib.rs opens with its rule and a map of its modules.", &offences);
}

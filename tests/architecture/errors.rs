//! Error codes and their pages.

use std::collections::BTreeSet;

use crate::source::{judge, root};

/// The codes of the application's `ErrorCode`, from the texts of its `as_str`.
fn codes() -> BTreeSet<String> {
    let source =
        std::fs::read_to_string(root().join("crates/application/src/error.rs")).expect("the application's errors are there");
    let from = source.find("fn as_str").expect("`ErrorCode::as_str` is there");
    let body = &source[from..];
    let body = &body[..body.find("\n    }\n").unwrap_or(body.len())];
    body.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn pages() -> BTreeSet<String> {
    let folder = std::fs::read_dir(root().join("docs/errors")).into_iter().flatten().flatten();
    let names = folder.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter_map(|name| name.strip_suffix(".md").map(str::to_owned)).filter(|name| name != "README").collect()
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let (codes, pages) = (codes(), pages());
    assert!(codes.len() >= 20, "the codes are read: {codes:?}");
    let without_page = codes.difference(&pages).map(|code| format!("docs/errors/{code}.md is missing"));
    let without_code = pages.difference(&codes).map(|page| format!("docs/errors/{page}.md is of no code"));
    let offences: Vec<String> = without_page.chain(without_code).collect();
    judge("Every error code has a page in docs/errors and every page is of a code.", &offences);
}

#[test]
fn every_page_says_what_happened_and_what_to_do() {
    let mut offences = Vec::new();
    for page in pages() {
        let text = std::fs::read_to_string(root().join(format!("docs/errors/{page}.md"))).unwrap_or_default();
        if !text.starts_with("# ") || !text.contains(&page) || text.lines().filter(|line| !line.trim().is_empty()).count() < 4 {
            offences.push(format!("docs/errors/{page}.md"));
        }
    }
    judge("A page of an error code has a title, names the code, and says what happened and what to do.", &offences);
}

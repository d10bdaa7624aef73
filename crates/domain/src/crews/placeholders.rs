//! `{name}` in texts: found and replaced exactly as CrewAI does, in a single pass.

use std::{borrow::Cow, collections::BTreeSet, sync::LazyLock};

use regex::{Captures, Regex};

/// An ASCII identifier that may also hold hyphens, between single braces.
static PLACEHOLDER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\{([A-Za-z_][A-Za-z0-9_-]*)\}").ok());

/// What people write when they mean a placeholder and miss the rule.
static ALMOST: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\{([ \t]*)([^\W\d][\w-]*)[ \t]*\}").ok());

/// The names a text asks for.
pub fn placeholder_names(text: &str) -> BTreeSet<String> {
    let Some(pattern) = PLACEHOLDER.as_ref() else { return BTreeSet::new() };
    pattern.captures_iter(text).filter_map(|found| found.get(1)).map(|name| name.as_str().to_owned()).collect()
}

/// The text with every placeholder replaced by what `value_of` gives for its name.
///
/// A name without a value keeps its braces. A value is never read again, so braces inside it stay text.
pub fn replace_placeholders<'value>(text: &str, value_of: impl Fn(&str) -> Option<Cow<'value, str>>) -> String {
    let Some(pattern) = PLACEHOLDER.as_ref() else { return text.to_owned() };
    pattern
        .replace_all(text, |found: &Captures<'_>| {
            let whole = found.get(0).map_or("", |part| part.as_str());
            let name = found.get(1).map_or("", |part| part.as_str());
            value_of(name).map_or_else(|| whole.to_owned(), Cow::into_owned)
        })
        .into_owned()
}

/// Names in braces that look like placeholders and are none: letters outside ASCII (`{主题}`), and names in
/// `known` with blanks inside the braces (`{ topic }`).
pub(super) fn almost_placeholders(text: &str, known: &BTreeSet<String>) -> BTreeSet<String> {
    let Some(pattern) = ALMOST.as_ref() else { return BTreeSet::new() };
    let mut found = BTreeSet::new();
    for captures in pattern.captures_iter(text) {
        let (Some(whole), Some(name)) = (captures.get(0), captures.get(2)) else { continue };
        let doubled = text.get(..whole.start()).is_some_and(|before| before.ends_with('{'));
        let exact = placeholder_names(whole.as_str()).contains(name.as_str());
        if !doubled && !exact && (!name.as_str().is_ascii() || known.contains(name.as_str())) {
            found.insert(whole.as_str().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        placeholder_names(text).into_iter().collect()
    }

    #[test]
    fn identifiers_with_hyphens_are_placeholders() {
        assert_eq!(names("{topic} {_x} {a-b} {a1}"), ["_x", "a-b", "a1", "topic"]);
    }

    #[test]
    fn other_braces_are_text() {
        for text in ["{ topic }", "{1a}", "{a.b}", "{a|upper}", "{}", "{a", r#"{"k": 1}"#, "{主题}", "{-a}", "{a b}"] {
            assert!(names(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn double_braces_keep_one_pair() {
        let text = replace_placeholders("{{topic}} and {{ \"k\": {topic} }}", |_| Some("tea".into()));
        assert_eq!(text, "{tea} and {{ \"k\": tea }}");
    }

    #[test]
    fn values_are_not_read_again() {
        let text = replace_placeholders("{a} {b}", |name| Some(if name == "a" { "{b}" } else { "$1 B" }.into()));
        assert_eq!(text, "{b} $1 B");
    }

    #[test]
    fn near_misses_are_seen_only_where_they_are_meant() {
        let known = BTreeSet::from(["topic".to_owned()]);
        let found = almost_placeholders("{主题} { topic } { other } {topic} {{ topic }} {\"k\": 1} fn f() { x }", &known);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["{ topic }", "{主题}"]);
    }
}

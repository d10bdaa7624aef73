//! Conditions of a request: only if the thing is still what the client has seen.

use axum::http::HeaderMap;
use axum::http::header::IF_MATCH;

/// The entity tags of `If-Match`, without quotes; `*` for every one. `None` without the header. A weak tag, and what is
/// no tag at all, matches nothing.
pub(crate) fn if_match(headers: &HeaderMap) -> Option<Vec<String>> {
    let mut values = headers.get_all(IF_MATCH).iter().peekable();
    values.peek()?;
    let tags = values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(',')).map(str::trim);
    Some(tags.filter_map(tag).collect())
}

fn tag(text: &str) -> Option<String> {
    if text == "*" {
        return Some(text.to_owned());
    }
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    (inner != "*").then(|| inner.to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(values: &[&'static str]) -> Option<Vec<String>> {
        if_match(&values.iter().map(|value| (IF_MATCH, HeaderValue::from_static(value))).collect())
    }

    #[test]
    fn tags_are_read_without_their_quotes() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["\"1-ab\""]), Some(vec!["1-ab".into()]));
        assert_eq!(read(&["\"a\" , \"b\"", "\"c\""]), Some(vec!["a".into(), "b".into(), "c".into()]));
        assert_eq!(read(&["*"]), Some(vec!["*".into()]));
        for nothing in ["", "1-ab", "W/\"1-ab\"", "\"1-ab", "\"*\""] {
            assert_eq!(read(&[nothing]), Some(Vec::new()), "{nothing}");
        }
    }
}

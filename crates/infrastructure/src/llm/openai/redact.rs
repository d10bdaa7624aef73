//! Texts of a provider, made fit for logs and people: short, on one line, without keys.

use secrecy::{ExposeSecret, SecretString};

/// Characters of a provider's text at most.
const LIMIT: usize = 500;
/// Shorter keys are dummies (`none`, `x`), and taking them out would garble every text.
const SHORTEST_KEY: usize = 4;
const MASK: &str = "***";

/// Cleans what a provider says. Providers do repeat keys in their messages.
pub(super) fn clean(text: &str, key: Option<&SecretString>) -> String {
    let key = key.map(ExposeSecret::expose_secret).filter(|key| key.len() >= SHORTEST_KEY);
    let without_key = key.map_or_else(|| text.to_owned(), |key| text.replace(key, MASK));
    let line = without_key.split_whitespace().map(mask_word).collect::<Vec<_>>().join(" ");
    let printable = line.replace(|character: char| character.is_control(), "");
    match printable.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}…", printable.get(..end).unwrap_or_default()),
        None => printable,
    }
}

/// Masks what looks like somebody's key, also when it is not the configured one.
fn mask_word(word: &str) -> String {
    const LONGEST_HARMLESS: usize = 12;
    let Some(at) = word.find("sk-") else { return word.to_owned() };
    let (before, rest) = word.split_at(at);
    let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*'))).unwrap_or(rest.len());
    let follows_letter = before.ends_with(|c: char| c.is_alphanumeric());
    if follows_letter || length <= LONGEST_HARMLESS {
        return word.to_owned();
    }
    format!("{before}{MASK}{}", rest.get(length..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_never_stays() {
        let key = SecretString::from("secret-key-1");
        assert_eq!(clean("bad key: secret-key-1.", Some(&key)), "bad key: ***.");
        assert_eq!(clean("(secret-key-1secret-key-1)", Some(&key)), "(******)");
        let long = format!("{}secret-key-1", "x".repeat(LIMIT - 5));
        assert!(!clean(&long, Some(&key)).contains("secret"));
    }

    #[test]
    fn what_looks_like_a_key_is_masked_too() {
        assert_eq!(clean("Incorrect API key provided: 'sk-proj-abcdefgh12345678'.", None), "Incorrect API key provided: '***'.");
        assert_eq!(clean("see task-management-handbook-1", None), "see task-management-handbook-1");
        assert_eq!(clean("sk-short", None), "sk-short");
    }

    #[test]
    fn texts_are_short_and_on_one_line() {
        assert_eq!(clean(" a\n\tb\u{7} \r\n c ", None), "a b c");
        assert_eq!(clean(&"字".repeat(LIMIT + 1), None), format!("{}…", "字".repeat(LIMIT)));
    }

    #[test]
    fn a_dummy_key_does_not_garble_the_text() {
        assert_eq!(clean("next", Some(&SecretString::from("x"))), "next");
    }
}

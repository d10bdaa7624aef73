//! Results that are too long for a conversation.

/// Characters of a result that a model reads.
const MAX_CHARACTERS: usize = 20_000;

/// The text, cut with a notice where it is too long; and whether it was.
#[must_use]
pub fn trim(text: String) -> (String, bool) {
    let Some((cut, _)) = text.char_indices().nth(MAX_CHARACTERS) else { return (text, false) };
    let all = text.chars().count();
    let kept = text.get(..cut).unwrap_or_default();
    (format!("{kept}\n\n[cut: the first {MAX_CHARACTERS} of {all} characters are shown]"), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_too_long_is_cut_and_says_so() {
        assert_eq!(trim("short".into()), ("short".into(), false));
        let (text, cut) = trim("字".repeat(MAX_CHARACTERS + 5));
        assert!(cut);
        assert!(text.ends_with("[cut: the first 20000 of 20005 characters are shown]"));
        assert!(!trim("x".repeat(MAX_CHARACTERS)).1);
    }
}

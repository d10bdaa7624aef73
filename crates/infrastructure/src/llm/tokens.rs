//! An estimate of tokens, for answers whose provider does not count.

/// The tokens of a text, about: a quarter for each ASCII character, half for other alphabets, three quarters for
/// Chinese, Japanese and Korean. Bytes or characters alone are far off for one of them.
#[must_use]
pub(super) fn estimate(text: &str) -> u64 {
    let quarters: usize = if text.is_ascii() { text.len() } else { text.chars().map(quarters).sum() };
    u64::try_from(quarters.div_ceil(4)).unwrap_or(u64::MAX)
}

const fn quarters(character: char) -> usize {
    match character {
        '\0'..='\x7f' => 1,
        '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' => 3,
        '\u{20000}'..='\u{3ffff}' => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::estimate;

    #[test]
    fn estimates_follow_the_script() {
        assert_eq!(estimate(""), 0);
        assert_eq!(estimate("a"), 1);
        assert_eq!(estimate("four letters per word"), 6);
        assert_eq!(estimate("今天天气很好"), 5);
        assert_eq!(estimate("日本 x"), 2);
        assert_eq!(estimate("éé"), 1);
    }
}

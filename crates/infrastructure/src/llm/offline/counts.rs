//! "Three to five points" as a number: counts and what they count.

use super::words::is_cjk;

/// Larger numbers are years and prices, not counts of parts; lengths in words may be larger.
const MOST_PARTS: usize = 20;
const NUMBER_WORDS: &[&str] =
    &["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
const CHINESE_NUMBERS: &str = "零一二三四五六七八九十";
const RANGE_WORDS: &[&str] = &["to", "or", "and", "-", "到", "至", "或", "、"];
/// Words that follow a number and are looked at.
const REACH: usize = 3;

/// A number and the words behind it, small; of Chinese the characters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) value: usize,
    words: Vec<String>,
}

impl Count {
    /// Whether one of these words is near.
    pub(super) fn counts(&self, units: &[&str]) -> bool {
        self.words.iter().any(|word| units.contains(&word.as_str()))
    }

    /// Whether the word right behind the number is one of these.
    pub(super) fn directly_counts(&self, units: &[&str]) -> bool {
        self.words.first().is_some_and(|word| units.contains(&word.as_str()))
    }

    /// Whether the word behind the number is Chinese.
    pub(super) fn is_chinese(&self) -> bool {
        self.words.first().and_then(|word| word.chars().next()).is_some_and(is_cjk)
    }

    /// The number, if it can be one of parts.
    pub(super) fn parts(&self) -> Option<usize> {
        (1..=MOST_PARTS).contains(&self.value).then_some(self.value)
    }
}

enum Token {
    Number(usize),
    Word(String),
}

/// All counts of a text, in their order. A range counts as its lower end.
pub(super) fn counts(text: &str) -> Vec<Count> {
    let tokens = tokens(text);
    let mut counts = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let Token::Number(value) = token else { continue };
        let is_range = matches!(tokens.get(at), Some(Token::Word(word)) if RANGE_WORDS.contains(&word.as_str()));
        if is_range && matches!(tokens.get(at + 1), Some(Token::Number(_))) {
            at += 2;
        }
        let behind =
            tokens.get(at..).unwrap_or_default().iter().filter(|token| !matches!(token, Token::Word(word) if word == "-"));
        let words = behind.take(REACH).map_while(|token| if let Token::Word(word) = token { Some(word.clone()) } else { None });
        counts.push(Count { value: *value, words: words.collect() });
    }
    counts
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let run = |belongs: fn(char) -> bool| rest.find(|c: char| !belongs(c)).unwrap_or(rest.len());
        let length = if first.is_ascii_digit() {
            run(|c| c.is_ascii_digit())
        } else if first.is_alphabetic() && !is_cjk(first) {
            run(|c| c.is_alphanumeric() && !is_cjk(c))
        } else {
            first.len_utf8()
        };
        let (token, others) = rest.split_at(length.max(first.len_utf8()));
        rest = others;
        tokens.extend(read(token, first));
    }
    tokens
}

fn read(token: &str, first: char) -> Option<Token> {
    if first.is_ascii_digit() {
        return token.parse().ok().map(Token::Number);
    }
    if let Some(number) = CHINESE_NUMBERS.chars().position(|numeral| numeral == first) {
        return Some(Token::Number(number));
    }
    let word = token.to_lowercase();
    if let Some(number) = NUMBER_WORDS.iter().position(|name| *name == word) {
        return Some(Token::Number(number));
    }
    match first {
        '两' => Some(Token::Number(2)),
        '-' | '–' | '~' | '～' | '—' => Some(Token::Word("-".to_owned())),
        '、' => Some(Token::Word(word)),
        _ if first.is_alphabetic() => Some(Token::Word(word)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, unit: &str) -> Option<usize> {
        counts(text).iter().find(|count| count.counts(&[unit])).map(|count| count.value)
    }

    #[test]
    fn numbers_count_what_follows_them() {
        assert_eq!(found("Exactly five short bullet points", "points"), Some(5));
        assert_eq!(found("a list of 10 items", "items"), Some(10));
        assert_eq!(found("Five to eight findings as a list", "findings"), Some(5));
        assert_eq!(found("3-5 points", "points"), Some(3));
        assert_eq!(found("a 300-word text", "word"), Some(300));
        assert_eq!(found("写 3 段", "段"), Some(3));
        assert_eq!(found("三到五个编号步骤", "个"), Some(3));
        assert_eq!(found("两个要点", "个"), Some(2));
        assert_eq!(found("二、三条建议", "条"), Some(2));
        assert_eq!(found("no numbers", "numbers"), None);
        assert_eq!(found("99999999999999999999999 points", "points"), None);
    }

    #[test]
    fn years_are_no_counts_of_parts() {
        assert_eq!(counts("in 2024 terms").first().and_then(Count::parts), None);
        assert_eq!(counts("7 terms").first().and_then(Count::parts), Some(7));
    }
}

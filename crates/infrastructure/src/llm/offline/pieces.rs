//! A text in pieces: words with the space behind them, and Chinese by two characters.

use super::words::is_cjk;

/// Cuts a text into pieces whose concatenation is the text.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = piece_end(rest)?;
        let (piece, others) = rest.split_at_checked(end)?;
        rest = others;
        Some(piece)
    })
}

fn piece_end(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().peekable();
    let (_, first) = characters.next()?;
    if is_cjk(first) {
        if characters.peek().is_some_and(|(_, second)| is_cjk(*second)) {
            characters.next();
        }
        return Some(characters.peek().map_or(text.len(), |(at, _)| *at));
    }
    let mut after_space = first.is_whitespace();
    for (at, character) in characters {
        if is_cjk(character) || (after_space && !character.is_whitespace()) {
            return Some(at);
        }
        after_space = character.is_whitespace();
    }
    Some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_characters_are_pieces() {
        let cut = |text| pieces(text).collect::<Vec<_>>();
        assert_eq!(cut("two  words\n\nhere."), ["two  ", "words\n\n", "here."]);
        assert_eq!(cut("今天天气 is 好。"), ["今天", "天气", " ", "is ", "好。"]);
        assert_eq!(cut(""), Vec::<&str>::new());
    }

    #[test]
    fn nothing_is_lost() {
        for text in ["- a\n- b 中文 c\n", " 中", "\n", "é中é"] {
            assert_eq!(pieces(text).collect::<String>(), text);
        }
    }
}

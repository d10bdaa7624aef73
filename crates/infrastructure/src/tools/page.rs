//! A part of a file as text for a model.

use super::room::MOST_CHARACTERS;

/// A part of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// It is text. `next` is the byte to go on with, if there is more; `unreadable` counts the places that were not
    /// UTF-8 and are shown as `�`.
    Text { text: String, next: Option<u64>, unreadable: usize },
    /// It holds zero bytes: no text in UTF-8.
    Binary,
}

/// Reads bytes that begin at `offset` in a file of `size` bytes, at most as many as an answer has room for. If more
/// follow, the page ends with a whole line where that costs less than half of it, else with a whole character.
pub(super) fn page(bytes: &[u8], offset: u64, size: u64) -> Page {
    if bytes.contains(&0) {
        return Page::Binary;
    }
    let bytes = first_characters(bytes, MOST_CHARACTERS);
    let end_of_bytes = offset.saturating_add(length(bytes));
    let shown = if end_of_bytes < size { whole_part(bytes) } else { bytes };
    let next = offset.saturating_add(length(shown));
    let shown = if offset == 0 { without_mark(shown) } else { without_tail_of_a_character(shown) };
    let unreadable = shown.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count();
    Page::Text { text: String::from_utf8_lossy(shown).into_owned(), next: (next < size).then_some(next), unreadable }
}

/// The longest beginning that is shown with so many characters.
fn first_characters(bytes: &[u8], mut most: usize) -> &[u8] {
    let mut end = 0;
    for chunk in bytes.utf8_chunks() {
        if let Some((cut, _)) = chunk.valid().char_indices().nth(most) {
            return bytes.get(..end + cut).unwrap_or(bytes);
        }
        end += chunk.valid().len();
        most -= chunk.valid().chars().count();
        if most == 0 {
            return bytes.get(..end).unwrap_or(bytes);
        }
        most -= usize::from(!chunk.invalid().is_empty());
        end += chunk.invalid().len();
    }
    bytes
}

fn whole_part(bytes: &[u8]) -> &[u8] {
    let after_last_line = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    let end = if after_last_line > bytes.len() / 2 { after_last_line } else { bytes.len() - begun_character(bytes) };
    bytes.get(..end).unwrap_or(bytes)
}

/// How many bytes at the end begin a character that is not complete.
fn begun_character(bytes: &[u8]) -> usize {
    for (back, byte) in bytes.iter().rev().take(3).enumerate() {
        let width = match byte {
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF7 => 4,
            0x80..=0xBF => continue,
            _ => 1,
        };
        return if width > back + 1 { back + 1 } else { 0 };
    }
    0
}

/// The bytes without the byte order mark that some editors put first.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// Drops the rest of a character that began before the page: the caller chose an offset inside of it.
fn without_tail_of_a_character(bytes: &[u8]) -> &[u8] {
    let tail = bytes.iter().take(3).take_while(|byte| matches!(byte, 0x80..=0xBF)).count();
    bytes.get(tail..).unwrap_or(bytes)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, next: Option<u64>) -> Page {
        Page::Text { text: text.to_owned(), next, unreadable: 0 }
    }

    #[test]
    fn the_last_part_is_shown_to_its_end() {
        assert_eq!(page(b"one\ntwo", 0, 7), text("one\ntwo", None));
        assert_eq!(page(b"two", 4, 7), text("two", None));
    }

    #[test]
    fn a_part_ends_with_a_line_or_else_with_a_character() {
        assert_eq!(page(b"one\ntwo\nthr", 0, 13), text("one\ntwo\n", Some(8)));
        assert_eq!(page(b"one\nlonger line", 0, 100), text("one\nlonger line", Some(15)));
        let chinese = "问题问题".as_bytes();
        for cut in [9, 10, 11] {
            assert_eq!(page(&chinese[..cut], 0, 12), text("问题问", Some(9)), "{cut}");
        }
        let picture = "ab👍".as_bytes();
        for cut in [3, 4, 5] {
            assert_eq!(page(&picture[..cut], 0, 6), text("ab", Some(2)), "{cut}");
        }
        assert_eq!(page("aé".as_bytes(), 0, 9), text("aé", Some(3)));
    }

    #[test]
    fn parts_put_together_are_the_file() {
        let file = "第一行\nsecond line 👍\nüber\n".repeat(50);
        let (bytes, size) = (file.as_bytes(), length(file.as_bytes()));
        for limit in 8..70 {
            let (mut all, mut offset) = (String::new(), Some(0));
            while let Some(start) = offset {
                let from = usize::try_from(start).unwrap();
                let Page::Text { text, next, unreadable } = page(&bytes[from..bytes.len().min(from + limit)], start, size) else {
                    panic!("it is text")
                };
                assert_eq!(unreadable, 0, "limit {limit}, offset {start}");
                all.push_str(&text);
                offset = next;
            }
            assert_eq!(all, file, "limit {limit}");
        }
    }

    #[test]
    fn characters_are_counted_as_they_are_shown() {
        let mixed = "a问".as_bytes().iter().chain(b"\xFF").chain("é".as_bytes()).copied().collect::<Vec<_>>();
        let ends: Vec<usize> = (0..6).map(|most| first_characters(&mixed, most).len()).collect();
        assert_eq!(ends, [0, 1, 4, 5, 7, 7]);
        let Page::Text { text, next, .. } = page("问".repeat(20_000).as_bytes(), 0, 60_000) else { panic!("it is text") };
        assert_eq!((text.chars().count(), next), (MOST_CHARACTERS, Some(54_000)));
    }

    #[test]
    fn what_is_no_text_is_said() {
        assert_eq!(page(b"PNG\0", 0, 4), Page::Binary);
        let gbk = Page::Text { text: "a��b�".to_owned(), next: None, unreadable: 3 };
        assert_eq!(page(b"a\xFF\xFEb\xC3", 0, 5), gbk);
        assert_eq!(page(b"\xEF\xBB\xBFx", 0, 4), text("x", None));
        assert_eq!(page(&"问x".as_bytes()[1..], 1, 4), text("x", None));
    }
}

//! Words that tell tasks apart in prompts, arguments and addresses.

/// How many digits a marker has.
const DIGITS: usize = 6;

/// The word of a task: its family, a letter each part uses alone, and its number.
pub(crate) fn marker(family: char, number: usize) -> String {
    format!("item{family}{number:0DIGITS$}")
}

/// The first marker in a text.
pub(crate) fn find(text: &str) -> Option<&str> {
    let length = "item".len() + 1 + DIGITS;
    text.match_indices("item").find_map(|(at, _)| {
        let word = text.get(at..at + length)?;
        let digits = word.get(length - DIGITS..)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::{find, marker};

    #[test]
    fn a_marker_is_found_again() {
        let word = marker('k', 42);
        assert_eq!(word, "itemk000042");
        assert_eq!(find(&format!("Do the items of {word} now.")), Some(word.as_str()));
        assert_eq!(find("items of nothing"), None);
        assert_eq!(find("itemk00004"), None);
    }
}

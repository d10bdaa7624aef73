//! The nearest known name for a mistyped one.

/// The candidate closest to `typed`, when it is close enough to be what was meant.
pub(crate) fn nearest<'a>(typed: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (typed.chars().count() / 5).max(2);
    candidates
        .map(|candidate| (edit_distance(typed, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in characters.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, left_character) in left.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        let mut before = line + 1;
        next.push(before);
        for ((&diagonal, &above), &right_character) in row.iter().zip(row.iter().skip(1)).zip(&right) {
            let substitution = diagonal + usize::from(left_character != right_character);
            before = substitution.min(above + 1).min(before + 1);
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_edits() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("abc", ""), 3);
        assert_eq!(edit_distance("same", "same"), 0);
    }

    #[test]
    fn only_a_near_name_is_suggested() {
        let names = ["APP_PORT", "APP_HOST", "APP_DATABASE_URL"];
        assert_eq!(nearest("APP_PROT", names.into_iter()), Some("APP_PORT"));
        assert_eq!(nearest("APP_DATABSE_URL", names.into_iter()), Some("APP_DATABASE_URL"));
        assert_eq!(nearest("APP_SOMETHING_ELSE", names.into_iter()), None);
    }
}

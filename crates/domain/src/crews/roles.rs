//! Comparing roles: the address of an agent when work is handed over.

/// The form in which roles are compared: blanks collapsed, double quotes removed, case folded.
///
/// Folded YAML texts end with a newline and models like to quote; both must still find the agent.
#[must_use]
pub fn normalise_role(role: &str) -> String {
    let words: Vec<&str> = role.split_whitespace().collect();
    words.join(" ").replace('"', "").trim().to_lowercase()
}

/// Whether two roles are the same agent's.
#[must_use]
pub fn same_role(left: &str, right: &str) -> bool {
    normalise_role(left) == normalise_role(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_quotes_and_case_do_not_count() {
        assert!(same_role("Senior \"Data\"  Analyst\n", "senior data analyst"));
        assert!(same_role("客服专员\n", "客服专员"));
        assert!(!same_role("Writer", "Writers"));
    }
}

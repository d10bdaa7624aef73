//! Secrets of tools that the operator declared in files.

use std::collections::BTreeMap;

use secrecy::SecretString;

/// How the names of these variables begin. What follows is the operator's choice.
pub const TOOL_SECRET_PREFIX: &str = "APP_TOOL_SECRET_";

/// The `tools` section. Its variables have no fixed names, so it is not part of the catalogue.
#[derive(Debug, Clone, Default)]
pub struct ToolsSettings {
    /// Secrets by the whole name of their variable, such as `APP_TOOL_SECRET_ERP`.
    pub secrets: BTreeMap<String, SecretString>,
}

/// Whether a variable holds a tool's secret: the prefix and an upper-case word after it.
pub(crate) fn is_tool_secret(name: &str) -> bool {
    let is_word_byte = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    name.strip_prefix(TOOL_SECRET_PREFIX).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_word_byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_upper_case_words_after_the_prefix_are_secrets_of_tools() {
        assert!(is_tool_secret("APP_TOOL_SECRET_ERP_2"));
        for name in ["APP_TOOL_SECRET_", "APP_TOOL_SECRET_erp", "APP_TOOL_SECRETS_X", "TOOL_SECRET_X"] {
            assert!(!is_tool_secret(name), "{name}");
        }
    }
}

//! Secrets taken out of what comes back: some servers repeat the headers of a request in their answer.

use secrecy::{ExposeSecret, SecretString};

/// What stands in place of a secret.
const MASK: &str = "********";
/// Shorter texts may be part of anything.
const FEWEST_BYTES: usize = 4;

/// The secrets of a tool.
#[derive(Clone, Debug, Default)]
pub(super) struct Redaction {
    /// Longest first, so that no part of one is left over.
    secrets: Vec<SecretString>,
}

impl Redaction {
    /// Takes out these values, and what follows a scheme such as `Bearer` alone.
    pub(super) fn of<'secret>(values: impl Iterator<Item = &'secret SecretString>) -> Self {
        let mut secrets: Vec<String> = Vec::new();
        for value in values {
            let value = value.expose_secret();
            let alone = value.split_once(' ').map(|(_, credentials)| credentials.trim());
            secrets
                .extend([Some(value), alone].into_iter().flatten().filter(|text| text.len() >= FEWEST_BYTES).map(str::to_owned));
        }
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { secrets: secrets.into_iter().map(SecretString::from).collect() }
    }

    /// The text without them.
    pub(super) fn apply(&self, text: String) -> String {
        self.secrets
            .iter()
            .map(ExposeSecret::expose_secret)
            .fold(text, |text, secret| if text.contains(secret) { text.replace(secret, MASK) } else { text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_and_its_credentials_are_taken_out() {
        let secrets = [SecretString::from("Bearer tok-12345"), SecretString::from("abc")];
        let redaction = Redaction::of(secrets.iter());
        let text = redaction.apply("got Bearer tok-12345, tok-12345 and abc".to_owned());
        assert_eq!(text, "got ********, ******** and abc");
        assert!(!format!("{redaction:?}").contains("tok"));
    }
}

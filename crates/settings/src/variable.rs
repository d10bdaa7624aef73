//! What a settings variable is.

/// How much of a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// Everything.
    Nothing,
    /// Nothing of it: a secret.
    Everything,
    /// An address: all but its password.
    Credentials,
}

/// One setting as users know it: a flat name, the nested key behind it, and names other tools use for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Section and field, as in the configuration files: `database.url`.
    pub key: &'static str,
    /// The flat name: `APP_DATABASE_URL`. `APP_DATABASE__URL` means the same.
    pub name: &'static str,
    /// Names of other standards for the same thing, strongest first; weaker than `name` in the same source.
    pub standard_names: &'static [&'static str],
    /// How much of the value may be shown.
    pub mask: Mask,
}

impl Variable {
    pub(crate) const fn new(key: &'static str, name: &'static str) -> Self {
        Self { key, name, standard_names: &[], mask: Mask::Nothing }
    }

    pub(crate) const fn secret(self) -> Self {
        Self { mask: Mask::Everything, ..self }
    }

    pub(crate) const fn address(self) -> Self {
        Self { mask: Mask::Credentials, ..self }
    }

    pub(crate) const fn also(self, standard_names: &'static [&'static str]) -> Self {
        Self { standard_names, ..self }
    }

    /// The part of the key before the dot.
    pub fn section(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(section, _)| section)
    }

    /// The part of the key behind the dot.
    pub fn field(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(_, field)| field)
    }
}

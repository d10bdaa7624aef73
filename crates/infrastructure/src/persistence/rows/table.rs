//! What all tables have in common.

/// A table as statements see it.
#[derive(Debug)]
pub(in crate::persistence) struct Table {
    /// Its name.
    pub(in crate::persistence) name: &'static str,
    /// What a violated unique key is called in errors.
    pub(in crate::persistence) key_name: &'static str,
    /// Its primary key.
    pub(in crate::persistence) key: &'static [&'static str],
    /// All columns, in the order of writing and reading.
    pub(in crate::persistence) columns: &'static [&'static str],
}

impl Table {
    /// All columns for a `SELECT`, each with the table's alias.
    pub(in crate::persistence) fn columns_of(&self, alias: &str) -> String {
        let mut list = String::with_capacity(self.columns.len() * 20);
        for column in self.columns {
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(alias);
            list.push('.');
            list.push_str(column);
        }
        list
    }
}

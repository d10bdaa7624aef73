//! The command line.

use std::path::PathBuf;

use anyhow::Context;

/// Rows of `claims` if nothing else is said: finished runs; a tenth of it is queued.
const ROWS: u64 = 1_000_000;

/// What is to be measured, and on what.
#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    /// The binary under measurement.
    pub(crate) binary: PathBuf,
    /// These cases alone.
    pub(crate) only: Option<Vec<String>>,
    /// JSON instead of a table.
    pub(crate) is_json: bool,
    /// `sqlite`, or the address of a database server.
    pub(crate) database: String,
    /// The Redis of all processes.
    pub(crate) redis: Option<String>,
    /// The first process of the database server; found by its port if it is not given.
    pub(crate) database_pid: Option<u32>,
    /// Finished runs of `claims`.
    pub(crate) rows: u64,
    /// Databases that are compared in alternating rounds; the first one is what the others are compared with.
    pub(crate) compare: Vec<String>,
}

impl Arguments {
    /// Reads them.
    ///
    /// # Errors
    /// For words that mean nothing here, and where there is no binary.
    pub(crate) fn read(given: &[String]) -> anyhow::Result<Self> {
        const WITH_VALUE: [&str; 7] = ["--binary", "--only", "--database", "--redis", "--database-pid", "--rows", "--compare"];
        let mut values = std::collections::BTreeMap::new();
        let (mut is_json, mut words) = (false, given.iter());
        while let Some(word) = words.next() {
            if word == "--json" {
                is_json = true;
            } else if WITH_VALUE.contains(&word.as_str()) {
                values.insert(word.as_str(), words.next().with_context(|| format!("{word} needs a value"))?.clone());
            } else {
                anyhow::bail!("{word} is not known; known are --json and {}", WITH_VALUE.join(", "));
            }
        }
        let list = |name: &str| values.get(name).map(|text| text.split(',').map(str::to_owned).collect::<Vec<_>>());
        let binary = match values.get("--binary") {
            Some(path) => path.into(),
            None => std::env::current_exe()?.with_file_name("crewd"),
        };
        Ok(Self {
            binary: std::fs::canonicalize(&binary)
                .with_context(|| format!("{} is not there: cargo build --release", binary.display()))?,
            only: list("--only"),
            is_json,
            database: values.get("--database").cloned().unwrap_or_else(|| "sqlite".to_owned()),
            redis: values.get("--redis").cloned(),
            database_pid: values.get("--database-pid").map(|text| text.parse()).transpose().context("--database-pid")?,
            rows: values.get("--rows").map_or(Ok(ROWS), |text| text.parse()).context("--rows")?,
            compare: list("--compare").unwrap_or_default(),
        })
    }

    /// Whether a case is to be run that belongs to every run.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().map_or(self.compare.is_empty(), |names| names.iter().any(|wanted| wanted == name))
    }

    /// Whether a case was asked for by its name.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.only.as_ref().is_some_and(|names| names.iter().any(|wanted| wanted == name))
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn read(words: &str) -> anyhow::Result<Arguments> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let binary = std::env::current_exe()?.display().to_string();
        Arguments::read(&[vec!["--binary".to_owned(), binary], words].concat())
    }

    #[test]
    fn what_is_asked_for_is_what_is_run() {
        let all = read("").unwrap();
        assert!(all.wants("submit") && !all.names("claims"));
        let some = read("--only rate,claims --rows 1000 --database-pid 7").unwrap();
        assert!(some.wants("rate") && !some.wants("submit") && some.names("claims"));
        assert_eq!((some.rows, some.database_pid), (1_000, Some(7)));
        let compared = read("--compare sqlite,postgres://u@h/").unwrap();
        assert!(!compared.wants("submit"));
        assert_eq!(compared.compare, ["sqlite", "postgres://u@h/"]);
    }

    #[test]
    fn typing_errors_are_not_overlooked() {
        for wrong in ["--databse x", "--only", "--rows many"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}

//! Loading as a whole, over temporary folders.

mod egress;
mod example;
mod llm;
mod precedence;
mod problems;
mod production;
mod secrets;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;

use tempfile::TempDir;

use crate::{Problem, SettingRow, Settings, SettingsError, Sources};

/// A working directory with files, an environment and command line overrides.
struct Installation {
    folder: TempDir,
    sources: Sources,
}

impl Installation {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let sources = Sources { working_directory: folder.path().to_owned(), ..Sources::default() };
        Self { folder, sources }
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
        self
    }

    fn environment(mut self, pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        self.sources.environment.extend(pairs);
        self
    }

    fn arguments(mut self, pairs: &[(&str, &str)]) -> Self {
        self.sources.arguments =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>();
        self
    }

    fn load(&self) -> Result<Settings, SettingsError> {
        Settings::load(&self.sources)
    }

    fn settings(&self) -> Settings {
        self.load().unwrap_or_else(|error| panic!("{error}"))
    }

    fn problems(&self) -> Vec<Problem> {
        self.load().expect_err("problems").problems
    }

    fn problem_names(&self) -> Vec<String> {
        self.problems().into_iter().map(|problem| problem.variable).collect()
    }

    fn row(&self, key: &str) -> SettingRow {
        self.settings().origins().iter().find(|row| row.key == key).expect("a row").clone()
    }
}

fn environment(pairs: &[(&str, &str)]) -> Installation {
    Installation::new().environment(pairs)
}

//! The folders one installation owns. It outlives the process, so that a restart finds its data.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crewd_test_services::{Engine, Service, TestDatabase};
use tempfile::TempDir;

use crate::crews::CrewFolder;

/// A temporary installation: working folder, data and definitions, a database of its own where the suite runs on a server
/// (`CREWD_TEST_DATABASE`), and keys of its own in Redis where the suite has one (`CREWD_TEST_REDIS=1`). Removed when the last user drops it.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
    database: Option<TestDatabase>,
}

impl Home {
    /// An empty installation.
    ///
    /// # Panics
    /// Where the suite's database server is not to be had.
    pub fn new() -> Arc<Self> {
        Self::on(Engine::of_suite())
    }

    /// An empty installation on this engine, whatever the suite runs on.
    ///
    /// # Panics
    /// Where its server is not to be had.
    pub fn on(engine: Engine) -> Arc<Self> {
        let database = engine.service().map(|service| {
            service
                .database()
                .unwrap_or_else(|| panic!("CREWD_TEST_DATABASE asks for {}, which is not to be had", service.name()))
        });
        let home = Self { folder: tempfile::tempdir().expect("a temporary folder can be made"), database };
        std::fs::create_dir_all(home.data()).expect("the data folder can be made");
        Arc::new(home)
    }

    /// An installation whose definitions are exactly these crews.
    pub fn with_crews(crews: &[CrewFolder]) -> Arc<Self> {
        let home = Self::new();
        for crew in crews {
            home.add_crew(crew);
        }
        home
    }

    /// Writes one more crew, or a new version of one.
    pub fn add_crew(&self, crew: &CrewFolder) {
        crew.write(&self.config());
    }

    /// Writes the operator's `tools.yaml`.
    pub fn add_tools(&self, yaml: &str) {
        std::fs::create_dir_all(self.config()).expect("the folder can be made");
        std::fs::write(self.config().join("tools.yaml"), yaml).expect("tools.yaml can be written");
    }

    /// The working folder of the process.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// `APP_DATA_DIR`.
    pub fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// `APP_DATABASE_URL`; `None` leaves the product its own file below the data folder.
    pub fn database_url(&self) -> Option<String> {
        self.database.as_ref().map(TestDatabase::url)
    }

    /// `APP_REDIS_URL` and `APP_REDIS_PREFIX`.
    pub fn redis(&self) -> Option<(String, String)> {
        let name = self.root().file_name().expect("a temporary folder has a name").to_string_lossy();
        Service::redis_of_suite().map(|url| (url, format!("crewd-suite-{}-{name}", std::process::id())))
    }

    /// `APP_CONFIG_DIR`, given to the process only where a crew was written.
    pub fn config(&self) -> PathBuf {
        self.root().join("config")
    }

    /// Every file below the root whose name is `name`.
    pub fn find(&self, name: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.root().to_path_buf()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_folder {
                    open.push(path);
                } else if path.file_name().is_some_and(|file| file == name) {
                    found.push(path);
                }
            }
        }
        found
    }
}

//! The folders one installation owns. It outlives the process, so that a restart finds its data.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use crate::crews::CrewFolder;

/// A temporary installation: working folder, data and definitions. Removed when the last user drops it.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
}

impl Home {
    /// An empty installation.
    pub fn new() -> Arc<Self> {
        let home = Self { folder: tempfile::tempdir().expect("a temporary folder can be made") };
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

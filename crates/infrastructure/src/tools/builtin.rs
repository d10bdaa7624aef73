//! The set of all tools that come with crewd.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crewd_application::ports::{Tool, ToolSet};
use crewd_domain::tools::ToolDescriptor;

use super::ask_human::AskHuman;
use super::directory_read::DirectoryRead;
use super::file_read::FileRead;
use super::file_write::FileWrite;
use super::readable::ReadableFolders;
use crate::files::JailedRunFiles;

/// `ask_human`, `directory_read`, `file_read` and `file_write`.
#[derive(Clone)]
pub struct BuiltinTools {
    tools: BTreeMap<String, Arc<dyn Tool>>,
}

impl BuiltinTools {
    /// Tools that work in the folders of runs and read, where it is set, below `shared_folder`.
    ///
    /// The folder of all run files stays closed when it lies in the shared folder, and so do the `private_folders`:
    /// the data folder with the database and the secrets, for example.
    ///
    /// # Errors
    /// When the shared folder is missing or is no folder, lies in the folder of run files, or is itself private. The
    /// text names the folder.
    pub fn new(files: JailedRunFiles, shared_folder: Option<&Path>, private_folders: &[PathBuf]) -> io::Result<Self> {
        let readable = ReadableFolders::new(files.clone(), shared_folder, private_folders)?;
        let tools: [Arc<dyn Tool>; 4] = [
            Arc::new(AskHuman::new()),
            Arc::new(DirectoryRead::new(readable.clone())),
            Arc::new(FileRead::new(readable)),
            Arc::new(FileWrite::new(files)),
        ];
        Ok(Self { tools: tools.into_iter().map(|tool| (tool.descriptor().name.clone(), tool)).collect() })
    }
}

impl ToolSet for BuiltinTools {
    fn get(&self, name: &str) -> Option<Arc<dyn Tool>> {
        self.tools.get(name).cloned()
    }

    fn descriptors(&self) -> Vec<ToolDescriptor> {
        self.tools.values().map(|tool| tool.descriptor().clone()).collect()
    }
}

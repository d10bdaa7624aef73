//! Where tools may read and write.

use std::path::{Path, PathBuf};

use crate::reader::Reader;
use crate::variable::Variable;

pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("files.file_root", "APP_FILE_ROOT"),
    Variable::new("files.data_output_dir", "APP_DATA_OUTPUT_DIR"),
    Variable::new("files.tools_directory_read_root", "APP_TOOLS_DIRECTORY_READ_ROOT"),
];

/// The `files` section.
#[derive(Debug, Clone)]
pub struct FilesSettings {
    /// Root of the file store; `files` in the data folder unless set.
    pub file_root: PathBuf,
    /// Results of applications; `output` in the data folder unless set.
    pub data_output_dir: PathBuf,
    /// Root that reading tools may see; a task's own folder unless set, never the whole disk.
    pub tools_directory_read_root: Option<PathBuf>,
}

impl FilesSettings {
    pub(crate) fn read(reader: &mut Reader, data_dir: &Path) -> Self {
        let folder = |key: &str, name: &str| reader.text(key).map_or_else(|| data_dir.join(name), PathBuf::from);
        Self {
            file_root: folder("files.file_root", "files"),
            data_output_dir: folder("files.data_output_dir", "output"),
            tools_directory_read_root: reader.text("files.tools_directory_read_root").map(PathBuf::from),
        }
    }
}

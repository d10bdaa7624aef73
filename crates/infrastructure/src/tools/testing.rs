//! A run with its folder, a shared folder and the tools, for the tests of this module.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crewd_application::ports::{ToolCallContext, ToolError, ToolSet};
use crewd_application::testing::ids::SequenceIds;
use crewd_domain::runs::StepPath;
use crewd_domain::shared::{RunId, TaskId, TenantId};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::BuiltinTools;
use crate::files::JailedRunFiles;

pub(super) struct Bench {
    folder: TempDir,
    tools: BuiltinTools,
    context: ToolCallContext,
}

impl Bench {
    /// Tools that see the run's own folder alone.
    pub(super) fn new() -> Self {
        Self::build(|_| None)
    }

    /// Tools that see the shared folder, too.
    pub(super) fn with_shared() -> Self {
        Self::build(|root| Some(root.join("shared")))
    }

    /// Tools whose shared folder is the root of all, with the data folder inside.
    pub(super) fn with_everything_shared() -> Self {
        Self::build(|root| Some(root.to_owned()))
    }

    fn build(shared: impl FnOnce(&Path) -> Option<PathBuf>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for made in ["shared", "data", "outside"] {
            fs::create_dir(root.join(made)).unwrap();
        }
        let shared = shared(root);
        let files = JailedRunFiles::new(&root.join("data/files"));
        let tools = BuiltinTools::new(files, shared.as_deref(), &[root.join("data")]).unwrap();
        let context = ToolCallContext {
            tenant: TenantId::default_tenant(),
            task_id: TaskId::new(SequenceIds::id(1)),
            run_id: RunId::new(SequenceIds::id(2)),
            step: StepPath::crew_task(0).agent().turn(0).tool(0),
            idempotency_key: "key".to_owned(),
            time_limit: Duration::from_secs(60),
        };
        Self { folder, tools, context }
    }

    pub(super) const fn tools(&self) -> &BuiltinTools {
        &self.tools
    }

    pub(super) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn shared(&self) -> PathBuf {
        self.root().join("shared")
    }

    pub(super) fn outside(&self) -> PathBuf {
        self.root().join("outside")
    }

    /// The folder of the run.
    pub(super) fn own(&self) -> PathBuf {
        self.root().join("data/files/default").join(self.context.run_id.to_string())
    }

    /// Puts a file somewhere, with its folders.
    pub(super) fn put(path: &Path, content: impl AsRef<[u8]>) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(super) async fn call(&self, tool: &str, arguments: Value) -> Result<String, ToolError> {
        let arguments = arguments.as_object().unwrap();
        self.tools.get(tool).unwrap().call(&self.context, arguments).await.map(|output| output.text)
    }

    pub(super) async fn read(&self, path: &str) -> Result<String, ToolError> {
        self.call("file_read", json!({"path": path})).await
    }

    pub(super) async fn write(&self, path: &str, content: &str) -> Result<String, ToolError> {
        self.call("file_write", json!({"path": path, "content": content})).await
    }

    pub(super) async fn list(&self, path: &str) -> Result<String, ToolError> {
        self.call("directory_read", json!({"path": path})).await
    }
}

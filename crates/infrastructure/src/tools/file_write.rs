//! Writing a text file into the run's own folder.

use async_trait::async_trait;
use crewd_application::ports::{Tool, ToolCallContext, ToolError, ToolOutput};
use crewd_domain::tools::{EffectClass, RiskLevel, ToolDescriptor};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failures::{failure, read_arguments};
use crate::files::{JailPath, JailedRunFiles, WriteMode, run_blocking};

/// Most bytes of a file that a model writes.
const MOST_BYTES: usize = 1_048_576;

/// Writes a file whole. There is no mode that appends: the same call twice must leave what one leaves, so that a call
/// whose end a crash hid can be made again.
pub(super) struct FileWrite {
    descriptor: ToolDescriptor,
    files: JailedRunFiles,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    path: String,
    content: String,
    #[serde(default)]
    mode: Mode,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Overwrite,
    Create,
}

impl FileWrite {
    pub(super) fn new(files: JailedRunFiles) -> Self {
        let descriptor = ToolDescriptor {
            name: "file_write".to_owned(),
            description: "Writes a text file into this run's own folder, whole. Missing folders are made. To add to a file, \
                          read it first and write all of it."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "path": {
                        "type": "string", "minLength": 1, "maxLength": 1024, "examples": ["notes.md"],
                        "description": "Relative path of the file with `/` between folders, such as `drafts/report.md`."
                    },
                    "content": {
                        "type": "string", "maxLength": MOST_BYTES,
                        "description": "The whole text of the file, at most 1 MiB in UTF-8."
                    },
                    "mode": {
                        "type": "string", "enum": ["overwrite", "create"], "default": "overwrite",
                        "description": "`overwrite` replaces a file of this name; `create` fails if there is another one."
                    }
                },
                "required": ["path", "content"],
                "additionalProperties": false
            }),
            risk: RiskLevel::Medium,
            effect: EffectClass::Idempotent,
            reconciles: false,
        };
        Self { descriptor, files }
    }
}

#[async_trait]
impl Tool for FileWrite {
    fn descriptor(&self) -> &ToolDescriptor {
        &self.descriptor
    }

    async fn call(&self, context: &ToolCallContext, arguments: &Map<String, Value>) -> Result<ToolOutput, ToolError> {
        let Arguments { path, content, mode } = read_arguments(arguments)?;
        let size = content.len();
        if size > MOST_BYTES {
            return Err(ToolError::InvalidArguments(format!("the content has {size} bytes; at most {MOST_BYTES} are taken")));
        }
        let (files, tenant, run) = (self.files.clone(), context.tenant.clone(), context.run_id);
        let mode = match mode {
            Mode::Overwrite => WriteMode::Replace,
            Mode::Create => WriteMode::CreateOnly,
        };
        let written = run_blocking(move |stop| {
            let write = || {
                let name = JailPath::file(&path)?;
                files.write_now((&tenant, run), &name, content.as_bytes(), (mode, true), stop)?;
                Ok(name)
            };
            write().map_err(|error| failure(&path, error))
        });
        let name = written.await?;
        Ok(ToolOutput { text: format!("Wrote {size} bytes to `{name}`.") })
    }
}

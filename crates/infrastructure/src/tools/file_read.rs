//! Reading a text file, part by part.

use std::io::{Read, Seek, SeekFrom};

use async_trait::async_trait;
use crewd_application::ports::{Tool, ToolCallContext, ToolError, ToolOutput};
use crewd_domain::tools::{EffectClass, RiskLevel, ToolDescriptor};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failures::{failure, read_arguments, whole_number};
use super::page::{Page, page};
use super::readable::ReadableFolders;
use crate::files::{JailError, JailPath, run_blocking};

/// Most bytes of one answer, and how many are given unless the call says otherwise; fewer where their text is longer than
/// an answer may be.
const MOST_BYTES: u64 = 65_536;
/// Fewest bytes a call may ask for: every character fits.
const FEWEST_BYTES: u64 = 256;

/// Reads a text file of the run or of the shared folder.
pub(super) struct FileRead {
    descriptor: ToolDescriptor,
    folders: ReadableFolders,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    path: String,
    #[serde(default, deserialize_with = "whole_number")]
    offset: u64,
    #[serde(default = "most_bytes", deserialize_with = "whole_number")]
    limit: u64,
}

const fn most_bytes() -> u64 {
    MOST_BYTES
}

impl FileRead {
    pub(super) fn new(folders: ReadableFolders) -> Self {
        let descriptor = ToolDescriptor {
            name: "file_read".to_owned(),
            description: "Reads a text file in UTF-8. The path is looked up in this run's own folder first, then in the shared \
                          folder if there is one. A long file comes in parts; the end of the answer says how to go on."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "path": {
                        "type": "string", "minLength": 1, "maxLength": 1024, "examples": ["notes.md"],
                        "description": "Relative path of the file with `/` between folders, such as `src/main.py`."
                    },
                    "offset": {
                        "type": "integer", "minimum": 0, "default": 0,
                        "description": "Byte to begin at, from 0. To go on, take the number that the answer before named."
                    },
                    "limit": {
                        "type": "integer", "minimum": FEWEST_BYTES, "maximum": MOST_BYTES, "default": MOST_BYTES,
                        "description": "At most so many bytes; the part ends with a whole line where possible."
                    }
                },
                "required": ["path"],
                "additionalProperties": false
            }),
            risk: RiskLevel::Low,
            effect: EffectClass::ReadOnly,
            reconciles: false,
        };
        Self { descriptor, folders }
    }
}

#[async_trait]
impl Tool for FileRead {
    fn descriptor(&self) -> &ToolDescriptor {
        &self.descriptor
    }

    async fn call(&self, context: &ToolCallContext, arguments: &Map<String, Value>) -> Result<ToolOutput, ToolError> {
        let Arguments { path, offset, limit } = read_arguments(arguments)?;
        let (folders, tenant, run) = (self.folders.clone(), context.tenant.clone(), context.run_id);
        let text = run_blocking(move |_| {
            let read = || {
                let name = JailPath::file(&path)?;
                let (mut file, size) = folders.find((&tenant, run), |jail| jail.open_file(&name))?;
                file.seek(SeekFrom::Start(offset)).map_err(JailError::Io)?;
                let mut bytes = Vec::new();
                file.take(limit.clamp(FEWEST_BYTES, MOST_BYTES)).read_to_end(&mut bytes).map_err(JailError::Io)?;
                Ok((bytes, size))
            };
            let (bytes, size) = read().map_err(|error| failure(&path, error))?;
            show(&path, &bytes, offset, size)
        });
        Ok(ToolOutput { text: text.await? })
    }
}

fn show(path: &str, bytes: &[u8], offset: u64, size: u64) -> Result<String, ToolError> {
    if offset > 0 && offset >= size {
        return Err(ToolError::InvalidArguments(format!("offset {offset} is behind the end: `{path}` has {size} bytes")));
    }
    if bytes.is_empty() {
        return Ok(format!("[`{path}` is empty.]"));
    }
    let Page::Text { mut text, next, unreadable } = page(bytes, offset, size) else {
        return Err(ToolError::Failed(format!("`{path}` is not a text file ({size} bytes); this tool reads text in UTF-8 only")));
    };
    if unreadable > 0 {
        text.push_str(&format!("\n[{unreadable} places are not UTF-8 and are shown as �.]"));
    }
    if let Some(next) = next {
        text.push_str(&format!("\n[Bytes {offset} to {next} of {size}. To go on, call file_read with offset {next}.]"));
    }
    Ok(text)
}

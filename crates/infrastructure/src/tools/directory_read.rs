//! Looking into a folder.

use async_trait::async_trait;
use crewd_application::ports::{Tool, ToolCallContext, ToolError, ToolOutput};
use crewd_domain::tools::{EffectClass, RiskLevel, ToolDescriptor};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failures::{failure, read_arguments, whole_number};
use super::listing::{Listing, Wish};
use super::readable::{Readable, ReadableFolders};
use super::room::MOST_CHARACTERS;
use crate::files::{JailError, JailPath, Stop, run_blocking};

/// Most levels of one answer.
const MOST_LEVELS: u64 = 8;
/// Levels unless the call says otherwise: enough to see how a project is laid out.
const LEVELS: u64 = 2;

/// Lists files and folders of the run and of the shared folder.
pub(super) struct DirectoryRead {
    descriptor: ToolDescriptor,
    folders: ReadableFolders,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    #[serde(default = "here")]
    path: String,
    #[serde(default = "levels", deserialize_with = "whole_number")]
    depth: u64,
    #[serde(default)]
    after: String,
}

fn here() -> String {
    ".".to_owned()
}

const fn levels() -> u64 {
    LEVELS
}

impl DirectoryRead {
    pub(super) fn new(folders: ReadableFolders) -> Self {
        let descriptor = ToolDescriptor {
            name: "directory_read".to_owned(),
            description: "Lists the files and folders below a folder, sorted, with the sizes of the files: of this run's own \
                          folder and of the shared folder if there is one. What is left out is said."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "path": {
                        "type": "string", "minLength": 1, "maxLength": 1024, "default": ".",
                        "description": "Relative path of the folder with `/` between folders; `.` is the top."
                    },
                    "depth": {
                        "type": "integer", "minimum": 1, "maximum": MOST_LEVELS, "default": LEVELS,
                        "description": "How many levels to show: 1 is the folder alone, 2 also what is in its folders."
                    },
                    "after": {
                        "type": "string", "maxLength": 255, "default": "",
                        "description": "To go on in a long folder: begin after this name, which the answer before named."
                    }
                },
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
impl Tool for DirectoryRead {
    fn descriptor(&self) -> &ToolDescriptor {
        &self.descriptor
    }

    async fn call(&self, context: &ToolCallContext, arguments: &Map<String, Value>) -> Result<ToolOutput, ToolError> {
        let Arguments { path, depth, after } = read_arguments(arguments)?;
        let (folders, tenant, run) = (self.folders.clone(), context.tenant.clone(), context.run_id);
        let text = run_blocking(move |stop| {
            let list = || {
                let path = JailPath::folder(&path)?;
                let folders = folders.open(&tenant, run)?;
                let room = MOST_CHARACTERS / folders.len().max(1);
                list_all(&folders, &Wish { path, levels: depth.clamp(1, MOST_LEVELS), after, room }, stop)
            };
            list().map_err(|error| failure(&path, error))
        });
        Ok(ToolOutput { text: text.await? })
    }
}

/// Lists each folder that has the path. The top of a run's folder counts as there before its first file.
fn list_all(folders: &[Readable], wish: &Wish, stop: &Stop) -> Result<String, JailError> {
    let mut parts = Vec::new();
    let mut missing = JailError::NotFound;
    for Readable { label, jail } in folders {
        let is_top = wish.path.as_str() == ".";
        let listed = match jail {
            Some(jail) => Listing::read(jail, wish, stop),
            None if is_top => Ok(Listing::default()),
            None => Err(JailError::NotFound),
        };
        match listed {
            Ok(listing) if folders.len() == 1 => return Ok(listing.show(wish, None)),
            Ok(listing) => parts.push(listing.show(wish, Some(label))),
            Err(JailError::NotFound) => {}
            Err(error @ JailError::NotAFolder) => missing = error,
            Err(error) => return Err(error),
        }
    }
    if parts.is_empty() { Err(missing) } else { Ok(parts.join("\n\n")) }
}

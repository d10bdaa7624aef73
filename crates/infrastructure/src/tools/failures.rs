//! What a model reads when a file tool does not succeed.

use crewd_application::ports::ToolError;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::{Map, Value};

use crate::files::JailError;

/// Reads the arguments of a call. The engine has checked them against the schema; this finds what a schema cannot say.
pub(super) fn read_arguments<T: DeserializeOwned>(arguments: &Map<String, Value>) -> Result<T, ToolError> {
    T::deserialize(arguments).map_err(|error| ToolError::InvalidArguments(error.to_string()))
}

/// Reads a number that JSON Schema takes for an integer: some models write `10.0`.
pub(super) fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = Value::deserialize(deserializer)?;
    let text = number.to_string();
    let whole = text.strip_suffix(".0").unwrap_or(&text);
    whole.parse().map_err(|_| D::Error::custom(format!("{text} is not a whole number from 0")))
}

/// Says what went wrong with a path.
pub(super) fn failure(path: &str, error: JailError) -> ToolError {
    match error {
        JailError::NotAllowed(_) => ToolError::Denied(format!("`{path}`: {error}")),
        JailError::NotFound => {
            ToolError::Failed(format!("`{path}`: there is nothing of this name; directory_read shows what there is"))
        }
        JailError::NotAFile => ToolError::Failed(format!("`{path}` is not a file; directory_read shows what is in a folder")),
        JailError::NotAFolder => ToolError::Failed(format!("`{path}` is not a folder, or a part of it is a file")),
        JailError::Exists => {
            ToolError::Failed(format!("`{path}` exists with another content; choose another name, or the mode `overwrite`"))
        }
        JailError::Stopped => ToolError::Failed(error.to_string()),
        // The kind alone: the system's text may name folders of the machine.
        JailError::Io(cause) => ToolError::Failed(format!("`{path}`: {}", cause.kind())),
    }
}

impl From<JailError> for ToolError {
    fn from(error: JailError) -> Self {
        Self::Failed(error.to_string())
    }
}

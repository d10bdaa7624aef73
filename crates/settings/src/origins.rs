//! Effective values with their origin, secrets masked.

use serde::Serialize;

use crate::catalogue;
use crate::masking;
use crate::reader::Reader;
use crate::settings::Settings;
use crate::sources::BUILT_IN;
use crate::variable::{Mask, Variable};

/// One line of `crewd config show --origin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingRow {
    /// Section and field: `database.url`.
    pub key: String,
    /// The variable that sets it: `APP_DATABASE_URL`.
    pub variable: String,
    /// The value in effect, secrets masked; empty when there is none.
    pub value: String,
    /// Where the value comes from: `environment`, `.env`, `config/default.toml`, `built in`, `command line`.
    pub origin: String,
}

pub(crate) fn rows(settings: &Settings, reader: &Reader) -> Vec<SettingRow> {
    catalogue::variables()
        .map(|variable| {
            let (value, origin) = match reader.find(variable.key) {
                Some(found) => (shown(variable, &found.text), found.origin),
                None => (derived(settings, variable.key), BUILT_IN.to_owned()),
            };
            SettingRow { key: variable.key.to_owned(), variable: variable.name.to_owned(), value, origin }
        })
        .collect()
}

/// The row of a tool's secret. Its key is not a path of a configuration file: secrets of tools have none there.
pub(crate) fn tool_secret_row(name: &str, origin: String) -> SettingRow {
    SettingRow { key: "tools.secrets".to_owned(), variable: name.to_owned(), value: masking::MASK.to_owned(), origin }
}

fn shown(variable: &Variable, text: &str) -> String {
    match variable.mask {
        Mask::Nothing => text.to_owned(),
        Mask::Everything => masking::MASK.to_owned(),
        Mask::Credentials => masking::address(text),
    }
}

/// Values that follow from other settings when they are not set themselves.
fn derived(settings: &Settings, key: &str) -> String {
    match key {
        "database.url" => settings.database.shown_url(&settings.server.data_dir),
        "files.file_root" => settings.files.file_root.display().to_string(),
        "files.data_output_dir" => settings.files.data_output_dir.display().to_string(),
        "llm.base_url" => settings.llm.resolved().base_url,
        "llm.model" => settings.llm.resolved().model,
        _ => String::new(),
    }
}

//! Where values come from, and which source wins.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use figment::Figment;
use secrecy::SecretString;

use crate::catalogue::{self, PREFIX};
use crate::layer::Layer;
use crate::problem::Problem;
use crate::reader::Choice;
use crate::sections::Environment;
use crate::{config_file, dotenv};

/// Origin of values that nobody set.
pub(crate) const BUILT_IN: &str = "built in";
const COMMAND_LINE: &str = "command line";
const ENVIRONMENT: &str = "environment";
const DEFAULT_CONFIG_DIR: &str = "./config";

const SHIPPED_DEFAULTS: &str = include_str!("../../../config/default.toml");
const SHIPPED_PRODUCTION: &str = include_str!("../../../config/production.toml");

/// All layers as one.
pub(crate) struct Merged {
    /// The values, strongest in effect.
    pub(crate) figment: Figment,
    /// Secrets of the operator's tools by name, each with the source it comes from.
    pub(crate) tool_secrets: BTreeMap<String, (SecretString, String)>,
    /// What was wrong on the way.
    pub(crate) problems: Vec<Problem>,
}

/// Everything settings are read from. Given as a value, so that tests decide it.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Overrides of the command line, by key (`server.port`) or variable name (`APP_PORT`).
    pub arguments: BTreeMap<String, String>,
    /// The process environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Folder of the `.env` files; a relative `APP_CONFIG_DIR` starts here, too.
    pub working_directory: PathBuf,
}

impl Sources {
    /// The sources of the running process.
    pub fn of_process(arguments: BTreeMap<String, String>) -> Self {
        Self { arguments, environment: std::env::vars_os().collect(), working_directory: PathBuf::from(".") }
    }

    /// All layers merged, weakest first, with the problems found on the way.
    pub(crate) fn merged(&self) -> Merged {
        let mut problems = Vec::new();
        let command_line = self.command_line(&mut problems);
        let process = self.process_environment(&mut problems);
        let local = dotenv::read(&self.working_directory, ".env.local", &mut problems);
        let plain = dotenv::read(&self.working_directory, ".env", &mut problems);
        let environment = selected_environment(&[&command_line, &process, &local, &plain]);

        let name = environment.as_str();
        let environment_local = dotenv::read(&self.working_directory, &format!(".env.{name}.local"), &mut problems);
        let environment_plain = dotenv::read(&self.working_directory, &format!(".env.{name}"), &mut problems);
        let named = [command_line, process, environment_local, environment_plain, local, plain];

        let config_dir = self.config_dir(&named, &mut problems);
        let files = self.config_files(&config_dir, name, &mut problems);
        let mut layers: Vec<Layer> = named.into_iter().chain(files).collect();
        layers.extend(built_in(environment));
        check_late_choice(&layers, "server.env", name, &mut problems);
        check_late_choice(&layers, "server.config_dir", &config_dir, &mut problems);

        let mut tool_secrets = BTreeMap::new();
        for layer in layers.iter_mut().rev() {
            let named = std::mem::take(&mut layer.tool_secrets).into_iter();
            tool_secrets.extend(named.map(|(name, secret)| (name, (secret, layer.origin.clone()))));
        }
        let figment = layers.into_iter().rev().fold(Figment::new(), Figment::merge);
        Merged { figment, tool_secrets, problems }
    }

    fn command_line(&self, problems: &mut Vec<Problem>) -> Layer {
        let pairs = self.arguments.iter().map(|(name, value)| {
            let variable = catalogue::by_key(name).map_or(name.as_str(), |variable| variable.name);
            if !variable.starts_with(PREFIX) {
                problems.push(Problem::new(name, "there is no such setting (from command line)", ""));
            }
            (variable.to_owned(), value.clone())
        });
        let pairs: Vec<_> = pairs.collect();
        Layer::from_names(COMMAND_LINE, pairs.into_iter(), problems)
    }

    fn process_environment(&self, problems: &mut Vec<Problem>) -> Layer {
        let mut pairs = Vec::new();
        for (name, value) in &self.environment {
            let Some(name) = name.to_str() else { continue };
            if !name.starts_with(PREFIX) && catalogue::by_name(name).is_none() {
                continue;
            }
            match value.to_str() {
                Some(value) => pairs.push((name.to_owned(), value.to_owned())),
                None => problems.push(Problem::new(name, "the value is not UTF-8 text (from environment)", "")),
            }
        }
        Layer::from_names(ENVIRONMENT, pairs.into_iter(), problems)
    }

    fn config_dir(&self, named: &[Layer], problems: &mut Vec<Problem>) -> String {
        let Some(chosen) = named.iter().find_map(|layer| layer.text("server.config_dir")) else {
            return DEFAULT_CONFIG_DIR.to_owned();
        };
        if !self.working_directory.join(chosen).is_dir() {
            problems.push(Problem::new(
                "APP_CONFIG_DIR",
                format!("there is no folder {chosen}"),
                "create it, or leave the variable out to use ./config or what is built in",
            ));
        }
        chosen.to_owned()
    }

    fn config_files(&self, config_dir: &str, environment: &str, problems: &mut Vec<Problem>) -> [Layer; 2] {
        let shown = Path::new(config_dir.strip_prefix("./").unwrap_or(config_dir));
        [environment, "default"].map(|name| {
            let file = format!("{name}.toml");
            let path = self.working_directory.join(config_dir).join(&file);
            config_file::read(&path, &shown.join(&file).display().to_string(), problems)
        })
    }
}

/// The shipped files. They cannot have problems: a test reads them.
fn built_in(environment: Environment) -> Vec<Layer> {
    let mut problems = Vec::new();
    let mut layers = Vec::new();
    if environment == Environment::Production {
        layers.push(config_file::parse(SHIPPED_PRODUCTION, BUILT_IN, &mut problems));
    }
    layers.push(config_file::parse(SHIPPED_DEFAULTS, BUILT_IN, &mut problems));
    layers
}

/// The environment decides which files are read, so only sources read before them can choose it.
fn selected_environment(layers: &[&Layer]) -> Environment {
    layers.iter().find_map(|layer| layer.text("server.env")).and_then(Environment::of_word).unwrap_or(Environment::Development)
}

/// A file that was found through a setting cannot change that setting.
fn check_late_choice(layers: &[Layer], key: &str, chosen: &str, problems: &mut Vec<Problem>) {
    let Some((layer, value)) = layers.iter().find_map(|layer| layer.text(key).map(|value| (layer, value))) else {
        return;
    };
    let is_unreadable = key == "server.env" && Environment::of_word(value).is_none();
    if is_unreadable || value.eq_ignore_ascii_case(chosen) {
        return;
    }
    let name = catalogue::by_key(key).map_or(key, |variable| variable.name);
    problems.push(Problem::new(
        name,
        format!("{} sets it to {value} too late: {chosen} was already in effect", layer.origin),
        "set it in the environment or in .env",
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_files_have_no_problem() {
        let mut problems = Vec::new();
        config_file::parse(SHIPPED_DEFAULTS, BUILT_IN, &mut problems);
        config_file::parse(SHIPPED_PRODUCTION, BUILT_IN, &mut problems);
        assert_eq!(problems, []);
    }
}

//! YAML as a tree in which every value knows its line and column.
//!
//! `serde-saphyr`'s parser gives the events; this module turns them into [`Node`]s, expands aliases and merge
//! keys under a budget, and keeps plain scalars as text until their type is asked for (`scalar`), because
//! CrewAI reads YAML 1.1 and people write YAML 1.2.

mod builder;
mod node;
mod parse;
mod scalar;
#[cfg(test)]
mod tests;

pub(super) use node::{Content, Entry, Node, Position, Scalar};
pub(super) use parse::{Duplicate, Issue, Parsed, parse};
pub(super) use scalar::{Resolved, resolve};

/// Bytes one file may have.
pub(super) const MAX_FILE_BYTES: usize = 256 * 1024;
/// Collections inside each other, aliases expanded.
pub(super) const MAX_DEPTH: usize = 64;
/// Values of one file, aliases expanded; long texts count more than once.
pub(super) const MAX_VALUES: usize = 50_000;

/// A budget of the reader is used up.
pub(super) const YAML_LIMITS: &str = "yaml_limits";
/// The text is not YAML.
pub(super) const YAML_SYNTAX: &str = "yaml_syntax";
/// The file is not UTF-8.
pub(super) const YAML_ENCODING: &str = "yaml_encoding";
/// A tag that asks for a type definitions do not have.
pub(super) const YAML_TAG: &str = "yaml_tag";

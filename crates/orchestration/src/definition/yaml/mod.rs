//! YAML as a tree in which every value knows its line and column.
//!
//! `serde-saphyr`'s parser gives the events; this module turns them into [`Node`]s, expands aliases and merge
//! keys under a budget, and keeps plain scalars as text until their type is asked for (`scalar`), because
//! CrewAI reads YAML 1.1 and people write YAML 1.2.

mod builder;
mod limits;
mod node;
mod parse;
mod scalar;
#[cfg(test)]
mod tests;

pub(super) use limits::{MAX_DEPTH, MAX_FILE_BYTES, MAX_VALUES, YAML_ENCODING, YAML_LIMITS, YAML_SYNTAX, YAML_TAG};
pub(super) use node::{Content, Entry, Node, Position, Scalar};
pub(super) use parse::{Duplicate, Issue, Parsed, parse};
pub(super) use scalar::{Resolved, resolve};

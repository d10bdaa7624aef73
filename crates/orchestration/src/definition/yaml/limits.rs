//! How much one file may ask for, and the ids of the rules about YAML itself.

/// Bytes one file may have.
pub(in crate::definition) const MAX_FILE_BYTES: usize = 256 * 1024;
/// Collections inside each other, aliases expanded.
pub(in crate::definition) const MAX_DEPTH: usize = 64;
/// Values of one file, aliases expanded; long texts count more than once.
pub(in crate::definition) const MAX_VALUES: usize = 50_000;

/// A budget of the reader is used up.
pub(in crate::definition) const YAML_LIMITS: &str = "yaml_limits";
/// The text is not YAML.
pub(in crate::definition) const YAML_SYNTAX: &str = "yaml_syntax";
/// The file is not UTF-8.
pub(in crate::definition) const YAML_ENCODING: &str = "yaml_encoding";
/// A tag that asks for a type definitions do not have.
pub(in crate::definition) const YAML_TAG: &str = "yaml_tag";

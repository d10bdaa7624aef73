//! Stable ids of the rules that only files can break. The rest stands in `crewd_domain::crews::rule`.

/// A key CrewAI does not know.
pub(super) const UNKNOWN_KEY: &str = "unknown_key";
/// A key that one mapping holds twice.
pub(super) const DUPLICATE_KEY: &str = "duplicate_key";
/// A required key is absent.
pub(super) const MISSING_KEY: &str = "missing_key";
/// A CrewAI feature that does nothing here yet.
pub(super) const NO_EFFECT: &str = "no_effect";
/// A CrewAI key that crewd accepts and never acts on.
pub(super) const IGNORED_KEY: &str = "ignored_key";
/// A setting that belongs to the operator (addresses and keys of providers).
pub(super) const OPERATOR_ONLY: &str = "operator_only";
/// Text that YAML 1.1 reads as something else (`no`, `1:30`, `2024-01-01`).
pub(super) const YAML_11_TEXT: &str = "yaml_11_text";
/// A number whose YAML 1.1 meaning surprises (`010` is 8, `1:30` is 90).
pub(super) const YAML_11_NUMBER: &str = "yaml_11_number";
/// Everything stands below `agents:` or `tasks:` again.
pub(super) const WRAPPER_KEY: &str = "wrapper_key";
/// A reference that matches only when case or form is ignored.
pub(super) const NAME_CASE: &str = "name_case";
/// `output_json` names a schema that `crew.yaml` does not have.
pub(super) const UNKNOWN_SCHEMA: &str = "unknown_schema";
/// A schema that is no JSON Schema.
pub(super) const INVALID_SCHEMA: &str = "invalid_schema";
/// Two settings that exclude each other.
pub(super) const CONFLICTING_KEYS: &str = "conflicting_keys";
/// A task that `crew.yaml` does not list.
pub(super) const UNUSED_TASK: &str = "unused_task";
/// `name` in `crew.yaml` is not the folder's.
pub(super) const NAME_MISMATCH: &str = "name_mismatch";
/// A file the system does not let us read.
pub(super) const UNREADABLE: &str = "unreadable";
/// The report was cut.
pub(super) const MORE_PROBLEMS: &str = "more_problems";
/// A name that a tool cannot have.
pub(super) const INVALID_NAME: &str = "invalid_name";
/// The name of a tool that comes with crewd.
pub(super) const NAME_TAKEN: &str = "name_taken";
/// Something else than one of a few words.
pub(super) const UNKNOWN_WORD: &str = "unknown_word";
/// An address that cannot be called, or whose arguments stand where none may.
pub(super) const INVALID_ADDRESS: &str = "invalid_address";
/// Braces that are not around a name.
pub(super) const INVALID_TEMPLATE: &str = "invalid_template";
/// A placeholder that is no argument of the tool.
pub(super) const UNKNOWN_PLACEHOLDER: &str = "unknown_placeholder";
/// A header that cannot be sent, or that crewd sends itself.
pub(super) const INVALID_HEADER: &str = "invalid_header";
/// A secret, or what should name one, in a file. The line is never shown.
pub(super) const SECRET_IN_FILE: &str = "secret_in_file";
/// A setting of a secret that has no value.
pub(super) const UNKNOWN_SECRET: &str = "unknown_secret";

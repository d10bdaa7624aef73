//! Definitions of agents and their crew tasks.
//!
//! | module | what is in it |
//! |---|---|
//! | `schemas` | crews, versions and reports as clients see them |
//! | `source` | the files of a crew out of a JSON or YAML body |
//! | `yaml_sections` | one YAML document into the files of a crew, lines kept |
//! | `handlers` | list, read, put, versions, validate |

mod handlers;
mod schemas;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod yaml_sections;

pub(crate) use table::router;

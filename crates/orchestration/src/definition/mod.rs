//! Crew definitions from files: CrewAI's `agents.yaml` and `tasks.yaml`, and an optional `crew.yaml`.
//!
//! | module | holds |
//! |---|---|
//! | `layout` | which file of a folder holds what |
//! | `yaml` | YAML as a tree with places, under budgets; YAML 1.1 scalars |
//! | `entries`, `fields`, `values` | from the tree to named entries, their keys, and typed values |
//! | `keys` | every key CrewAI knows and what happens to it |
//! | `agents`, `tasks`, `llm`, `manifest`, `resolve` | one definition out of all this |
//! | `reader` | the way through it |
//! | `discover` | crews on disk |
//! | `declared_tools` | tools that the operator declares |
//! | `catalog`, `watch` | all crews as a snapshot, reloaded when files change |
//! | `render` | reports as text and JSON |
//! | `findings`, `rules` | what is wrong, where it stands, and stable ids for it |

mod agents;
mod catalog;
mod declared_tools;
mod discover;
mod entries;
mod fields;
mod findings;
mod keys;
mod layout;
mod llm;
mod manifest;
mod reader;
mod render;
mod resolve;
mod rules;
mod tasks;
mod values;
mod watch;
mod yaml;

pub use catalog::FileCrewCatalog;
pub use declared_tools::{DeclaredTools, ToolSurroundings, declared_tools, read_declared_tools};
pub use discover::{Discovery, Unreadable, discover, sources_at};
pub use reader::read_crew;
pub use render::{render_json, render_text};
pub use watch::{CatalogWatcher, WatchError};

#[cfg(test)]
mod tests;

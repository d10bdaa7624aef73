//! The offline model: answers without a network, so that a newcomer sees a crew work before any key is set.
//!
//! It understands nothing. It calls each offered tool once with arguments that fit the tool's schema, and then writes
//! an answer in the shape that the crew task expects, made of the task's own words and of what the tools returned.
//! The same request always gets the same answer.
//!
//! | module | what is in it |
//! |---|---|
//! | `model` | the port: pieces at a human pace |
//! | `turn` | what to do next: call tools or answer |
//! | `react` | tool calls in text, for requests that describe them in the prompt |
//! | `brief` | what a call is about |
//! | `words` | subjects, key words and file names out of a text |
//! | `instance` | values out of JSON Schemas |
//! | `fields` | texts for fields of a schema |
//! | `counts` | "three to five points" as a number |
//! | `shape` | what an expected output asks for |
//! | `answer` | the answer in that shape |
//! | `phrases` | the sentences it is made of, English and Chinese |
//! | `pieces` | a text in pieces |

mod answer;
mod brief;
mod counts;
mod fields;
mod instance;
mod model;
mod phrases;
mod pieces;
mod react;
mod shape;
#[cfg(test)]
mod tests;
mod turn;
mod words;

pub use model::OfflineModel;

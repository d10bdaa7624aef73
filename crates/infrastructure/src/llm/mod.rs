//! Language models: the OpenAI-compatible provider, the offline model, and the layers around either.

pub mod layers;
pub mod offline;
pub mod openai;
mod tokens;

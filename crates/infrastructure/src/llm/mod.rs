//! Language models: the OpenAI-compatible provider, the offline model, and the layers around either.

pub mod layers;
pub mod openai;
mod tokens;

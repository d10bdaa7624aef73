//! What a model call, a step or a whole run has used.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Counts of tokens and calls, and the money they cost (integer micro-USD, never a float).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens the model read; cached ones are part of it.
    pub input_tokens: u64,
    /// Tokens the model wrote.
    pub output_tokens: u64,
    /// Tokens of the input that the provider took from its cache.
    pub cached_input_tokens: u64,
    /// Calls of a model.
    pub llm_calls: u64,
    /// Calls of a tool.
    pub tool_calls: u64,
    /// Cost in millionths of a US dollar; 0 where no price is known.
    pub cost_usd_micros: u64,
}

impl Usage {
    /// Input plus output tokens.
    #[must_use]
    pub const fn total_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cached_input_tokens = self.cached_input_tokens.saturating_add(other.cached_input_tokens);
        self.llm_calls = self.llm_calls.saturating_add(other.llm_calls);
        self.tool_calls = self.tool_calls.saturating_add(other.tool_calls);
        self.cost_usd_micros = self.cost_usd_micros.saturating_add(other.cost_usd_micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_never_overflows() {
        let mut usage = Usage { input_tokens: u64::MAX, output_tokens: 1, ..Usage::default() };
        usage += Usage { input_tokens: 5, llm_calls: 1, ..Usage::default() };
        assert_eq!(usage.input_tokens, u64::MAX);
        assert_eq!(usage.total_tokens(), u64::MAX);
        assert_eq!(usage.llm_calls, 1);
    }
}

//! Risk, effect and shape of a tool.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The tool by which an agent asks a person. The engine answers its calls itself: a person does.
pub const ASK_HUMAN: &str = "ask_human";

/// How much harm a wrong call can do; policies decide from which level a person is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskLevel {
    /// Reads what the run may read anyway.
    Low,
    /// Changes the run's own folder, or reads from outside.
    Medium,
    /// Changes something outside of the run.
    High,
    /// Cannot be undone, or costs money.
    Critical,
}

/// What may be done with a call whose intent is journaled and whose result is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectClass {
    /// A model call: run it again.
    Model,
    /// Changes nothing: run it again.
    ReadOnly,
    /// The same call twice has the effect of one: run it again.
    Idempotent,
    /// The other side honours the step's idempotency key: run it again with the same key.
    Keyed,
    /// Neither: never repeat it silently. A tool that declares nothing counts as this.
    Effectful,
}

impl EffectClass {
    /// The name stored in the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::ReadOnly => "read_only",
            Self::Idempotent => "idempotent",
            Self::Keyed => "keyed",
            Self::Effectful => "effectful",
        }
    }

    /// Reads a stored name; an unknown one counts as [`EffectClass::Effectful`], the careful reading.
    #[must_use]
    pub fn from_stored(name: &str) -> Self {
        match name {
            "model" => Self::Model,
            "read_only" => Self::ReadOnly,
            "idempotent" => Self::Idempotent,
            "keyed" => Self::Keyed,
            _ => Self::Effectful,
        }
    }

    /// Whether a call of unknown outcome may be run again without asking anybody.
    #[must_use]
    pub const fn is_repeatable(self) -> bool {
        !matches!(self, Self::Effectful)
    }
}

/// A tool as models, people and policies see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolDescriptor {
    /// Lower snake case, at most 64 characters.
    pub name: String,
    /// One or two sentences for the model.
    pub description: String,
    /// JSON Schema of the arguments: an object.
    pub parameters: Value,
    /// How much harm a wrong call can do.
    pub risk: RiskLevel,
    /// What recovery may do with it.
    pub effect: EffectClass,
    /// Whether the tool can tell afterwards what became of a call; recovery asks it before it repeats or parks anything.
    #[serde(default)]
    pub reconciles: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undeclared_effect_is_never_repeated() {
        assert_eq!(EffectClass::from_stored("?"), EffectClass::Effectful);
        assert!(!EffectClass::Effectful.is_repeatable());
        for class in [EffectClass::Model, EffectClass::ReadOnly, EffectClass::Idempotent, EffectClass::Keyed] {
            assert_eq!(EffectClass::from_stored(class.as_str()), class);
            assert!(class.is_repeatable());
        }
    }
}

//! What a tool says about itself. How it is run is the engine's matter.

mod descriptor;

pub use descriptor::{EffectClass, RiskLevel, ToolDescriptor};

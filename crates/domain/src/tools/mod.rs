//! What a tool says about itself. How it is run is the engine's matter.
//!
//! | module | holds |
//! |---|---|
//! | `descriptor` | risk, effect and shape of any tool |
//! | `http` | a tool that the operator declares as a call over HTTP |
//! | `address`, `template` | addresses and texts with places for arguments |

mod address;
mod descriptor;
mod http;
mod template;

pub use address::{AddressError, AddressTemplate};
pub use descriptor::{ASK_HUMAN, EffectClass, RiskLevel, ToolDescriptor};
pub use http::{HttpBody, HttpCall, HttpMethod, HttpToolDefinition, IDEMPOTENCY_KEY_NAME};
pub use template::{Template, TemplateError};

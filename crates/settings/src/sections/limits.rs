//! Sizes of what is accepted.

use crate::reader::Reader;
use crate::variable::Variable;

pub(crate) const VARIABLES: &[Variable] = &[Variable::new("limits.body_bytes", "APP_LIMITS_BODY_BYTES")];

/// The `limits` section.
#[derive(Debug, Clone)]
pub struct LimitsSettings {
    /// The largest request body, in bytes.
    pub body_bytes: usize,
}

impl LimitsSettings {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        Self { body_bytes: reader.number("limits.body_bytes", 1_024..=1_073_741_824) }
    }
}

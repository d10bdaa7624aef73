//! Prometheus' text form.

use std::collections::BTreeSet;
use std::fmt::Write;

use prometheus::TextEncoder;

use super::declaration::Metrics;
use crate::error::TelemetryError;

impl Metrics {
    /// `Content-Type` of [`Metrics::encode`].
    pub const CONTENT_TYPE: &'static str = prometheus::TEXT_FORMAT;

    /// All metrics in text form. Those without a value yet are named as well, so that dashboards and alerts can be
    /// checked against a server that has just started.
    ///
    /// # Errors
    /// A metric that cannot be written; the declarations rule that out.
    pub fn encode(&self) -> Result<String, TelemetryError> {
        let gathered = self.registry.gather();
        let mut text = TextEncoder::new().encode_to_string(&gathered)?;
        let present: BTreeSet<&str> = gathered.iter().map(|family| family.name()).collect();
        for family in self.families.iter().filter(|family| !present.contains(family.name.as_str())) {
            // Writing into memory cannot fail.
            let _ = writeln!(text, "# HELP {} {}\n# TYPE {} {}", family.name, family.help, family.name, family.kind);
        }
        Ok(text)
    }
}

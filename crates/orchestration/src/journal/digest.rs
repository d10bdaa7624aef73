//! What a run has come to, as one number: two runs that did the same have the same.

use crewd_domain::runs::{Step, StepStatus};
use serde_json::Value;

/// A sum over finished steps. The order in which they finished does not matter: crew tasks may run side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StateDigest([u64; 4]);

impl StateDigest {
    /// The sum over steps that are in the journal.
    pub(super) fn of<'steps>(steps: impl Iterator<Item = &'steps Step>) -> Self {
        let mut digest = Self::default();
        steps.for_each(|step| digest.add(step));
        digest
    }

    /// Adds a step, unless it was cut off from outside: a replay cannot and need not come to that.
    pub(super) fn add(&mut self, step: &Step) {
        if !step.status.is_finished() || is_cut_off(step) {
            return;
        }
        let status = if step.status == StepStatus::Succeeded { "+" } else { "-" };
        let output = step.output.as_ref().map(Value::to_string).unwrap_or_default();
        let text = format!("{}\n{}\n{}\n{status}\n{}\n{output}", step.path, step.kind, step.name, step.input_hash);
        let hash = crewd_application::sha256_hex(text);
        for (sum, place) in self.0.iter_mut().zip((0..hash.len()).step_by(16)) {
            let part = hash.get(place..place + 16).and_then(|digits| u64::from_str_radix(digits, 16).ok());
            *sum = sum.wrapping_add(part.unwrap_or_default());
        }
    }

    /// The whole, with the output of a run that came to its end.
    pub(super) fn finish(self, output: Option<&Value>) -> String {
        let output = output.map(Value::to_string).unwrap_or_default();
        crewd_application::sha256_hex(format!("{:x?}\n{output}", self.0))
    }
}

/// Whether a step ended because its run did.
pub(super) fn is_cut_off(step: &Step) -> bool {
    let kind = step.error.as_ref().and_then(|error| error.details.get("kind")).and_then(Value::as_str);
    kind == Some("cut_off")
}

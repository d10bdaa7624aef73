//! Collects everything that is wrong with one request, so that it is answered at once.

use crewd_application::error::{ErrorCode, FieldProblem};

use super::ApiError;

/// Problems with the fields of a body or with the parameters of a query.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    fields: Vec<FieldProblem>,
    reasons: Vec<&'static str>,
}

impl Problems {
    /// Adds a problem at a place (a JSON pointer), with a finer code.
    pub(crate) fn add(&mut self, reason: &'static str, pointer: impl Into<String>, message: impl Into<String>) {
        self.fields.push(FieldProblem::new(pointer, message));
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    /// `validation_failed` with all of them if there are any. A finer code that all share is told.
    pub(crate) fn check(self) -> Result<(), ApiError> {
        if self.fields.is_empty() {
            return Ok(());
        }
        let message = match self.fields.as_slice() {
            [only] => format!("{}: {}", only.pointer, only.message),
            several => format!("{} fields are not acceptable", several.len()),
        };
        let mut error = ApiError::new(ErrorCode::ValidationFailed, message).fields(self.fields);
        if let [reason] = self.reasons.as_slice() {
            error = error.because(*reason);
        }
        Err(error)
    }
}

/// The JSON pointer (RFC 6901) of a key below another pointer.
pub(crate) fn pointer_to(parent: &str, key: &str) -> String {
    format!("{parent}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_only_if_all_share_it() {
        let mut problems = Problems::default();
        assert!(Problems::default().check().is_ok());
        problems.add("out_of_range", "/limit", "must be at least 1");
        problems.add("out_of_range", "/wait", "must be at most 60");
        let error = problems.check().unwrap_err();
        assert_eq!(error.details().reason.as_deref(), Some("out_of_range"));
        let mut problems = Problems::default();
        problems.add("out_of_range", "/limit", "x");
        problems.add("unknown_filter", "/colour", "x");
        let error = problems.check().unwrap_err();
        assert_eq!((error.details().reason.as_deref(), error.details().fields.len()), (None, 2));
    }

    #[test]
    fn pointers_are_escaped() {
        assert_eq!(pointer_to("/inputs", "a/b~c"), "/inputs/a~1b~0c");
    }
}

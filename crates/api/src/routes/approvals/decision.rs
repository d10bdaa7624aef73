//! The body of a decision and its rules.

use crewd_application::approvals::DecideApproval;
use crewd_domain::approvals::Decision;
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::{ApiError, Problems};
use crate::extract::ObjectReader;

/// Characters of a comment.
const LONGEST_COMMENT: usize = 4_000;
/// Characters of a hash; more is none.
const LONGEST_HASH: usize = 128;
/// Names of decisions.
const DECISIONS: &[(&str, Decision)] =
    &[("approve", Decision::Approve), ("edit", Decision::Edit), ("reject", Decision::Reject), ("respond", Decision::Respond)];

/// A decision.
#[derive(Debug, ToSchema)]
pub(crate) struct DecisionRequest {
    /// `approve`, `edit`, `reject` or `respond`; `allowed` of the approval says which.
    #[schema(value_type = String, example = "approve")]
    decision: Option<Decision>,
    /// For `edit` the arguments to use; they must fit the tool's schema. Otherwise those that were shown, or nothing.
    #[schema(value_type = Option<Object>)]
    arguments: Option<Value>,
    /// For `respond`: the answer to a question, or the result of a call that happened.
    response: Option<Value>,
    /// Why, at most 4,000 characters. The model reads it where the call is refused.
    comment: Option<String>,
    /// `arguments_hash` of the approval as it was shown: the decision is refused if it is about other arguments.
    arguments_hash: Option<String>,
}

/// Reads a decision; also used for the operation of a WebSocket. `if_match` comes from a header.
///
/// # Errors
/// `validation_failed` with all that is wrong.
pub(crate) fn read_decision(body: Value, if_match: Option<Vec<String>>) -> Result<DecideApproval, ApiError> {
    let mut problems = Problems::default();
    let mut reader = ObjectReader::of_body(body, &mut problems)?;
    if !reader.has("decision") {
        reader.add("required", "decision", "is required");
    }
    let request = DecisionRequest {
        decision: reader.choice("decision", DECISIONS),
        arguments: reader.any("arguments"),
        response: reader.any("response"),
        comment: read_comment(&mut reader),
        arguments_hash: reader.name("arguments_hash", LONGEST_HASH),
    };
    reader.finish();
    problems.check()?;
    let DecisionRequest { decision, arguments, response, comment, arguments_hash } = request;
    // A decision that is missing was told above.
    let decision = decision.ok_or_else(ApiError::internal)?;
    Ok(DecideApproval { decision, arguments, response, comment, arguments_hash, if_match })
}

fn read_comment(reader: &mut ObjectReader<'_>) -> Option<String> {
    let comment = reader.text("comment")?;
    if comment.contains('\0') {
        reader.add("invalid_characters", "comment", "holds a NUL character");
    } else if comment.chars().count() > LONGEST_COMMENT {
        reader.add("out_of_range", "comment", format!("must have at most {LONGEST_COMMENT} characters"));
    }
    Some(comment)
}
